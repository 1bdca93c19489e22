"""A rollout: the desired revision comes up beside the live one and becomes live once all of its pods are ready.

With a canary it has to be promoted first.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate, RevisionRef
from steadfit.core.serving import quarantine
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.selection import abandoned, served
from steadfit.core.serving.selection.desired_revision import DesiredRevision
from steadfit.core.serving.stability import instability
from steadfit.core.serving.traffic import partial_rollback, service, share_in_force

from . import canary, canary_start, clocks, progress_deadline
from .going_live import go_live, ref_fields


def advance(
    status: ModelDeploymentStatus, desired: DesiredRevision, fleet: Fleet, now: datetime
) -> ModelDeploymentStatus:
    """Return the status after the next move towards the desired revision, within the progress deadline."""
    status = clocks.stop_or_resume(status, fleet, now)
    after = progress_deadline.enforce(status.candidate, _advance(status, desired, fleet, now), desired, fleet, now)
    after = _taken_over(status, _superseding(status.candidate, after), desired, now)
    return abandoned.end_going_back(after, desired.revision, fleet)


def _superseding(before: Candidate | None, after: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """Return the status whose candidate names the one that it has superseded."""
    candidate = after.candidate
    if before is None or candidate is None:
        return after
    number = before.supersedes if before.revision == candidate.revision else before.number
    if number == candidate.supersedes:
        return after
    return after.model_copy(update={"candidate": candidate.model_copy(update={"supersedes": number})})


def _advance(
    status: ModelDeploymentStatus, desired: DesiredRevision, fleet: Fleet, now: datetime
) -> ModelDeploymentStatus:
    """Return the status after the next move towards the desired revision.

    The candidate entry is the decision that its Deployment is created from; the live entry is the one that the Service
    follows. A candidate that is not desired any more is dropped, and the Service leaves it before its pods are deleted.
    """
    ref, live = desired.revision, status.live
    if ref is None:
        return status.model_copy(update={"candidate": None})
    if live and ref.revision == live.revision:
        digests = {"inputs_digest": ref.inputs_digest, "asked_inputs_digest": ref.asked_inputs_digest}
        kept = live.model_copy(update=digests)
        return status.model_copy(update={"candidate": None, "live": kept})
    unstable = instability.of_candidate(ref, status, desired, fleet, now)
    if live and unstable and unstable.fails and not fleet.observed.deployment.spec.dry_run:
        after = quarantine.enter(status, ref, live, reason=unstable.reason, by=instability.BY, now=now)
        return after.model_copy(update={"candidate": None})
    steps = canary.strategy(status, desired, fleet)
    if steps is not None:
        return canary.advance(status, ref, steps, unstable, fleet, now)
    held = unstable is not None and unstable.blocks
    if not held and _may_go_live(ref, status, fleet, now):
        unjudged = desired.pinned and served.is_unjudged(ref, status, fleet)
        return go_live(status, ref.model_copy(update={"only_pinned": unjudged}), fleet, now)
    candidate = full_candidate(status, ref, fleet)
    if unstable and held:
        candidate = candidate.model_copy(update={"message": f"{candidate.message}; {unstable.hold}"})
    return status.model_copy(update={"candidate": candidate.model_copy(update={"promoted_by": desired.promoted_by})})


def _may_go_live(ref: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> bool:
    """Return whether all pods of a revision are ready; without replicas, whether they were: it is the last good one.

    Pods that are not as declared take no traffic, and none do while the Service is someone else's. Going back from a
    revision that was rolled back needs enough pods, or a single one after the progress deadline or when none of the bad
    revision is ready. Without room for more, what there is may suffice.
    """
    if service.taken(status, fleet) or not fleet.is_as_declared(ref.revision):
        return False
    if fleet.desired_replicas == 0:
        was_ready = status.last_good is not None and status.last_good.revision == ref.revision
        return was_ready and fleet.is_complete(ref.revision)
    live, stored = status.live, status.candidate
    if live is None or not is_quarantined(live, status, fleet) or fleet.ready_pods(ref.revision) == 0:
        return fleet.is_complete(ref.revision)
    same = stored is not None and stored.revision == ref.revision
    late = stored is not None and same and progress_deadline.is_exceeded(stored, fleet, now)
    if late or fleet.has_enough(ref.revision) or fleet.ready_pods(live.revision) == 0:
        return True
    return same and partial_rollback.suffices(status, fleet)


def _taken_over(
    before: ModelDeploymentStatus, after: ModelDeploymentStatus, desired: DesiredRevision, now: datetime
) -> ModelDeploymentStatus:
    """Return the status in which the desired revision, once live without a pin, is the last one that served so.

    A version that takes over without a promotion has replaced the promoted one.
    """
    live, old = after.live, before.live
    if desired.pinned or live is None or desired.revision is None or live.revision != desired.revision.revision:
        return after
    if desired.kept and not served.is_let_through(live, after):
        return after
    after = served.enter(after, live, now)
    replaced = old is not None and old.digest != live.digest and desired.promoted_by is None
    return after.model_copy(update={"promoted": None}) if replaced else after


def full_candidate(status: ModelDeploymentStatus, desired: RevisionRef, fleet: Fleet) -> Candidate:
    """Return the desired revision as a candidate with all of its pods.

    It keeps the time at which it was first chosen. A candidate that was promoted from a canary keeps its verdicts.
    """
    stored = status.candidate
    same = stored is not None and stored.revision == desired.revision
    fields = ref_fields(desired) | ({"since": stored.since} if stored and same else {})
    promoted = stored is not None and same and stored.phase == "Promoting"
    candidate = stored.model_copy(update=fields) if stored and promoted else Candidate(**fields)
    share = share_in_force.share(candidate, fleet)
    message = canary_start.progress(candidate, status, fleet)
    return candidate.model_copy(update={"message": message, "actual_weight": share})
