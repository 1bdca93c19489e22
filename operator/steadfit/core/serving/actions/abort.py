"""Abort: abandons the candidate. It was not found worse, so it can still be promoted."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.problem import Problem
from steadfit.core.serving.action_result import ActionResult, author
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.revisions import refresh
from steadfit.core.serving.selection import abandoned, pin
from steadfit.core.serving.status_bounds import MAX_ABANDONED


def abort(status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime) -> ActionResult | Problem:
    """Return the status without the candidate, or why the Abort is rejected."""
    candidate, live = status.candidate, status.live
    if candidate is None:
        return Problem("NoCandidate", "there is no candidate to abort")
    if pin.effective_pin(status, fleet) is not None and not refresh.brings(candidate.revision, status):
        return Problem("Pinned", f"version {candidate.number} comes up because of a pin; Unpin it, or remove spec.pin")
    if live is not None and is_quarantined(live, status, fleet):
        return Problem(
            "RollingBack",
            f"version {candidate.number} replaces version {live.number}, which was rolled back; to serve another"
            " version instead, name it in a Rollback",
        )
    if live is None and len(status.abandoned) >= MAX_ABANDONED:
        # Beside a live version the floor keeps an abandoned one from returning; here only its entry does.
        return Problem(
            "TooManyAbandoned",
            f"no version serves, and {MAX_ABANDONED} candidates are abandoned already; Quarantine version"
            f" {candidate.number} instead, or Promote another one",
        )
    after = abandoned.enter(status, candidate, reason=action.spec.reason, by=author(action), now=now)
    serves = f"version {live.number} keeps serving" if live else "no version serves yet"
    return ActionResult(
        after.model_copy(update={"promoted": None}), f"version {candidate.number} is abandoned; {serves}"
    )
