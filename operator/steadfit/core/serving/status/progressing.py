"""The condition `Progressing`: what is rolled out, why the newest version is not, or that it is live.

It reads as that of a Deployment: `True` while a rollout makes progress and once it is complete, `False` while it is
prevented.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate, RevisionRef
from steadfit.core.conditions import READY, STALLED, DesiredCondition
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.rollout import canary, progress_deadline
from steadfit.core.serving.selection import not_rolled_out, pin
from steadfit.core.serving.selection.desired_revision import DesiredRevision
from steadfit.core.serving.stability import instability
from steadfit.core.serving.traffic import failover, service

from . import canary_conditions

PROGRESSING: Final = "Progressing"


def condition(
    readiness: Sequence[DesiredCondition],
    status: ModelDeploymentStatus,
    desired: DesiredRevision,
    fleet: Fleet,
    now: datetime,
) -> DesiredCondition:
    """Return the condition; before the first version it repeats `readiness`, the conditions `Ready` and its like."""
    live, candidate = status.live, status.candidate
    if candidate:
        return _of_candidate(candidate, status, desired, fleet, now)
    if desired.problem:
        return DesiredCondition(PROGRESSING, "False", desired.problem.reason, desired.problem.message)
    if live and _is_switching(live, status, fleet):
        return DesiredCondition(
            PROGRESSING, "True", "SwitchingTraffic", f"the Service is being pointed at version {live.number}"
        )
    if blocked := not_rolled_out.problem(status, fleet):
        return DesiredCondition(PROGRESSING, "False", blocked.reason, blocked.message)
    if live is None:
        ready = next(one for one in readiness if one.type == READY)
        stalled = any(one.type == STALLED for one in readiness)
        return DesiredCondition(PROGRESSING, "False" if stalled else "True", ready.reason, ready.message)
    if live.asked_inputs_digest:
        return DesiredCondition(
            PROGRESSING,
            "False",
            "OlderPodTemplate",
            f"version {live.number} is served with the pod template that it was proven with, and not with the"
            f" current spec.server; a Promote of version {live.number} rolls that out, and so does the next change of"
            " spec.server",
        )
    return _at_rest(live, status, fleet)


def _of_candidate(
    candidate: Candidate, status: ModelDeploymentStatus, desired: DesiredRevision, fleet: Fleet, now: datetime
) -> DesiredCondition:
    unstable = instability.of_candidate(candidate, status, desired, fleet, now)
    held = unstable is not None and unstable.blocks
    reason, message = canary_conditions.progress(candidate, fleet, held=held)
    ends = (
        progress_deadline.message(candidate, status, desired, fleet, now),
        canary.deadline_message(candidate, status, fleet, now),
    )
    message = "; ".join([message, *filter(None, ends)])
    if progress_deadline.is_exceeded(candidate, fleet, now):
        return DesiredCondition(PROGRESSING, "False", "ProgressDeadlineExceeded", message)
    return DesiredCondition(PROGRESSING, "True", reason, message)


def _at_rest(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> DesiredCondition:
    """Return that nothing newer waits, and who keeps the live version by a pin."""
    version, rest = f"version {live.number}", "no newer version waits"
    if pin.effective_pin(status, fleet) is not None:
        message = f"{version} is pinned by {pin.author(status)}, and {rest}"
        return DesiredCondition(PROGRESSING, "True", "Pinned", message)
    newest = max((one.spec.number for one in fleet.versions.of_artifact(live.digest)), default=live.number)
    same = f" with the artifact of version {newest}" if newest > live.number else ""
    return DesiredCondition(PROGRESSING, "True", "NewestLive", f"{version} is live{same}, and {rest}")


def _is_switching(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether the operator is about to point the Service at the live revision."""
    deployment, found = fleet.observed.deployment, fleet.observed.service
    if service.taken(status, fleet) or failover.answering(status, fleet):
        return False
    return service.selected_revision(deployment, found) != live.revision
