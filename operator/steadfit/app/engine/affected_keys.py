"""Which objects need a pass when one has changed.

One table: a change of this kind affects these objects. A key too many costs a pass that writes nothing; a missing key
delays the pass by up to a resync interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from steadfit.core import names
from steadfit.core.versions.serving_history import BATCH, MAX_RECORDS
from steadfit.kube.cache import Cache, JSONObject
from steadfit.kube.key import Key, key_of
from steadfit.kube.resources import (
    ARTIFACT_STORES,
    CHILDREN,
    HTTP_ROUTES,
    METRIC_SOURCES,
    MODEL_ACTIONS,
    MODEL_DEPLOYMENTS,
    MODEL_VERSIONS,
    NAMESPACES,
    OWN,
    SERVICES,
    TRAINING_JOBS,
    TRAINING_RUNS,
    Resource,
)

from .indexes import (
    actions_on,
    deployments_naming,
    deployments_of,
    in_namespace,
    is_finished,
    is_pending_action,
    runs_of,
    scope_of,
    selections_of,
    training_job_of,
    versions_named,
    versions_of,
)

_OWN_BY_KIND = {resource.kind: resource for resource in OWN}


def keys_of(cache: Cache, obj: JSONObject) -> Iterator[Key]:
    """Yield the keys of our objects that a change of `obj` affects, possibly with duplicates."""
    key = key_of(obj)
    affected = _AFFECTED.get(key.resource)
    if affected is not None:
        yield from affected(cache, key, obj)


def _training_job(cache: Cache, key: Key, obj: JSONObject) -> Iterator[Key]:
    yield key
    yield from _unfinished(runs_of(cache, key.namespace, key.name))
    yield from _keys(versions_of(cache, key.namespace, key.name))
    yield from _keys(deployments_of(cache, key.namespace, key.name))
    yield from _keys(actions_on(cache, key))


def _training_run(cache: Cache, key: Key, obj: JSONObject) -> Iterator[Key]:
    yield key
    yield from _job_key(key.namespace, obj)
    # An Evaluate run is created for a ModelDeployment, which waits for its result.
    deployment = obj["metadata"].get("labels", {}).get(names.MODEL_DEPLOYMENT)
    if deployment is not None:
        yield Key(MODEL_DEPLOYMENTS, key.namespace, deployment)


def _model_version(cache: Cache, key: Key, obj: JSONObject) -> Iterator[Key]:
    yield key
    yield from _job_key(key.namespace, obj)
    job = training_job_of(obj)
    if job is not None:
        yield from _unfinished(runs_of(cache, key.namespace, job))
        yield from _keys(deployments_of(cache, key.namespace, job))
    yield from _keys(deployments_naming(cache, key))


def _model_deployment(cache: Cache, key: Key, obj: JSONObject) -> Iterator[Key]:
    yield key
    job = training_job_of(obj)
    if job is not None:
        # The live version is the champion, and rollouts and monitors decide when the job trains again.
        yield Key(TRAINING_JOBS, key.namespace, job)
        yield from _keys(versions_of(cache, key.namespace, job))
    yield from (Key(MODEL_VERSIONS, key.namespace, name) for name in versions_named(obj))
    yield from _keys(actions_on(cache, key))
    # A Refresh of several counts the others anew when it goes on.
    for action in (*selections_of(cache, key.namespace), *selections_of(cache, None)):
        if is_pending_action(action) and key in _under_way(action):
            yield key_of(action)


def _model_action(cache: Cache, key: Key, obj: JSONObject) -> Iterator[Key]:
    yield key
    target = obj["spec"]["target"]
    if target.get("name") is None:
        yield from _under_way(obj)
        yield from _keys(selections_of(cache, scope_of(obj)))
        return
    target_key = Key(_OWN_BY_KIND[target["kind"]], key.namespace, target["name"])
    yield target_key
    # The oldest ones are deleted when a new one is done.
    yield from _keys(actions_on(cache, target_key))


def _artifact_store(cache: Cache, key: Key, obj: JSONObject) -> Iterator[Key]:
    yield key
    yield from _keys(cache.all(TRAINING_JOBS))
    yield from _unfinished(cache.all(TRAINING_RUNS))
    yield from _keys(cache.all(MODEL_DEPLOYMENTS))
    yield from _with_notes(cache.all(MODEL_VERSIONS))


def _metric_source(cache: Cache, key: Key, obj: JSONObject) -> Iterator[Key]:
    # ModelDeployments are affected by the signals that are measured through it.
    yield key


def _namespace(cache: Cache, key: Key, obj: JSONObject) -> Iterator[Key]:
    yield from _keys(in_namespace(cache, TRAINING_JOBS, key.name))
    yield from _unfinished(in_namespace(cache, TRAINING_RUNS, key.name))
    yield from _keys(in_namespace(cache, MODEL_DEPLOYMENTS, key.name))
    yield from _with_notes(in_namespace(cache, MODEL_VERSIONS, key.name))


def _child(cache: Cache, key: Key, obj: JSONObject) -> Iterator[Key]:
    controller = names.controller_of(obj)
    if controller is not None and controller["kind"] in _OWN_BY_KIND:
        yield Key(_OWN_BY_KIND[controller["kind"]], key.namespace, controller["name"])
    # Pods belong to a Job or a ReplicaSet; their labels name our object above it.
    labels = obj["metadata"].get("labels", {})
    if names.TRAINING_RUN in labels:
        yield Key(TRAINING_RUNS, key.namespace, labels[names.TRAINING_RUN])
    if names.MODEL_DEPLOYMENT in labels:
        yield Key(MODEL_DEPLOYMENTS, key.namespace, labels[names.MODEL_DEPLOYMENT])
    if names.MODEL_VERSION in labels:
        yield Key(MODEL_VERSIONS, key.namespace, labels[names.MODEL_VERSION])


def _of_the_name(cache: Cache, key: Key, obj: JSONObject) -> Iterator[Key]:
    yield from _child(cache, key, obj)
    # A Service or route of another owner may have the name that a ModelDeployment needs.
    yield Key(MODEL_DEPLOYMENTS, key.namespace, key.name)


def _keys(objects: Iterable[Mapping[str, Any]]) -> Iterator[Key]:
    return (key_of(obj) for obj in objects)


def _under_way(action: Mapping[str, Any]) -> Iterator[Key]:
    """Return the ModelDeployments whose turn it is in a Refresh of several."""
    turns = action.get("status", {}).get("progress", {}).get("underWay", ())
    return (Key(MODEL_DEPLOYMENTS, turn["namespace"], turn["name"]) for turn in turns)


def _unfinished(runs: Iterable[Mapping[str, Any]]) -> Iterator[Key]:
    return _keys(run for run in runs if not is_finished(run))


def _with_notes(versions: Iterable[Mapping[str, Any]]) -> Iterator[Key]:
    """Return the versions whose quarantine or servings may have to be written to their store."""
    statuses = ((version, version.get("status", {})) for version in versions)
    return _keys(
        version
        for version, status in statuses
        if status.get("quarantine") or len(status.get("served", ())) >= MAX_RECORDS + BATCH
    )


def _job_key(namespace: str | None, obj: Mapping[str, Any]) -> Iterator[Key]:
    job = training_job_of(obj)
    if job is not None:
        yield Key(TRAINING_JOBS, namespace, job)


_AFFECTED: Mapping[Resource, Callable[[Cache, Key, JSONObject], Iterator[Key]]] = {
    TRAINING_JOBS: _training_job,
    TRAINING_RUNS: _training_run,
    MODEL_VERSIONS: _model_version,
    MODEL_DEPLOYMENTS: _model_deployment,
    MODEL_ACTIONS: _model_action,
    ARTIFACT_STORES: _artifact_store,
    METRIC_SOURCES: _metric_source,
    NAMESPACES: _namespace,
    **dict.fromkeys(CHILDREN, _child),
    SERVICES: _of_the_name,
    HTTP_ROUTES: _of_the_name,
}
