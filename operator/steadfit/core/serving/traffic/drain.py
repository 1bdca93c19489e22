"""Which pods are told to drain: those that stay although the Service no longer sends them anything.

A Service decides when a connection is opened, so a client that keeps its connections stays with a pod that was left.
Told to drain, the server closes each connection with its answer, and the client opens the next one to what is selected.
The word travels as an annotation of the pod, which the kubelet writes into a file of it: no port, no password, and who
may say it is who may patch pods. A drained pod goes on answering: being told early, late or wrongly fails no request.
"""

from __future__ import annotations

from collections.abc import Sequence

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core import names
from steadfit.core.serving.fleet import Fleet, Workload
from steadfit.core.types import Action, Apply, Manifest

from .pod_shares import by_gateway
from .service import taking_traffic

MANAGER = "steadfit-drain"
VOLUME = "pod"
"""The volume by which a pod reads its own annotation; a pod without it hears nothing."""
DIRECTORY = "/steadfit/pod"
FILE = "drain"
DRAINING = "true"


def supported(deployment: ModelDeployment) -> bool:
    """Return whether the server that the spec asks for closes its clients' connections when it is told to."""
    server = deployment.spec.server
    return server.image is None if server.drains is None else server.drains


def can_drain(workload: Workload) -> bool:
    """Return whether the pods of a revision, as it was frozen, are told: the spec may ask for another server by now."""
    return _has_volume(workload.manifest.get("spec", {}).get("template", {}))


def annotate(fleet: Fleet) -> Sequence[Action]:
    """Return what tells pods that were left to drain, and takes it back from those that are wanted again."""
    leaving = {found.revision for found in fleet.workloads} - _keep_connections(fleet)
    actions: list[Action] = []
    for pod in sorted(fleet.observed.pods, key=lambda pod: str(pod["metadata"]["name"])):
        metadata = pod["metadata"]
        drains = metadata.get("labels", {}).get(names.REVISION) in leaving
        if drains != _is_draining(pod) and _is_drainable(pod):
            actions.append(_set_draining(pod, drains=drains))
    return actions


def _keep_connections(fleet: Fleet) -> frozenset[str]:
    """Return the revisions whose clients stay: what is selected, what will be next, and what nobody has met yet.

    A candidate that comes up has no clients, and would only answer its first ones with a closed connection. One that
    had traffic and is selected no longer drains like any other; by a Gateway it has traffic though no Service says so.
    """
    deployment = fleet.observed.deployment
    live, candidate = deployment.status.live, deployment.status.candidate
    wanted = set(taking_traffic(fleet))
    if live:
        wanted.add(live.revision)
    if candidate and (candidate.analysed_since is None or candidate.phase == "Promoting" or by_gateway(deployment)):
        wanted.add(candidate.revision)
    return frozenset(wanted)


def _is_drainable(pod: Manifest) -> bool:
    """Return whether telling this pod does anything: one that ends drains by itself."""
    running = pod.get("status", {}).get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
    return running and _has_volume(pod)


def _has_volume(pod: Manifest) -> bool:
    volumes = pod.get("spec", {}).get("volumes", [])
    return any(volume["name"] == VOLUME and "downwardAPI" in volume for volume in volumes)


def _is_draining(pod: Manifest) -> bool:
    return bool(pod["metadata"].get("annotations", {}).get(names.DRAIN_ANNOTATION) == DRAINING)


def _set_draining(pod: Manifest, *, drains: bool) -> Apply:
    """Return the change of this one annotation.

    It is fenced by the pod's uid and not by its resourceVersion. That changes with every probe and would make the
    change fail again and again; and what a deposed leader still sends costs some connections until the next pass puts
    it right, but no answer.
    """
    metadata = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
    annotations = {names.DRAIN_ANNOTATION: DRAINING} if drains else {}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "annotations": annotations}}
    return Apply(manifest, field_manager=MANAGER)
