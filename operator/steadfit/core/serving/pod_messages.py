"""Messages about pods of a revision that are not ready, from container states and Deployment conditions.

The message stays the same while the cause does: it has no names, counters or back-off times, so that a crash loop
causes one status write and not a stream of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from steadfit.core import names
from steadfit.core.text import log_tail, mounting
from steadfit.core.types import Manifest

from .fleet import Fleet

_PULLING = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
_LONGEST = 512
_QUOTA = "exceeded quota: "
"""Part of the API server's message about a pod that a ResourceQuota does not allow."""


@dataclass(frozen=True, slots=True)
class PodMessage:
    """Message about a pod that is not ready.

    Attributes
    ----------
    text
        The message.
    failing
        Whether it reports a failure, and not a normal start.
    """

    text: str
    failing: bool


def _ended(subject: str, limit: str, state: Mapping[str, Any]) -> PodMessage:
    """Return the message about a terminated container."""
    if state.get("reason") == "OOMKilled":
        return PodMessage(f"{subject} was killed because it used more memory than {limit}", True)
    log = log_tail(str(state.get("message", "")))
    ended = f"{subject} ended with exit code {state.get('exitCode', 'unknown')}"
    return PodMessage(f"{ended}: {log}" if log else ended, True)


def _unpulled(image: str, waiting: Mapping[str, Any]) -> PodMessage:
    """Return the message about an image that cannot be pulled: one for the two reasons between which pods alternate."""
    detail = str(waiting.get("message", "")).removeprefix(f'Back-off pulling image "{image}"').lstrip(": ")
    detail = detail.removeprefix("ErrImagePull").lstrip(": ")[:_LONGEST]
    return PodMessage(f"image {image} cannot be pulled" + (f": {detail}" if detail else ""), True)


def _unmounted(pod: Manifest) -> PodMessage:
    """Return the message about a pod without a sandbox: for a second every one, and longer if a Secret is missing."""
    secrets = [volume["secret"]["secretName"] for volume in pod["spec"].get("volumes", []) if "secret" in volume]
    return PodMessage(mounting(secrets), False)


def _of_container(pod: Manifest, status: Mapping[str, Any]) -> PodMessage | None:
    if status.get("ready"):
        return None
    state, last = status.get("state", {}), status.get("lastState", {})
    is_server = status["name"] == names.SERVER_CONTAINER
    subject = "the server" if is_server else f"container {status['name']}"
    for ended in (state.get("terminated"), last.get("terminated")):
        if ended:
            return _ended(subject, "resources.limits.memory" if is_server else "its limit", ended)
    waiting = state.get("waiting", {})
    reason = waiting.get("reason")
    if reason in _PULLING:
        return _unpulled(status.get("image", ""), waiting)
    if reason == "ContainerCreating":
        conditions = {item["type"]: item["status"] for item in pod.get("status", {}).get("conditions", [])}
        if conditions.get("PodReadyToStartContainers") == "False":
            return _unmounted(pod)
        return PodMessage("the pod's container is being created", False)
    if waiting:
        return PodMessage(f"{reason}: {waiting.get('message', '')}".strip(": ")[:_LONGEST], True)
    return PodMessage("the server loads its model" if is_server else f"{subject} is not ready", False)


def _of_pod(pod: Manifest) -> PodMessage | None:
    status = pod.get("status", {})
    # A webhook may have added containers, and their order is any.
    found = [message for one in status.get("containerStatuses", []) if (message := _of_container(pod, one))]
    if found:
        return min(found, key=lambda message: not message.failing)
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return _unscheduled(condition)
    if status.get("phase") == "Failed":
        why = ": ".join(part for part in (status.get("reason"), status.get("message")) if part)
        return PodMessage(f"the pod failed: {why}"[:_LONGEST], True)
    return None if status.get("containerStatuses") else PodMessage("the pod is being started", False)


def _of_workload(workload: Manifest | None) -> PodMessage | None:
    """Return why a Deployment cannot create pods (quota, admission, a missing service account)."""
    for condition in (workload or {}).get("status", {}).get("conditions", []):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return PodMessage(f"pods cannot be created: {condition.get('message', '')}"[:_LONGEST], True)
    return None


def worst_message(workload: Manifest | None, pods: Iterable[Manifest]) -> PodMessage | None:
    """Return a message about the pods that are not ready, a failure first; None if all are ready."""
    messages = [message for message in (_of_workload(workload), *map(_of_pod, pods)) if message]
    return min(messages, key=lambda message: (not message.failing, message.text), default=None)


def lacks_room(revision: str, fleet: Fleet) -> str | None:
    """Return why a pod of a revision has no room, in a sentence: no node, or a full quota; None if all have."""
    found = fleet.workload(revision)
    message = _of_workload(found.manifest) if found else None
    if message is not None and _QUOTA in message.text:
        return message.text
    for pod in fleet.pods(revision):
        for condition in pod.get("status", {}).get("conditions", []):
            if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
                return _unscheduled(condition).text
    return None


def _unscheduled(condition: Mapping[str, Any]) -> PodMessage:
    return PodMessage(f"the pod cannot be scheduled: {condition.get('message', '')}"[:_LONGEST], True)


def of_revision(revision: str, fleet: Fleet) -> PodMessage | None:
    """Return a message about the pods of a revision that are not ready, a failure first; None if all are ready."""
    found = fleet.workload(revision)
    name = names.workload_name(fleet.observed.deployment.name, revision)
    if found is None and (refused := fleet.observed.refused_deployments.get(name)):
        return PodMessage(f"the API server refuses Deployment {name}: {refused}", True)
    return worst_message(found.manifest if found else None, fleet.pods(revision))
