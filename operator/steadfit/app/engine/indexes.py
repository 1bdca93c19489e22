"""The indexes of the cache, and the look-ups of `observe` and `affected_keys` in them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any

from steadfit.api.run import FINISHED
from steadfit.core import names
from steadfit.core.serving.selection.served import MAX_ENTRIES
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
VERSION = "version"
REMEMBERED = "remembered"
ARTIFACT = "artifact"


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


def deployments_naming(cache: Cache, key: Key) -> list[JSONObject]:
    """Return the ModelDeployments whose status names a ModelVersion, whatever TrainingJob they serve now."""
    return cache.by(MODEL_DEPLOYMENTS, VERSION, (key.namespace, key.name))


def earlier_versions_of(cache: Cache, deployment: JSONObject, digests: Iterable[str]) -> list[JSONObject]:
    """Return the ModelVersions of other TrainingJobs than the present one that a ModelDeployment decides about.

    Its status names them. What a lost status named is found by what the versions know, and by `digests`, the artifacts
    of its pods; what a full list has dropped is found by what the versions know too.
    """
    namespace, status = deployment["metadata"].get("namespace"), deployment.get("status", {})
    keys = [Key(MODEL_VERSIONS, namespace, name) for name in versions_named(deployment)]
    found = [version for key in keys if (version := cache.get(key)) is not None]
    is_lost = status.get("observedGeneration", -1) < 0
    if is_lost or len(status.get("servedVersions", ())) >= MAX_ENTRIES:
        found += cache.by(MODEL_VERSIONS, REMEMBERED, (namespace, deployment["metadata"]["name"]))
    if is_lost:
        for digest in digests:
            found += cache.by(MODEL_VERSIONS, ARTIFACT, (namespace, digest))
    job = training_job_of(deployment)
    earlier = {version["metadata"]["name"]: version for version in found if training_job_of(version) != job}
    return [earlier[name] for name in sorted(earlier)]


def versions_named(deployment: Mapping[str, Any]) -> list[str]:
    """Return the names of the ModelVersions in the status of a ModelDeployment."""
    status = deployment.get("status", {})
    entries = [status[place] for place in ("live", "lastGood", "candidate") if status.get(place)]
    for place in ("servedVersions", "quarantine", "abandoned", "released"):
        entries += status.get(place, ())
    return list(dict.fromkeys(str(entry["version"]) for entry in entries))


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


def is_new_action(obj: JSONObject) -> bool:
    """Return whether an object is a ModelAction that nobody has reported on: created, or just marked as accepted.

    Its status may change for days after that, and objects that answer each other would be throttled by none of it.
    """
    return is_pending_action(obj) and obj.get("status", {}).get("observedGeneration", -1) < 0


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


def _version(obj: JSONObject) -> Iterator[Hashable]:
    if obj["kind"] == MODEL_DEPLOYMENTS.kind:
        for name in versions_named(obj):
            yield (obj["metadata"].get("namespace"), name)


def _remembered(obj: JSONObject) -> Iterator[Hashable]:
    if obj["kind"] == MODEL_VERSIONS.kind:
        status = obj.get("status", {})
        through = [record for record in status.get("served", ()) if record.get("letThrough")]
        first = [status["quarantine"]] if status.get("quarantine") else []
        decided = [*through, *first, *status.get("quarantineElsewhere", ()), *status.get("abandoned", ())]
        for name in dict.fromkeys(record.get("deployment") for record in decided):
            yield (obj["metadata"].get("namespace"), name)


def _artifact(obj: JSONObject) -> Iterator[Hashable]:
    if obj["kind"] == MODEL_VERSIONS.kind:
        yield (obj["metadata"].get("namespace"), obj["spec"]["artifact"]["digest"])


INDEXES: Mapping[str, Index] = {
    OWNER: _owner,
    NAMESPACE: _namespace,
    TRAINING_JOB: _training_job,
    TARGET: _target,
    MODEL_DEPLOYMENT: _model_deployment,
    VERSION: _version,
    REMEMBERED: _remembered,
    ARTIFACT: _artifact,
}
