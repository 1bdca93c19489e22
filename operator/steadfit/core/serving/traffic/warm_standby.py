"""Warm standby: the last good revision keeps pods for a while, so that a rollback starts none.

This needs pods that can drain, whatever server image the spec has now: otherwise clients with keep-alive connections
would stay with the old pods and never reach the version that serves.

Warm pods come after all others. A PriorityClass could not say so: the priority of a pod is fixed when it is created,
and pods become warm, and live again, while they run. So they yield: when a pod of the live revision or of a candidate
has no room, all of them end at once, and do not come back for this revision.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.base import parse_duration
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef, WarmRelease
from steadfit.core.serving import permitted
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.pod_messages import lacks_room
from steadfit.core.serving.quarantine import is_quarantined

from . import drain, failover, service, traffic_label


def revision(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> RevisionRef | None:
    """Return the last good revision while it keeps warm pods; else None."""
    live, last_good, release = status.live, status.last_good, status.warm_release
    if live is None or last_good is None or not permitted.may_stand_in(last_good, status, fleet):
        return None
    if fleet.observed.deployment.spec.warm.replicas == 0 or (release and release.revision == last_good.revision):
        return None
    end = _end(status, fleet)
    if end is None or now >= end:
        return None
    found = fleet.workload(last_good.revision)
    if found is None or found.deleting or not drain.can_drain(found):
        return None
    return None if traffic_label.has_label(found, live.revision) and _is_shared(live, status, fleet) else last_good


def pods(fleet: Fleet) -> int:
    """Return the number of warm pods: those of the spec, and never more than the live revision has."""
    replicas = fleet.observed.deployment.spec.warm.replicas
    return fleet.desired_replicas if replicas is None else min(replicas, fleet.desired_replicas)


def release(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status in which warm pods have yielded to pods without room, or in which that is over.

    Pods that answer do not yield: those that the Service selects, and those that are about to stand in for the live
    revision.
    """
    stored, last_good, end = status.warm_release, status.last_good, _end(status, fleet)
    if stored and last_good and end and stored.revision == last_good.revision and now < end:
        return status
    status = status.model_copy(update={"warm_release": None})
    warm = revision(status, fleet, now)
    found = fleet.workload(warm.revision) if warm else None
    if warm is None or found is None or found.replicas == 0:
        return status
    answering = service.taking_traffic(fleet) | {failover.stand_in(status, fleet)}
    reason = _lack_of_room(warm, status, fleet)
    if reason is None or warm.revision in answering:
        return status
    return status.model_copy(update={"warm_release": WarmRelease(revision=warm.revision, reason=reason, at=now)})


def ends(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> datetime | None:
    """Return when the warm standby, or the record that it has yielded, ends; None without one."""
    return _end(status, fleet) if status.warm_release or revision(status, fleet, now) else None


def _end(status: ModelDeploymentStatus, fleet: Fleet) -> datetime | None:
    """Return until when the last good revision keeps warm pods; None without a live revision."""
    spec, live = fleet.observed.deployment.spec, status.live
    return live.since + parse_duration(spec.warm.for_ or spec.bake_duration) if live else None


def _lack_of_room(warm: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> str | None:
    """Return which pods have no room, and why; None if all pods of the live revision and the candidate have."""
    for ref in (status.live, status.candidate):
        if ref is None or ref.revision == warm.revision or is_quarantined(ref, status, fleet):
            continue
        if why := lacks_room(ref.revision, fleet):
            return f"version {ref.number}: {why}"
    return None


def _is_shared(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a canary shares the live revision's traffic: pods of a former canary would get a share too."""
    observed, candidate = fleet.observed, status.candidate
    has_canary = candidate is not None and candidate.champion_revision == live.revision
    return has_canary or service.shared(observed.deployment, observed.service) == live.revision
