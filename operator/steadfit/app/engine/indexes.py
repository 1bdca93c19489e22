"""The indexes of the cache, and the look-ups of `observe` and `affected_keys` in them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from steadfit.api.run import FINISHED
from steadfit.core import names
from steadfit.kube.cache import Cache, Index, JSONObject
from steadfit.kube.key import Key
from steadfit.kube.resources import (
    MODEL_ACTIONS,
    MODEL_DEPLOYMENTS,
    MODEL_VERSIONS,
    TRAINING_RUNS,
    Resource,
)

OWNER = "owner"
NAMESPACE = "namespace"
TRAINING_JOB = "training-job"
TARGET = "target"
MODEL_DEPLOYMENT = "model-deployment"


def owned_by(cache: Cache, resource: Resource, uid: str) -> list[JSONObject]:
    """Return the objects of a resource whose controller has this uid."""
    return cache.by(resource, OWNER, uid)


def in_namespace(cache: Cache, resource: Resource, namespace: str | None) -> list[JSONObject]:
    """Return the objects of a resource in a namespace."""
    return cache.by(resource, NAMESPACE, namespace)


def runs_of(cache: Cache, namespace: str | None, job: str) -> list[JSONObject]:
    """Return the TrainingRuns of the TrainingJob of this name."""
    return cache.by(TRAINING_RUNS, TRAINING_JOB, (namespace, job))


def versions_of(cache: Cache, namespace: str | None, job: str) -> list[JSONObject]:
    """Return the ModelVersions of the TrainingJob of this name."""
    return cache.by(MODEL_VERSIONS, TRAINING_JOB, (namespace, job))


def deployments_of(cache: Cache, namespace: str | None, job: str) -> list[JSONObject]:
    """Return the ModelDeployments that serve the versions of the TrainingJob of this name."""
    return cache.by(MODEL_DEPLOYMENTS, TRAINING_JOB, (namespace, job))


def actions_on(cache: Cache, key: Key) -> list[JSONObject]:
    """Return the ModelActions whose target is an object."""
    return cache.by(MODEL_ACTIONS, TARGET, (key.namespace, key.resource.kind, key.name))


def selections_of(cache: Cache, namespace: str | None) -> list[JSONObject]:
    """Return the ModelActions that select ModelDeployments of a namespace; of all namespaces if it is None."""
    return cache.by(MODEL_ACTIONS, TARGET, (namespace, MODEL_DEPLOYMENTS.kind, None))


def scope_of(action: Mapping[str, Any]) -> str | None:
    """Return the namespace in which a ModelAction selects its targets; None = all of them."""
    everywhere = action["spec"]["target"].get("allNamespaces", False)
    return None if everywhere else action["metadata"].get("namespace")


def is_finished(run: Mapping[str, Any]) -> bool:
    """Return whether a TrainingRun has ended for good."""
    return run.get("status", {}).get("phase") in FINISHED


def training_job_of(obj: Mapping[str, Any]) -> str | None:
    """Return the name of the TrainingJob that a run, version or deployment refers to."""
    reference = obj.get("spec", {}).get("trainingJobRef")
    if reference is not None:
        return str(reference["name"])
    return str(obj["metadata"]["name"]) if obj["kind"] == MODEL_DEPLOYMENTS.kind else None


def is_pending_action(obj: JSONObject) -> bool:
    """Return whether an object is a ModelAction that has not ended."""
    phase = obj.get("status", {}).get("phase", "Pending")
    return bool(obj["kind"] == MODEL_ACTIONS.kind and phase == "Pending")


def _owner(obj: JSONObject) -> Iterator[Hashable]:
    controller = names.controller_of(obj)
    if controller is not None:
        yield controller["uid"]


def _namespace(obj: JSONObject) -> Iterator[Hashable]:
    yield obj["metadata"].get("namespace")


def _training_job(obj: JSONObject) -> Iterator[Hashable]:
    job = training_job_of(obj)
    if job is not None:
        yield (obj["metadata"].get("namespace"), job)


def _target(obj: JSONObject) -> Iterator[Hashable]:
    if obj["kind"] == MODEL_ACTIONS.kind:
        target = obj["spec"]["target"]
        yield (scope_of(obj), target["kind"], target.get("name"))


def _model_deployment(obj: JSONObject) -> Iterator[Hashable]:
    name = obj["metadata"].get("labels", {}).get(names.MODEL_DEPLOYMENT)
    if name is not None:
        yield (obj["metadata"].get("namespace"), name)


INDEXES: Mapping[str, Index] = {
    OWNER: _owner,
    NAMESPACE: _namespace,
    TRAINING_JOB: _training_job,
    TARGET: _target,
    MODEL_DEPLOYMENT: _model_deployment,
}
