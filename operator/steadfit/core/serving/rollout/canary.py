"""A canary: the candidate takes a growing share of the traffic beside the champion while it is shown to be good.

Starting, its pods of the first step come up. Analysing, it takes traffic and is judged; each step ends when every
metric passes and its pause is over. Promoting, it was let through and gets all of its pods. A metric that fails puts it
into quarantine; without a verdict for too long it is given up, or waits for a person. No data decides nothing.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.base import parse_duration
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate, RevisionRef
from steadfit.api.strategy import Canary
from steadfit.core.serving import quarantine
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.selection import abandoned
from steadfit.core.serving.selection.desired_revision import DesiredRevision
from steadfit.core.serving.traffic import pod_shares

from . import analysis, canary_start
from . import canary_messages as messages

BY = "analysis"


def strategy(status: ModelDeploymentStatus, desired: DesiredRevision, fleet: Fleet) -> Canary | None:
    """Return the canary that the wished revision has to go through, if it has to.

    A pin and a promotion are a person's word, and what was good before, or replaces what was rolled back, is not tried
    anew. A champion without ready pods lets nothing unjudged take its place either; that takes a person's word.
    """
    spec, live, wished = fleet.observed.deployment.spec.strategy, status.live, desired.revision
    if spec is None or spec.canary is None or wished is None or live is None:
        return None
    if desired.pinned or desired.promoted_by or is_quarantined(live, status, fleet):
        return None
    if status.last_good and wished.revision == status.last_good.revision:
        return None
    return spec.canary


def is_promoted(status: ModelDeploymentStatus, wished: RevisionRef) -> bool:
    """Return whether the wished revision may become live: it was let through, beside what is still live."""
    candidate, live = status.candidate, status.live
    return (
        candidate is not None
        and live is not None
        and candidate.revision == wished.revision
        and candidate.phase == "Promoting"
        and candidate.champion_revision == live.revision
    )


def advance(
    status: ModelDeploymentStatus, wished: RevisionRef, steps: Canary, fleet: Fleet, now: datetime
) -> ModelDeploymentStatus:
    """Return the status after the next step of the wished revision beside what is live."""
    live = status.live
    if live is None:
        return status
    candidate = canary_start.update_candidate(status.candidate, wished, live, steps)
    if candidate.analysed_since is None:
        return _placed(status, canary_start.begin_analysis(candidate, live, fleet, now), fleet)
    if candidate.step_since is None and pod_shares.all_ready(candidate, fleet):
        candidate = candidate.model_copy(update={"step_since": now})
    return _judged(status, candidate, live, steps, fleet, now)


def due(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> datetime | None:
    """Return when a pause ends, or the time without a verdict."""
    candidate = status.candidate
    if candidate is None or candidate.phase != "Analysing":
        return None
    ends = [_deadline(candidate, fleet)]
    spec = fleet.observed.deployment.spec.strategy
    if spec and spec.canary and candidate.step is not None and candidate.step < len(spec.canary.steps):
        ends.append(_pause_end(candidate, spec.canary))
    return min((end for end in ends if end and end > now), default=None)


def _judged(
    status: ModelDeploymentStatus,
    candidate: Candidate,
    live: RevisionRef,
    steps: Canary,
    fleet: Fleet,
    now: datetime,
) -> ModelDeploymentStatus:
    """Return the status after a look at a candidate that takes traffic."""
    spec = fleet.observed.deployment.spec
    finding = analysis.judge(fleet.observed.deployment, candidate, fleet.observed.compared, now)
    candidate = candidate.model_copy(update={"verdicts": finding.verdicts})
    if finding.outcome == "Fail" and not spec.dry_run:
        reason = messages.failed(candidate, live, finding, fleet)
        return quarantine.enter(status, bad=candidate, good=live, reason=reason, by=BY, now=now).model_copy(
            update={"candidate": None}
        )
    if finding.outcome == "Fail":
        return _placed(status, _said(candidate, "Paused", messages.only_told(finding)), fleet)
    passed = finding.outcome == "Pass" and candidate.step_since is not None
    deadline = _deadline(candidate, fleet)
    late = deadline is not None and now >= deadline
    if late and candidate.phase == "Paused":
        return _placed(status, _said(candidate, "Paused", messages.paused(finding, spec.analysis.max_duration)), fleet)
    if passed:
        candidate = candidate.model_copy(update={"undecided_since": None})
    elif candidate.undecided_since is None:
        candidate = candidate.model_copy(update={"undecided_since": now})
    elif late:
        if spec.analysis.on_inconclusive == "Pause":
            return _placed(
                status, _said(candidate, "Paused", messages.paused(finding, spec.analysis.max_duration)), fleet
            )
        reason = messages.without_verdict(finding, spec.analysis.max_duration)
        return abandoned.enter(status, candidate, reason=reason, by=BY, now=now)
    pause = _pause_end(candidate, steps)
    if passed and (pause is None or now >= pause):
        return _placed(status, _next(candidate, steps), fleet)
    return _placed(status, _said(candidate, "Analysing", messages.waits(candidate, finding, pause, fleet)), fleet)


def _next(candidate: Candidate, steps: Canary) -> Candidate:
    """Return the candidate at the next step, which counts from when its pods are ready, or let through."""
    step = (candidate.step or 0) + 1
    if step >= len(steps.steps):
        return candidate.model_copy(update={"phase": "Promoting", "message": messages.LET_THROUGH})
    weight = steps.steps[step].weight
    return candidate.model_copy(
        update={"step": step, "weight": weight, "step_since": None, "message": messages.NEXT_STEP}
    )


def _said(candidate: Candidate, phase: str, message: str) -> Candidate:
    return candidate.model_copy(update={"phase": phase, "message": message})


def _placed(status: ModelDeploymentStatus, candidate: Candidate, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status with the candidate and the share of the traffic that its pods are given."""
    share = pod_shares.share(candidate, fleet.observed.deployment)
    return status.model_copy(update={"candidate": candidate.model_copy(update={"actual_weight": share})})


def _pause_end(candidate: Candidate, steps: Canary) -> datetime | None:
    pause = steps.steps[candidate.step or 0].pause
    return candidate.step_since + parse_duration(pause) if pause and candidate.step_since else None


def _deadline(candidate: Candidate, fleet: Fleet) -> datetime | None:
    """Return until when there has to be a verdict; what has one, and waits for a pause, has as long as that takes."""
    longest = parse_duration(fleet.observed.deployment.spec.analysis.max_duration)
    return candidate.undecided_since + longest if candidate.undecided_since else None
