"""Rollback: what serves goes into quarantine, and the last good revision (or a named version) takes its place."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus, Pin
from steadfit.api.rollout import RevisionRef
from steadfit.core.problem import Problem
from steadfit.core.serving import quarantine
from steadfit.core.serving.action_result import author
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.revisions.lookup import desired_template, reuse_revision, revision_of
from steadfit.core.serving.rollout.rollout import full_candidate
from steadfit.core.serving.selection import pin


def roll_back(
    status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime
) -> ModelDeploymentStatus | Problem:
    """Return the status after a Rollback by a person, or why there is nothing to go back to."""
    spec = action.spec
    return restore(status, fleet, number=spec.version, reason=spec.reason, by=author(action), now=now)


def restore(
    status: ModelDeploymentStatus, fleet: Fleet, *, number: int | None, reason: str, by: str, now: datetime
) -> ModelDeploymentStatus | Problem:
    """Return the status in which the live revision is barred and a good one comes up, or why there is none.

    `number` names the version to go back to; None is the last good one. Both are one write, so no crash leaves a
    quarantine without a way out of it. The bad revision answers until the good one can. A candidate in flight is
    dropped and not barred: a rollback is about what serves. A pin by an action is lifted, or it would bring the bad
    one back.
    """
    live = status.live
    if live is None:
        return Problem("NothingServes", "no version serves yet, so there is nothing to roll back")
    if number is None and quarantine.is_quarantined(live, status, fleet):
        return Problem("UnderWay", f"version {live.number} is being rolled back already")
    good = _good_one(status, live, number, fleet, now)
    if isinstance(good, Problem):
        return good
    barred = quarantine.enter(status, live, good, reason=reason, by=by, now=now)
    return barred.model_copy(
        update={
            "override": None,
            "promoted": None,
            "candidate": full_candidate(None, good, fleet),
            "version_floor": good.number,
        }
    )


def _good_one(
    status: ModelDeploymentStatus, live: RevisionRef, number: int | None, fleet: Fleet, now: datetime
) -> RevisionRef | Problem:
    """Return what shall serve instead of the live revision: the last good one as it was proven, if it still stands."""
    last_good = status.last_good
    if last_good and number in (None, last_good.number) and not quarantine.is_quarantined(last_good, status, fleet):
        if fleet.has_deployment(last_good.revision):
            return reuse_revision(last_good, desired_template(live), now)
        version = fleet.version_named(last_good.version)
        anew = revision_of(version, status, fleet, now) if version else None
        if isinstance(anew, RevisionRef) and anew.revision != live.revision:
            return anew
    if number is None:
        return Problem(
            "NoLastGood", f"nothing good that served before version {live.number} is left; name a version to serve"
        )
    if number == live.number:
        return Problem("AlreadyServes", f"version {number} is what serves; name another version")
    return pin.resolve(Pin(version=number), status, fleet, now)
