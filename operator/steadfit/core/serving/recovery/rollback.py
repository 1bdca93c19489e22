"""Rollback: the live revision goes into quarantine, and the last good one, or a named version, replaces it."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus, Pin
from steadfit.api.rollout import RevisionRef
from steadfit.core.problem import Problem
from steadfit.core.serving import permitted, quarantine
from steadfit.core.serving.action_result import author
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.revisions.lookup import desired_inputs, reuse_revision, revision_of
from steadfit.core.serving.rollout.rollout import full_candidate
from steadfit.core.serving.selection import pin, served


def roll_back(
    status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime
) -> ModelDeploymentStatus | Problem:
    """Return the status after a Rollback by a person, or why it is rejected."""
    spec = action.spec
    return restore(status, fleet, number=spec.version, reason=spec.reason, by=author(action), now=now)


def restore(
    status: ModelDeploymentStatus,
    fleet: Fleet,
    *,
    number: int | None,
    reason: str,
    by: str,
    now: datetime,
    barred: str | None = None,
) -> ModelDeploymentStatus | Problem:
    """Return the status with the live revision in quarantine and a good one as candidate, or why there is none.

    Both are one write, so that a crash leaves no quarantine without a replacement. The bad revision answers until the
    good one is ready. A previous candidate is dropped without quarantine, as a rollback is about the live version. The
    pin of a Pin action is removed, or it would serve the bad version again.

    Parameters
    ----------
    number
        Version to roll back to; None for the last good one, or else the one that served last before it.
    barred
        Digest of an artifact of which no revision may replace the live one.
    """
    live = status.live
    if live is None:
        return Problem("NotServing", "no version serves yet, so there is nothing to roll back")
    if number is None and quarantine.is_quarantined(live, status, fleet):
        return Problem("RollingBack", f"version {live.number} is being rolled back already")
    good = _replacement(status, live, number, barred, fleet, now)
    if isinstance(good, Problem):
        return good
    quarantined = quarantine.enter(status, live, good, reason=reason, by=by, now=now)
    return served.enter(quarantined, good, now).model_copy(
        update={"override": None, "promoted": None, "candidate": full_candidate(None, good, fleet)}
    )


def _served_before(status: ModelDeploymentStatus, live: RevisionRef, fleet: Fleet, now: datetime) -> RevisionRef | None:
    """Return the revision of the version that served last, apart from the live artifact; None if none is left.

    Any number of versions may be in quarantine or deleted since.
    """
    for version in served.last_first(status, fleet):
        if version.spec.artifact.digest != live.digest and permitted.may_return(version, status, fleet):
            revision = revision_of(version, status, fleet, now)
            if isinstance(revision, RevisionRef):
                return revision
    return None


def _replacement(
    status: ModelDeploymentStatus,
    live: RevisionRef,
    number: int | None,
    barred: str | None,
    fleet: Fleet,
    now: datetime,
) -> RevisionRef | Problem:
    """Return the revision that replaces the live one: the last good one, one before it, or the named one."""
    last_good = permitted.last_good(status, fleet)
    if last_good and last_good.digest != barred and number in (None, last_good.number):
        if fleet.is_kept(last_good.revision):
            return reuse_revision(last_good, desired_inputs(live), now)
        version = fleet.version_of(last_good)
        rendered = revision_of(version, status, fleet, now) if version else None
        if isinstance(rendered, RevisionRef) and rendered.revision != live.revision:
            return rendered
    if number is None:
        return _served_before(status, live, fleet, now) or Problem(
            "NoRollbackTarget",
            f"no good version that served before version {live.number} is left; name a version to serve",
        )
    if number == live.number:
        return Problem("AlreadyServing", f"version {number} serves already; name another version")
    return pin.resolve(Pin(version=number), status, fleet, now)
