"""A rollout: the wished revision comes up beside the live one and becomes live once all of its pods are ready."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate, RevisionRef

from .fleet import Fleet
from .quarantine import is_barred
from .server_words import of_revision
from .target import Target


def advance(status: ModelDeploymentStatus, target: Target, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status after the next step towards the wished revision.

    The candidate is the intent that its Deployment is created from; the live entry is the one that the Service is
    pointed at. A candidate that is not wished for any more is dropped: it took no traffic.
    """
    wished, live = target.revision, status.live
    if wished is None:
        return status.model_copy(update={"candidate": None})
    if live and wished.revision == live.revision:
        kept = live.model_copy(update={"asked_template_digest": wished.asked_template_digest})
        automatic = status.automatic if target.pinned else live.number
        return status.model_copy(update={"candidate": None, "live": kept, "automatic": automatic})
    if fleet.complete(wished.revision):
        return _promote(status, wished, fleet, now)
    return status.model_copy(update={"candidate": coming_up(status.candidate, wished, fleet)})


def coming_up(stored: Candidate | None, wished: RevisionRef, fleet: Fleet) -> Candidate:
    """Return the wished revision as the candidate; it keeps the time at which it was first decided on."""
    since = stored.since if stored and stored.revision == wished.revision else wished.since
    return Candidate(**_fields(wished) | {"since": since}, message=_progress(wished.revision, fleet))


def _progress(revision: str, fleet: Fleet) -> str:
    """Return how far a revision is, and what its pods say."""
    count = f"{fleet.ready(revision)} of {fleet.target} pods are ready"
    if not fleet.stands(revision):
        return f"{count}: the Deployment is being created"
    said = of_revision(revision, fleet)
    return f"{count}: {said.text}" if said else count


def _promote(status: ModelDeploymentStatus, wished: RevisionRef, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status with the candidate live; what was live is the last good one, unless it was rolled back."""
    past = [
        ref
        for ref in (status.live, status.last_good)
        if ref and ref.revision != wished.revision and not is_barred(ref, status, fleet)
    ]
    live = RevisionRef(**_fields(wished) | {"since": now})
    return status.model_copy(update={"live": live, "last_good": past[0] if past else None, "candidate": None})


def _fields(ref: RevisionRef) -> dict[str, object]:
    """Return the fields that a live, a last good and a candidate revision share."""
    return {name: getattr(ref, name) for name in RevisionRef.model_fields}
