"""Failures of server pods that the status remembers: exits of the server, and losses of readiness.

Only what the server does itself counts, after it was ready: it ends (also by its memory limit or its liveness probe),
or its readiness probe fails while it runs. A pod that is deleted, evicted, preempted or drained counts for nothing. Nor
does a node that is lost or restarts, of which the state of the container says nothing. A server that was never ready is
left to the progress deadline.

Kubelets write times by the clocks of their nodes. What the operator saw come has happened when it came, whatever
time it bears: no failure is dropped, or forgotten early, for the clock of a node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate, PodFailure, RevisionRef
from steadfit.core import names
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.traffic import drain
from steadfit.core.status_texts import LAST_WORDS
from steadfit.core.text import cut, log_tail, read_time
from steadfit.core.times_ahead import SKEW
from steadfit.core.types import Manifest, PodTimes

DAY = timedelta(hours=24)
MAX_ENTRIES = 12
"""Failures of one revision, the newest: so many within an hour decide whatever came before (`instability.py`)."""
NOT_READY: Final = "NotReady"
_OF_THE_NODE = ("Unknown", "ContainerStatusUnknown")
"""Reasons of a container that the kubelet found gone, as after a restart of its node."""


def record(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status with the failures that the pods show, and without those of more than 24 hours ago."""
    refs = {ref.revision: ref for ref in (status.last_good, status.candidate, status.live) if ref}
    entries = [one for one in status.pod_failures if one.at + DAY > now]
    unready: set[str] = set()
    for pod in fleet.observed.pods:
        ref = refs.get(pod["metadata"].get("labels", {}).get(names.REVISION, ""))
        server = _server(pod) if ref else None
        if ref is None or server is None or _is_disrupted(pod):
            continue
        times = fleet.observed.pod_times.get(pod["metadata"].get("uid", "")) or PodTimes(first_seen=now)
        for failure in _failures(pod, server, ref, times):
            if failure.at + DAY <= now:
                continue
            if failure.exit_code is None:
                unready.add(failure.container)
            if not _is_known(failure, entries) and fleet.changed_field(ref.revision) is None:
                # An exit replaces the loss of readiness that it has ended.
                entries = [one for one in entries if one.container != failure.container or not is_open(one)]
                entries.append(failure)
    entries = bounded(
        [
            one.model_copy(update={"until": now}) if is_open(one) and one.container not in unready else one
            for one in entries
        ]
    )
    return status if entries == status.pod_failures else status.model_copy(update={"pod_failures": entries})


def is_open(failure: PodFailure) -> bool:
    """Return whether a server has lost its readiness and is not ready yet."""
    return failure.exit_code is None and failure.until is None


def _server(pod: Manifest) -> Mapping[str, Any] | None:
    """Return the status of the server's container; None of one that has always been ready, or has not started."""
    for container in pod.get("status", {}).get("containerStatuses", ()):
        if container["name"] == names.SERVER_CONTAINER:
            stays = container.get("ready") and not container.get("restartCount")
            return None if stays else container
    return None


def _is_disrupted(pod: Manifest) -> bool:
    """Return whether a pod ends, or has ended, by the cluster or by the operator: it is deleted, evicted or drained."""
    metadata, status = pod["metadata"], pod["status"]
    if "deletionTimestamp" in metadata or status.get("phase") in ("Failed", "Succeeded"):
        return True
    if metadata.get("annotations", {}).get(names.DRAIN_ANNOTATION) == drain.DRAINING:
        return True
    return _condition(pod, "DisruptionTarget").get("status") == "True"


def _failures(pod: Manifest, server: Mapping[str, Any], ref: RevisionRef, times: PodTimes) -> Iterator[PodFailure]:
    """Yield the last exit of a server that was ready, and the loss of readiness of one that runs."""
    state = server.get("state", {})
    ended = state.get("terminated") or server.get("lastState", {}).get("terminated")
    name, revision = pod["metadata"]["name"], ref.revision
    at = _happened(read_time(ended.get("finishedAt")), times.exit_seen, times, pod) if ended else None
    if ended and at and _is_own(pod, server, ended, ref, at):
        yield PodFailure(
            revision=revision,
            pod=name,
            container=ended.get("containerID", ""),
            reason=cut(ended.get("reason") or "Error", 64),
            exit_code=ended.get("exitCode", 0),
            message=cut(log_tail(str(ended.get("message", ""))), LAST_WORDS),
            at=at,
        )
    if "running" in state and (lost := _lost_readiness_at(pod, server, state["running"])):
        container, at = server.get("containerID", ""), _happened(lost, times.readiness_seen, times, pod)
        yield PodFailure(revision=revision, pod=name, container=container, reason=NOT_READY, at=at)


def _happened(at: datetime | None, seen: datetime | None, times: PodTimes, pod: Manifest) -> datetime:
    """Return when something happened to a pod: by the clock of its node if that agrees with what the operator saw.

    What it saw come has happened then. What the pod showed from the first has happened in the life of the pod.
    """
    if seen is not None:
        return at if at is not None and abs(at - seen) <= SKEW else seen
    created = read_time(pod["metadata"].get("creationTimestamp"))
    return min(max(at or times.first_seen, created or times.first_seen - DAY), times.first_seen)


def _is_own(pod: Manifest, server: Mapping[str, Any], ended: Mapping[str, Any], ref: RevisionRef, at: datetime) -> bool:
    """Return whether a container ended by itself after it had been ready.

    While the next one starts, the pod's condition says so. If that moment was missed, what counts is a pod that was
    among the ready ones with which its revision took traffic.
    """
    if ended.get("reason") in _OF_THE_NODE:
        return False
    if not server.get("ready"):
        return _lost_readiness_at(pod, server, ended) is not None
    complete = ref.analysed_since if isinstance(ref, Candidate) else ref.since
    created = read_time(pod["metadata"].get("creationTimestamp"))
    return bool(complete and created and created <= complete < at)


def _lost_readiness_at(pod: Manifest, server: Mapping[str, Any], run: Mapping[str, Any]) -> datetime | None:
    """Return when a server lost its readiness after a run of its container had begun; None if it did not."""
    ready = _condition(pod, "Ready")
    began, lost = read_time(run.get("startedAt")), read_time(ready.get("lastTransitionTime"))
    if server.get("ready") or ready.get("status") != "False" or began is None or lost is None:
        return None
    return lost if lost > began else None


def _condition(pod: Manifest, kind: str) -> Mapping[str, Any]:
    return next((one for one in pod["status"].get("conditions", ()) if one["type"] == kind), {})


def _is_known(failure: PodFailure, entries: list[PodFailure]) -> bool:
    same = [one for one in entries if one.container == failure.container]
    if failure.exit_code is None:
        return any(map(is_open, same))
    return any(one.exit_code is not None for one in same)


def bounded(entries: Sequence[PodFailure]) -> list[PodFailure]:
    """Return the newest failures of each revision, by time; what lasts is dropped last."""
    kept = sorted(entries, key=lambda one: (one.at, one.pod))
    for revision in {one.revision for one in kept}:
        own = sorted((one for one in kept if one.revision == revision), key=is_open)
        for one in own[: max(0, len(own) - MAX_ENTRIES)]:
            kept.remove(one)
    return kept
