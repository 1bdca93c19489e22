"""The progress deadline: how long the pods of a candidate may take to become ready, at its start and its promotion.

The share of its traffic may be out of force for as long in each step, in sum.

A candidate that misses it is abandoned, so that it neither keeps half of the traffic nor holds back runs for ever. It
is kept where nothing better serves (the first version, the last one that a rollback can go back to, one that finds no
room beside the only pod that answers, one that answers in place of a live revision without ready pods, or waits for
them) or where a person has decided (a pin); the status then names the next step.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from steadfit.api.base import parse_duration
from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.rollout import Candidate
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.pod_messages import lacks_room
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.revisions import refresh
from steadfit.core.serving.selection import abandoned, going_back
from steadfit.core.serving.selection.desired_revision import DesiredRevision
from steadfit.core.serving.traffic import failover, pod_shares, share_in_force
from steadfit.core.text import time_text

from . import canary_start

BY = "progressDeadline"
CORRECT = "correct spec.server or the model"
ROOM = "add a node or raise the quota"
_NO_END = ("ScaledToZero", "ServiceNotOwned")
BOUND = ("Starting", "Promoting")
"""The phases that end when pods are ready. The others end by verdicts (`canary.py`) or by a person."""


def enforce(
    before: Candidate | None,
    status: ModelDeploymentStatus,
    desired: DesiredRevision,
    fleet: Fleet,
    now: datetime,
) -> ModelDeploymentStatus:
    """Return the status with the beginning of the candidate's phase, or without the candidate after its deadline.

    `before` is the candidate as it was before its next move.
    """
    candidate = status.candidate
    if candidate is None:
        return status
    candidate = candidate.model_copy(update=_clocks(before, candidate, fleet, now))
    status = status.model_copy(update={"candidate": candidate})
    if not is_exceeded(candidate, fleet, now) or next_step(status, desired, fleet, now):
        return status
    longest = fleet.observed.deployment.spec.progress_deadline
    reason = f"its pods were not ready within {longest}: {candidate.message}"
    if candidate.stopped_by == "NotInForce" and (problem := share_in_force.problem(candidate, fleet)):
        reason = f"its share of the traffic was not in force within {longest}: {problem.message}"
    after = abandoned.enter(status, candidate, reason=reason, by=BY, now=now, while_going_back=desired.goes_back)
    return after.model_copy(update={"promoted": None})


def ends(candidate: Candidate, deployment: ModelDeployment) -> datetime | None:
    """Return when the pods of a candidate have to be ready, or its share in force; None while neither is waited for."""
    if candidate.stopped_by == "NotInForce" and candidate.phase == "Analysing" and candidate.stopped_since is not None:
        left = parse_duration(deployment.spec.progress_deadline) - timedelta(seconds=candidate.not_in_force_seconds)
        return candidate.stopped_since + left
    if candidate.phase not in BOUND or candidate.phase_since is None or candidate.stopped_by in _NO_END:
        return None
    return candidate.phase_since + parse_duration(deployment.spec.progress_deadline)


def is_exceeded(candidate: Candidate, fleet: Fleet, now: datetime) -> bool:
    """Return whether the deadline of a candidate has passed; a promoted one with all of its pods waits for verdicts."""
    end = ends(candidate, fleet.observed.deployment)
    waits_for_verdicts = candidate.phase == "Promoting" and pod_shares.all_ready(candidate, fleet)
    return end is not None and now >= end and not waits_for_verdicts


def next_step(status: ModelDeploymentStatus, desired: DesiredRevision, fleet: Fleet, now: datetime) -> str:
    """Return what a person does about a candidate that is kept after its deadline; empty for one that is abandoned."""
    candidate = status.candidate
    has_room = candidate is None or lacks_room(candidate.revision, fleet) is None
    if desired.pinned and not (candidate and refresh.brings(candidate.revision, status)):
        return f"{CORRECT if has_room else ROOM}, or unpin the version"
    if status.live is None:
        return CORRECT if has_room else ROOM
    if desired.goes_back or is_quarantined(status.live, status, fleet):
        if not has_room and fleet.desired_replicas == 1:
            # An older version would find no room either, and the only pod that answers cannot be given up.
            return f"{ROOM}, or set spec.server.replicas to 0 and back, which leaves no pod to answer in between"
        if candidate and going_back.best(status, fleet, now, excluding={candidate.digest}).revision:
            return ""
        return f"{'correct spec.server' if has_room else ROOM}, or name another version with a Rollback"
    if candidate is None:
        return ""
    if canary_start.waits_for_champion(status, fleet) or failover.stand_in(status, fleet) == candidate.revision:
        return f"correct the pods of version {status.live.number}, or Promote version {candidate.number}"
    return ""


def message(
    candidate: Candidate, status: ModelDeploymentStatus, desired: DesiredRevision, fleet: Fleet, now: datetime
) -> str:
    """Return what happens at the deadline, or what a person does after it; empty without one."""
    end, help_ = ends(candidate, fleet.observed.deployment), next_step(status, desired, fleet, now)
    if end is None or (candidate.phase == "Promoting" and pod_shares.all_ready(candidate, fleet)):
        return ""
    if canary_start.waits_for_champion(status, fleet):
        return help_
    if not help_:
        return f"it is abandoned at {time_text(end)}"
    longest = fleet.observed.deployment.spec.progress_deadline
    return f"its pods were not ready within {longest}: {help_}" if now >= end else ""


def due(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> datetime | None:
    """Return when the deadline of the candidate passes; None without one, or after it."""
    end = ends(status.candidate, fleet.observed.deployment) if status.candidate else None
    return end if end and end > now else None


def _clocks(before: Candidate | None, candidate: Candidate, fleet: Fleet, now: datetime) -> dict[str, object]:
    """Return the candidate's clocks: those of before its move, a new one for a phase that is not the stored one."""
    if before is None or before.revision != candidate.revision:
        return {"phase_since": now}
    stored = fleet.observed.deployment.status.candidate
    begun = before.phase_since if stored is not None and stored.phase == candidate.phase else None
    return {
        "phase_since": begun or now,
        "stopped_by": before.stopped_by,
        "stopped_since": before.stopped_since,
        "not_in_force_seconds": before.not_in_force_seconds if before.step == candidate.step else 0,
    }
