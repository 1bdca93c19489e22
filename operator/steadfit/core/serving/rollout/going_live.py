"""The moment at which a candidate becomes the live revision."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Replaced, RevisionRef
from steadfit.core.serving import bake, permitted
from steadfit.core.serving.fleet import Fleet


def go_live(status: ModelDeploymentStatus, desired: RevisionRef, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status with the desired revision live.

    The previous one is the last good one, unless it was rolled back, or was pinned and not let through.
    """
    previous = [
        ref
        for ref in (status.live, status.last_good)
        if ref and ref.revision != desired.revision and permitted.may_stand_in(ref, status, fleet)
    ]
    if previous and previous[0] == status.live and not bake.applies(status, fleet.observed.deployment, now):
        previous = [previous[0].model_copy(update={"baked": True})]
    # What a person has promoted bakes anew: it has not come back by itself.
    baked = desired.baked and not (status.promoted and status.promoted.digest == desired.digest)
    live = RevisionRef(**ref_fields(desired) | {"since": now, "baked": baked})
    old, replaced = status.live, status.replaced
    if old is not None and old.revision != live.revision:
        replaced = Replaced(revision=old.revision, number=old.number, since=old.since)
    return status.model_copy(
        update={
            "live": live,
            "last_good": previous[0] if previous else None,
            "replaced": replaced,
            "candidate": None,
        }
    )


def ref_fields(ref: RevisionRef) -> dict[str, object]:
    """Return the fields that live, last good and candidate revisions have in common."""
    return {name: getattr(ref, name) for name in RevisionRef.model_fields}
