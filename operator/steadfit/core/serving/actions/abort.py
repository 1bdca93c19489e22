"""Abort: the candidate is given up by a person. It is not found to be worse, so it may still be promoted."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.problem import Problem
from steadfit.core.serving.action_result import ActionResult, author
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.selection import abandoned, pin


def abort(status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime) -> ActionResult | Problem:
    """Return the status without the candidate, or why it may not be given up."""
    candidate, live = status.candidate, status.live
    if candidate is None:
        return Problem("NoCandidate", "no version is coming up or being tried, so there is nothing to give up")
    if pin.effective_pin(status, fleet) is not None:
        return Problem(
            "Pinned", f"version {candidate.number} comes up because of a pin; Unpin it, or take spec.pin away"
        )
    if live is not None and is_quarantined(live, status, fleet):
        return Problem(
            "RollingBack",
            f"version {candidate.number} takes the place of version {live.number}, which was rolled back; a Rollback"
            " that names another version serves that one instead",
        )
    given_up = abandoned.enter(status, candidate, reason=action.spec.reason, by=author(action), now=now)
    serves = f"version {live.number} goes on" if live else "nothing serves yet"
    return ActionResult(
        given_up.model_copy(update={"promoted": None}), f"version {candidate.number} is given up; {serves}"
    )
