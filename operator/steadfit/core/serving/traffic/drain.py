"""The drain annotation of pods that run on although the Service no longer selects them.

A Service chooses a pod when a connection is opened, so a client with keep-alive connections stays with its pod. A
draining server closes each connection after the answer, and the client opens the next one to a selected pod. The
kubelet writes the annotation into a file in the pod: that needs no port and no password, and who may patch pods may
drain them. A draining pod still answers, so an early, late or wrong annotation fails no request.
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
"""Name of the downward API volume with the annotation; a pod without it cannot drain before it is deleted."""
DIRECTORY = "/steadfit/pod"
FILE = "drain"
DRAINING = "true"


def supported(deployment: ModelDeployment) -> bool:
    """Return whether the server image in the spec closes its clients' connections when its pod is annotated."""
    server = deployment.spec.server
    return server.image is None if server.drains is None else server.drains


def can_drain(workload: Workload) -> bool:
    """Return whether the pods of a Deployment have the drain volume, whatever server image the spec has now."""
    return _has_volume(workload.manifest.get("spec", {}).get("template", {}))


def annotate(fleet: Fleet) -> Sequence[Action]:
    """Return the changes that annotate pods without traffic, and remove the annotation from pods with traffic.

    Those without come first: their clients are the ones that move.
    """
    draining = {found.revision for found in fleet.workloads} - _keep_connections(fleet)
    leaving: list[Action] = []
    returning: list[Action] = []
    for pod in sorted(fleet.observed.pods, key=lambda pod: str(pod["metadata"]["name"])):
        metadata = pod["metadata"]
        drains = metadata.get("labels", {}).get(names.REVISION) in draining
        if drains != _is_draining(pod) and _is_drainable(pod):
            (leaving if drains else returning).append(_set_draining(pod, drains=drains))
    return [*leaving, *returning]


def _keep_connections(fleet: Fleet) -> frozenset[str]:
    """Return the revisions whose pods do not drain: the selected ones, the live one, and a candidate without clients.

    A starting candidate has no clients yet, and would close the connections of its first ones. A candidate that had
    traffic and is not selected any more drains like any other. Behind a Gateway it has traffic without a selector.
    """
    deployment = fleet.observed.deployment
    live, candidate = deployment.status.live, deployment.status.candidate
    kept = set(taking_traffic(fleet))
    if live:
        kept.add(live.revision)
    if candidate and (candidate.analysed_since is None or candidate.phase == "Promoting" or by_gateway(deployment)):
        kept.add(candidate.revision)
    return frozenset(kept)


def _is_drainable(pod: Manifest) -> bool:
    """Return whether the annotation has an effect on this pod: a terminating pod drains by itself."""
    running = pod.get("status", {}).get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
    return running and _has_volume(pod)


def _has_volume(pod: Manifest) -> bool:
    volumes = pod.get("spec", {}).get("volumes", [])
    return any(volume["name"] == VOLUME and "downwardAPI" in volume for volume in volumes)


def _is_draining(pod: Manifest) -> bool:
    return bool(pod["metadata"].get("annotations", {}).get(names.DRAIN_ANNOTATION) == DRAINING)


def _set_draining(pod: Manifest, *, drains: bool) -> Apply:
    """Return the change of this one annotation.

    It has the pod's uid as precondition and not its resourceVersion, which changes with every probe: the apply would
    fail again and again. A late write of a former leader closes some connections until the next pass corrects it, and
    fails no request.
    """
    metadata = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
    annotations = {names.DRAIN_ANNOTATION: DRAINING} if drains else {}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "annotations": annotations}}
    return Apply(manifest, field_manager=MANAGER)
