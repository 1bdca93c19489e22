"""The table of kinds: how each is observed and planned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from steadfit.core.plans import (
    artifact_store,
    metric_source,
    model_action,
    model_deployment,
    model_version,
    training_job,
    training_run,
)
from steadfit.core.types import Plan
from steadfit.kube.cache import JSONObject
from steadfit.kube.resources import (
    ARTIFACT_STORES,
    METRIC_SOURCES,
    MODEL_ACTIONS,
    MODEL_DEPLOYMENTS,
    MODEL_VERSIONS,
    TRAINING_JOBS,
    TRAINING_RUNS,
    Resource,
)

from .observe import Observer
from .reconcile import Planner


def planners(observer: Observer) -> Mapping[Resource, Planner]:
    """Return the planner of every own kind."""
    return {
        TRAINING_JOBS: _planner(observer.training_job, training_job.plan),
        TRAINING_RUNS: _planner(observer.training_run, training_run.plan),
        MODEL_VERSIONS: _planner(observer.model_version, model_version.plan),
        MODEL_DEPLOYMENTS: _planner(observer.model_deployment, model_deployment.plan),
        MODEL_ACTIONS: _planner(observer.model_action, model_action.plan),
        ARTIFACT_STORES: _planner(observer.artifact_store, artifact_store.plan),
        METRIC_SOURCES: _planner(observer.metric_source, metric_source.plan),
    }


def _planner(observe: Callable[[JSONObject], Any], plan: Callable[[Any, datetime], Plan]) -> Planner:
    return lambda obj, now: plan(observe(obj), now)
