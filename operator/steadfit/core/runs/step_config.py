"""STEADFIT_CONFIG: the configuration of fetch, and of publish or evaluate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.base import parse_duration
from steadfit.api.data import DataSource
from steadfit.api.trainingrun import Attempt, EvaluateInputs, TrainingRun
from steadfit.core import store_access, store_choice
from steadfit.core.text import time_text
from steadfit.core.types import Platform, Stores

from .champion import ComparedVersion


def render(
    run: TrainingRun,
    attempt: Attempt,
    stores: Stores,
    platform: Platform,
    template: Mapping[str, Any],
    champion: ComparedVersion | None = None,
    evaluated: Sequence[ComparedVersion] = (),
    known: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the configuration as JSON. Every store that the run itself needs must exist."""
    spec = run.spec
    lineage: dict[str, Any] = {
        "image": spec.image,
        "operatorVersion": platform.operator_version,
        "cause": spec.cause.dump(),
        "podTemplate": template,
    }
    if spec.git_revision:
        lineage["gitRevision"] = spec.git_revision
    posted = "record" if spec.evaluate is None else "evaluation"
    config = {
        "run": {
            "namespace": run.metadata.namespace,
            "name": run.name,
            "uid": run.uid,
            "attempt": attempt.number,
            "trainingJob": spec.training_job_ref.name,
        },
        "store": store_access.settings(_usable(store_choice.by_name(spec.store_ref.name, stores))),
        "data": [_source(source, run, stores) for source in spec.data],
        "evaluation": spec.evaluation.dump(),
        "params": spec.params,
        "seed": spec.seed,
        "recordUrl": f"{platform.record_url}/v1/namespaces/{run.metadata.namespace}/trainingruns/{run.name}/{posted}",
        "lineage": lineage,
        **({"known": [{"version": name, "data": digest} for name, digest in known]} if known else {}),
        **(_compared(champion, stores) if spec.evaluate is None else _evaluate(spec.evaluate, evaluated, stores)),
    }
    return json.dumps(config, sort_keys=True, separators=(",", ":"))


def _compared(champion: ComparedVersion | None, stores: Stores) -> dict[str, Any]:
    """Return the champion for publish, and the accepted run whose data fetch compares the new data with.

    A champion whose artifact cannot be read is named with the reason. The new version is then held: without the name
    it would be taken for a first one.
    """
    if champion is None:
        return {}
    named = _located(champion, stores)
    if champion.version is None or "problem" in named:
        return {"champion": named}
    spec = champion.version.spec
    held = spec.evaluation.dump()
    return {
        "champion": {**named, **{key: held[key] for key in ("by", "column", "boundary", "fraction") if key in held}},
        "accepted": {"recordUri": spec.record_uri, "store": named["store"]},
    }


def _evaluate(inputs: EvaluateInputs, evaluated: Sequence[ComparedVersion], stores: Stores) -> dict[str, Any]:
    """Return the versions that evaluate compares: the one that serves, and the last good one if there is one."""
    flush = parse_duration(inputs.flush_interval) if inputs.flush_interval else None
    versions = zip(("live", "lastGood"), evaluated, strict=False)
    return {
        "evaluate": {
            "metric": inputs.metric,
            "minRows": inputs.min_rows,
            "maxRows": inputs.max_rows,
            **({"until": time_text(inputs.until)} if inputs.until else {}),
            **({"flushSeconds": flush.total_seconds()} if flush else {}),
            **{name: _located(version, stores) for name, version in versions},
        }
    }


def _located(version: ComparedVersion, stores: Stores) -> dict[str, Any]:
    """Return a version with the location and store of its artifact, or with the reason why it cannot be read."""
    named: dict[str, Any] = {"version": version.name, "artifact": {"digest": version.digest}}
    if version.version is None:
        return {**named, "problem": f"no ModelVersion {version.name} has this artifact"}
    spec = version.version.spec
    store = store_choice.by_name(spec.store_ref.name, stores)
    if isinstance(store, str):
        return {**named, "problem": store}
    artifact = {"uri": spec.artifact.uri, "digest": version.digest}
    return {"version": version.name, "artifact": artifact, "store": store_access.settings(store)}


def _source(source: DataSource, run: TrainingRun, stores: Stores) -> dict[str, Any]:
    """Return a data source with its store, and with the URI of captured rows."""
    store = _usable(store_choice.for_source(source, run.spec.store_ref.name, stores))
    shape = {**source.dump(), "store": store_access.settings(store)}
    if source.captured is not None:
        shape["uri"] = store_choice.captures_uri(store, run.metadata.namespace, source.captured.deployment)
    return shape


def _usable(store: ArtifactStore | str) -> ArtifactStore:
    if isinstance(store, str):
        raise ValueError(store)
    return store
