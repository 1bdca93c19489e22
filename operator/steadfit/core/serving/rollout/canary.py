"""A canary: the candidate takes a growing share of the traffic beside the champion while its metrics pass.

Starting: the pods of the first step come up. Analysing: it takes traffic and its metrics are tested; a step ends when
every metric passes and its pause is over. Promoting: it has passed and gets all of its pods; its metrics are tested
until it is live. If a metric fails, it is rolled back and quarantined; a dry run pauses it while the metric fails.
Without a verdict within maxDuration it is, by onInconclusive, abandoned, paused until a person decides, or promoted if
nothing speaks against it. Missing data decide nothing. A candidate that answers alone, as no pod of the champion is
ready, is not abandoned for want of a verdict.
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
from steadfit.core.serving.revisions import refresh
from steadfit.core.serving.selection import abandoned, served
from steadfit.core.serving.selection.desired_revision import DesiredRevision
from steadfit.core.serving.stability.instability import Instability
from steadfit.core.serving.traffic import failover, pod_shares, service, share_in_force

from . import analysis, canary_start, clocks
from . import canary_messages as messages
from .analysis import Finding
from .going_live import go_live

BY = "analysis"


def strategy(status: ModelDeploymentStatus, desired: DesiredRevision, fleet: Fleet) -> Canary | None:
    """Return the canary that the desired revision has to pass; None if it takes over without one.

    Pinned and promoted revisions need none, nor does the last good one, nor the successor of one that was rolled back,
    nor what was let through beside one that was only pinned. A Refresh of a pinned version needs one: the pin has
    chosen the model, and not these pods.
    A champion without ready pods is no exception: only a person can replace it without a verdict.
    """
    spec, live, ref = fleet.observed.deployment.spec.strategy, status.live, desired.revision
    if spec is None or spec.canary is None or ref is None or live is None:
        return None
    if desired.promoted_by or is_quarantined(live, status, fleet):
        return None
    if desired.pinned and not refresh.brings(ref.revision, status):
        return None
    if served.is_let_through(ref, status):
        last_good = status.last_good is not None and ref.revision == status.last_good.revision
        if last_good or not served.is_let_through(live, status):
            return None
    return spec.canary


def advance(
    status: ModelDeploymentStatus,
    desired: RevisionRef,
    steps: Canary,
    unstable: Instability | None,
    fleet: Fleet,
    now: datetime,
) -> ModelDeploymentStatus:
    """Return the status after the next move of the desired revision through its canary beside the live one.

    `unstable` is what its servers' failures say; what they fail has ended before, except in a dry run.
    """
    live = status.live
    if live is None:
        return status
    candidate = canary_start.update_candidate(status.candidate, desired, live, steps)
    if candidate.analysed_since is None:
        candidate = canary_start.begin_analysis(candidate, live, status, unstable, fleet, now)
        return _with_candidate(status, candidate, fleet)
    if candidate.step_since is None and share_in_force.holds(candidate, fleet):
        candidate = candidate.model_copy(update={"step_since": now})
    finding = analysis.judge(fleet.observed.deployment, candidate, fleet.observed.compared, now)
    return _analyse(status, candidate, live, steps, analysis.with_stability(finding, unstable), fleet, now)


def due(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> datetime | None:
    """Return when a pause, or the time to get a verdict, ends, or moved numbers are written; None if none runs."""
    candidate = status.candidate
    if candidate is None or candidate.phase == "Starting":
        return None
    ends = [analysis.refresh_due(candidate, fleet.observed.compared, now)]
    if candidate.phase != "Paused":
        ends.append(_deadline(candidate, fleet))
    spec = fleet.observed.deployment.spec.strategy
    steps = len(spec.canary.steps) if spec and spec.canary and candidate.phase == "Analysing" else 0
    if spec and spec.canary and candidate.step is not None and candidate.step < steps:
        ends.append(_pause_end(candidate, spec.canary))
    return min((end for end in ends if end and end > now), default=None)


def deadline_message(candidate: Candidate, status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> str:
    """Return when the time to get a verdict ends, and what follows; empty while none runs."""
    deadline = _deadline(candidate, fleet)
    if deadline is None or now >= deadline or candidate.phase not in ("Analysing", "Promoting"):
        return ""
    if candidate.promoted_by is not None or failover.stand_in(status, fleet) == candidate.revision:
        return ""
    return messages.at_deadline(deadline, fleet.observed.deployment.spec.analysis.on_inconclusive)


def _answering_alone(
    status: ModelDeploymentStatus, candidate: Candidate, live: RevisionRef, fleet: Fleet
) -> ModelDeploymentStatus:
    """Return the status while no pod of the champion is ready and no verdict decides: the candidate stays."""
    candidate = candidate.model_copy(update={"message": messages.answering_alone(candidate, live)})
    return _with_candidate(status, candidate, fleet)


def _analyse(
    status: ModelDeploymentStatus,
    candidate: Candidate,
    live: RevisionRef,
    steps: Canary,
    finding: Finding,
    fleet: Fleet,
    now: datetime,
) -> ModelDeploymentStatus:
    """Return the status after the analysis of a candidate that takes traffic."""
    spec = fleet.observed.deployment.spec
    candidate = candidate.model_copy(update={"verdicts": finding.verdicts})
    if finding.outcome == "Fail" and not spec.dry_run:
        reason = messages.failed(candidate, live, finding, fleet)
        return quarantine.enter(status, bad=candidate, good=live, reason=reason, by=BY, now=now).model_copy(
            update={"candidate": None}
        )
    if finding.outcome == "Fail":
        # It is a verdict: the time without one begins anew.
        candidate = candidate.model_copy(update={"inconclusive_since": None})
        return _with_candidate(status, _in_phase(candidate, "Paused", messages.dry_run(finding)), fleet)
    if failover.stand_in(status, fleet) == candidate.revision:
        if finding.outcome != "Pass" or _waits_for_person(candidate, fleet, now):
            return _answering_alone(status, candidate, live, fleet)
        if candidate.phase != "Promoting":
            # It has all of the traffic already.
            return _with_candidate(status, _promoted(candidate), fleet)
    holds = candidate.step_since is not None and candidate.stopped_by not in clocks.OUT_OF_FORCE
    stands = fleet.desired_replicas > 0 and (holds or candidate.phase == "Promoting")
    passed = finding.outcome == "Pass" and stands
    deadline = _deadline(candidate, fleet)
    late = deadline is not None and now >= deadline
    paused = _in_phase(candidate, "Paused", messages.paused(finding, spec.analysis.max_duration))
    if _waits_for_person(candidate, fleet, now):
        return _with_candidate(status, paused, fleet)
    if passed:
        candidate = candidate.model_copy(update={"inconclusive_since": None})
    elif candidate.inconclusive_since is None:
        candidate = candidate.model_copy(update={"inconclusive_since": now})
    elif late:
        if spec.analysis.on_inconclusive == "Pause":
            return _with_candidate(status, paused, fleet)
        if spec.analysis.on_inconclusive != "Promote" or finding.against or not stands:
            reason = messages.without_verdict(finding, spec.analysis.max_duration)
            return abandoned.enter(status, candidate, reason=reason, by=BY, now=now)
        if candidate.phase == "Analysing":
            message = messages.nothing_against(spec.analysis.max_duration)
            return _with_candidate(status, _in_phase(candidate, "Promoting", message), fleet)
    if candidate.phase == "Promoting":
        return _promote(status, candidate, finding, fleet, now, waived=late and not passed)
    pause = _pause_end(candidate, steps)
    if passed and (pause is None or now >= pause):
        return _with_candidate(status, _next(candidate, steps), fleet)
    message = messages.waiting(candidate, finding, pause, fleet)
    return _with_candidate(status, _in_phase(candidate, "Analysing", message), fleet)


def _promote(
    status: ModelDeploymentStatus, candidate: Candidate, finding: Finding, fleet: Fleet, now: datetime, *, waived: bool
) -> ModelDeploymentStatus:
    """Return the status with a promoted candidate live, or with what it waits for: its pods, and metrics that pass.

    The verdicts that it goes live by are those of the stored status. `waived` is whether it needs none by
    onInconclusive.
    """
    stored = status.candidate.verdicts if status.candidate else []
    passes = finding.outcome == "Pass" and all(verdict.verdict == "Pass" for verdict in stored)
    if (passes or waived) and pod_shares.all_ready(candidate, fleet) and not service.taken(status, fleet):
        return go_live(status, candidate, fleet, now)
    message = messages.promoting(candidate, finding, status, fleet)
    return _with_candidate(status, candidate.model_copy(update={"message": message}), fleet)


def _next(candidate: Candidate, steps: Canary) -> Candidate:
    """Return the candidate at its next step, or promoted after the last one; a step starts when its pods are ready."""
    step = (candidate.step or 0) + 1
    if step >= len(steps.steps):
        return _promoted(candidate)
    weight = steps.steps[step].weight
    started = candidate.model_copy(update={"step": step, "weight": weight, "step_since": None})
    return _in_phase(started, "Analysing", messages.NEXT_STEP)


def _promoted(candidate: Candidate) -> Candidate:
    return candidate if candidate.phase == "Promoting" else _in_phase(candidate, "Promoting", messages.PROMOTED)


def _in_phase(candidate: Candidate, phase: str, message: str) -> Candidate:
    return candidate.model_copy(update={"phase": phase, "message": message})


def _with_candidate(status: ModelDeploymentStatus, candidate: Candidate, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status with the candidate and its actual share of the traffic."""
    share = share_in_force.share(candidate, fleet)
    return status.model_copy(update={"candidate": candidate.model_copy(update={"actual_weight": share})})


def _pause_end(candidate: Candidate, steps: Canary) -> datetime | None:
    pause = steps.steps[candidate.step or 0].pause
    return candidate.step_since + parse_duration(pause) if pause and candidate.step_since else None


def _deadline(candidate: Candidate, fleet: Fleet) -> datetime | None:
    """Return when the time to get a verdict ends; None while every metric passes, and while no time counts."""
    longest = parse_duration(fleet.observed.deployment.spec.analysis.max_duration)
    begun = None if candidate.stopped_by else candidate.inconclusive_since
    return begun + longest if begun else None


def _waits_for_person(candidate: Candidate, fleet: Fleet, now: datetime) -> bool:
    """Return whether a candidate is paused for want of a verdict, also while no time counts; not for a dry run."""
    begun, deadline = candidate.inconclusive_since, _deadline(candidate, fleet)
    if candidate.phase != "Paused" or begun is None:
        return False
    return deadline is None or now >= deadline
