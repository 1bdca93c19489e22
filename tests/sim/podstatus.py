"""Pod and container statuses as a kubelet writes them; the shapes were read from a Kubernetes 1.34."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .objects import JSON

IMAGE_DIGEST = "sha256:" + "ab" * 32


def waiting(reason: str, message: str = "") -> JSON:
    """Return the state of a container that waits."""
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def running(since: str) -> JSON:
    """Return the state of a container that runs."""
    return {"running": {"startedAt": since}}


def terminated(since: str, until: str, code: int, reason: str, message: str = "") -> JSON:
    """Return the state of a container that has ended."""
    state: JSON = {
        "exitCode": code,
        "reason": reason,
        "startedAt": since,
        "finishedAt": until,
        "containerID": "containerd://" + "cd" * 32,
    }
    if message:
        state["message"] = message
    return {"terminated": state}


def container(name: str, image: str, state: Mapping[str, Any], *, restarts: int = 0, last: JSON | None = None) -> JSON:
    """Return the status of one container."""
    phase = next(iter(state))
    seen = phase != "waiting" or last is not None
    done = phase == "terminated" and state["terminated"]["exitCode"] == 0
    return {
        "name": name,
        "image": image,
        "imageID": f"{image.partition('@')[0]}@{IMAGE_DIGEST}" if seen else "",
        "ready": done,
        "started": phase == "running",
        "restartCount": restarts,
        "state": dict(state),
        "lastState": last or {},
    }


def condition(type_: str, status: bool, at: str, reason: str = "", message: str = "") -> JSON:
    """Return a pod condition."""
    found: JSON = {
        "type": type_,
        "status": "True" if status else "False",
        "lastProbeTime": None,
        "lastTransitionTime": at,
    }
    if reason:
        found["reason"] = reason
    if message:
        found["message"] = message
    return found


def unscheduled(at: str, why: str) -> JSON:
    """Return the status of a pod that no node takes."""
    return {
        "phase": "Pending",
        "qosClass": "Burstable",
        "conditions": [condition("PodScheduled", False, at, "Unschedulable", why)],
    }


def status(
    phase: str,
    at: str,
    init: Sequence[JSON],
    containers: Sequence[JSON],
    *,
    ready: bool = False,
    extra: Sequence[JSON] = (),
    reason: str = "",
    message: str = "",
) -> JSON:
    """Return the status of a pod that has a node."""
    started = any(next(iter(one["state"])) != "waiting" for one in (*init, *containers))
    initialized = all(one["ready"] for one in init)
    found: JSON = {
        "phase": phase,
        "qosClass": "Burstable",
        "hostIP": "172.18.0.2",
        "startTime": at,
        "conditions": [
            condition("PodReadyToStartContainers", started, at),
            condition("Initialized", initialized, at, "" if initialized else "ContainersNotInitialized"),
            condition("Ready", ready, at, "" if ready else "ContainersNotReady"),
            condition("ContainersReady", ready, at, "" if ready else "ContainersNotReady"),
            condition("PodScheduled", True, at),
            *extra,
        ],
        "containerStatuses": list(containers),
    }
    if init:
        found["initContainerStatuses"] = list(init)
    if reason:
        found |= {"reason": reason, "message": message}
    return found
