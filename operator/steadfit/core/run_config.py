"""The configuration that a run's fetch and publish steps read from STEADFIT_CONFIG."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.data import DataSource
from steadfit.api.trainingrun import Attempt, TrainingRun

from . import store_access, store_choice
from .types import Platform, Stores


def render(run: TrainingRun, attempt: Attempt, stores: Stores, platform: Platform, template: Mapping[str, Any]) -> str:
    """Return the configuration as JSON. Every store it names must be there."""
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
    }
    return json.dumps(config, sort_keys=True, separators=(",", ":"))


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
