"""Versions that a run need not train again: those of the same recipe, by the digest of the data that they learned from.

The recipe is compared by its input hash, which contains image, parameters and seed; an image that is named by a tag
counts as the same while its name is. The data is resolved by `fetch`, which ends the run if it is that of a version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from steadfit.api.modelversion import DataRecord, ModelVersion
from steadfit.api.trainingrun import TrainingRun
from steadfit.core import former_metric
from steadfit.core.runs.runtime.pod_view import FETCH, RunPod

from .champion import ComparedVersion

EXIT_CODE = 13
"""With which `fetch` ends when the data is that of a version; its message is `Known: <version>`."""
_PREFIX = "Known: "
MOST = 64


def candidates(
    run: TrainingRun, versions: Sequence[ModelVersion], champion: ComparedVersion | None
) -> list[tuple[str, str]]:
    """Return the names of the versions of a run's recipe, newest first, each with the digest of its data.

    A person who creates a Retrain action wants a training, so there is none then. A version that one of another recipe
    followed is none either, nor is one that is older than the version that serves: who changes the recipe back, or
    mends the data, wants a version that is rolled out. The version that serves always is one. A version that was
    compared by another metric than the run's first one is none: who changes the metric wants a comparison by it.
    """
    if run.spec.cause.type == "Action":
        return []
    others = [item.spec.number for item in versions if item.spec.lineage.input_hash != run.spec.input_hash]
    serving = champion.version if champion is not None else None
    followed = max([*others, *([serving.spec.number - 1] if serving else [])], default=0)
    found = [
        item
        for item in sorted(versions, key=lambda item: -item.spec.number)
        if item.spec.lineage.input_hash == run.spec.input_hash
        and item.metadata.deletion_timestamp is None
        and (
            item is serving
            or (item.spec.number > followed and not former_metric.is_compared_by_it(item, run.spec.evaluation))
        )
    ]
    return [(item.name, digest(item.spec.lineage.data)) for item in found[:MOST]]


def digest(data: Sequence[DataRecord]) -> str:
    """Return SHA-256 over the names and digests of data sets, as `fetch` computes it."""
    pairs = sorted([item.name, item.digest] for item in data)
    return hashlib.sha256(json.dumps(pairs, separators=(",", ":")).encode()).hexdigest()


def found_by(pod: RunPod, versions: Sequence[ModelVersion]) -> str | None:
    """Return the version that `fetch` found the inputs of; None while it has found none."""
    fetch = pod.steps.get(FETCH)
    if fetch is None or fetch.exit_code != EXIT_CODE:
        return None
    name = fetch.message.strip().removeprefix(_PREFIX)
    return name if any(item.name == name for item in versions) else None
