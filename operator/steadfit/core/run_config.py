"""The configuration that a run's fetch and publish steps read from STEADFIT_CONFIG."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.data import DataSource
from steadfit.api.trainingrun import Attempt, TrainingRun

from . import store_access, store_choice
from .champion import Champion
from .types import Platform, Stores


def render(
    run: TrainingRun,
    attempt: Attempt,
    stores: Stores,
    platform: Platform,
    template: Mapping[str, Any],
    champion: Champion | None = None,
) -> str:
    """Return the configuration as JSON. Every store that the run itself needs must be there."""
    spec = run.spec
    lineage: dict[str, Any] = {
        "image": spec.image,
        "operatorVersion": platform.operator_version,
        "cause": spec.cause.dump(),
        "podTemplate": template,
    }
    if spec.git_revision:
        lineage["gitRevision"] = spec.git_revision
    config = {
        "run": {
            "namespace": run.metadata.namespace,
            "name": run.name,
            "uid": run.uid,
            "attempt": attempt.number,
            "trainingJob": spec.training_job_ref.name,
        },
        "store": store_access.settings(_found(store_choice.named(spec.store_ref.name, stores))),
        "data": [_source(source, run, stores) for source in spec.data],
        "evaluation": spec.evaluation.dump(),
        "params": spec.params,
        "seed": spec.seed,
        "recordUrl": f"{platform.record_url}/v1/namespaces/{run.metadata.namespace}/trainingruns/{run.name}/record",
        "lineage": lineage,
        **_compared(champion, stores),
    }
    return json.dumps(config, sort_keys=True, separators=(",", ":"))


def _compared(champion: Champion | None, stores: Stores) -> dict[str, Any]:
    """Return what publish compares the result with, and the accepted run whose data fetch compares its own with.

    A champion that cannot be reached is named with the reason: the version is then held, and not taken for a first one.
    """
    if champion is None:
        return {}
    named: dict[str, Any] = {"version": champion.name, "artifact": {"digest": champion.digest}}
    if champion.version is None:
        return {"champion": {**named, "problem": f"the ModelVersion {champion.name} is gone"}}
    spec = champion.version.spec
    store = store_choice.named(spec.store_ref.name, stores)
    if isinstance(store, str):
        return {"champion": {**named, "problem": store}}
    held = spec.evaluation.dump()
    reached = store_access.settings(store)
    return {
        "champion": {
            "version": champion.name,
            "artifact": {"uri": spec.artifact.uri, "digest": champion.digest},
            "store": reached,
            **{key: held[key] for key in ("by", "column", "boundary", "fraction") if key in held},
        },
        "accepted": {"recordUri": spec.record_uri, "store": reached},
    }


def _source(source: DataSource, run: TrainingRun, stores: Stores) -> dict[str, Any]:
    """Return a data source with its store, and with the place of captured rows."""
    store = _found(store_choice.for_source(source, run.spec.store_ref.name, stores))
    shape = {**source.dump(), "store": store_access.settings(store)}
    if source.captured is not None:
        shape["uri"] = store_choice.captures_uri(store, run.metadata.namespace, source.captured.deployment)
    return shape


def _found(store: ArtifactStore | str) -> ArtifactStore:
    if isinstance(store, str):
        raise ValueError(store)
    return store
