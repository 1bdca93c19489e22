"""A rollout: the wished revision comes up beside the live one and becomes live once all of its pods are ready.

Where the strategy is a canary, it has to be let through before.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate, RevisionRef
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.selection.desired_revision import DesiredRevision
from steadfit.core.serving.traffic import pod_shares

from . import canary, canary_start


def advance(
    status: ModelDeploymentStatus, desired: DesiredRevision, fleet: Fleet, now: datetime
) -> ModelDeploymentStatus:
    """Return the status after the next step towards the wished revision.

    The candidate is the intent that its Deployment is created from; the live entry is the one that the Service is
    pointed at. A candidate that is not wished for any more is dropped, and the Service leaves it before its pods go.
    """
    wished, live = desired.revision, status.live
    if wished is None:
        return status.model_copy(update={"candidate": None})
    if live and wished.revision == live.revision:
        kept = live.model_copy(update={"asked_template_digest": wished.asked_template_digest})
        floor = status.version_floor if desired.pinned else live.number
        return status.model_copy(update={"candidate": None, "live": kept, "version_floor": floor})
    steps = canary.strategy(status, desired, fleet)
    if steps is not None and not canary.is_promoted(status, wished):
        return canary.advance(status, wished, steps, fleet, now)
    if fleet.is_complete(wished.revision):
        return _promote(status, wished, fleet, now)
    candidate = full_candidate(status.candidate, wished, fleet)
    return status.model_copy(update={"candidate": candidate.model_copy(update={"promoted_by": desired.promoted_by})})


def full_candidate(stored: Candidate | None, wished: RevisionRef, fleet: Fleet) -> Candidate:
    """Return the wished revision as the candidate that gets all of its pods.

    It keeps the time at which it was first decided on. One that a canary let through keeps what that has found.
    """
    same = stored is not None and stored.revision == wished.revision
    fields = _fields(wished) | ({"since": stored.since} if stored and same else {})
    let_through = stored is not None and same and stored.phase == "Promoting"
    candidate = stored.model_copy(update=fields) if stored and let_through else Candidate(**fields)
    share = pod_shares.share(candidate, fleet.observed.deployment)
    return candidate.model_copy(update={"message": canary_start.progress(candidate, fleet), "actual_weight": share})


def _promote(status: ModelDeploymentStatus, wished: RevisionRef, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status with the candidate live; what was live is the last good one, unless it was rolled back."""
    past = [
        ref
        for ref in (status.live, status.last_good)
        if ref and ref.revision != wished.revision and not is_quarantined(ref, status, fleet)
    ]
    live = RevisionRef(**_fields(wished) | {"since": now})
    return status.model_copy(update={"live": live, "last_good": past[0] if past else None, "candidate": None})


def _fields(ref: RevisionRef) -> dict[str, object]:
    """Return the fields that a live, a last good and a candidate revision share."""
    return {name: getattr(ref, name) for name in RevisionRef.model_fields}
