"""Abort: abandons the candidate. It was not found worse, so it can still be promoted."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Abandoned, QuarantineEntry, RevisionRef
from steadfit.core.problem import Problem
from steadfit.core.serving import subject
from steadfit.core.serving.action_result import ActionResult, author
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.revisions import refresh
from steadfit.core.serving.selection import abandoned, pin
from steadfit.core.serving.status_bounds import MAX_ABANDONED
from steadfit.core.text import time_text


def abort(status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime) -> ActionResult | Problem:
    """Return the status without the candidate, or why the Abort is rejected."""
    candidate, live = status.candidate, status.live
    replaced = subject.candidate_problem(action, candidate, fleet) if candidate is not None else None
    if candidate is None or replaced is not None:
        return _ended(status, action, fleet) or replaced or _no_candidate(live, action, fleet)
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


def _ended(status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet) -> ActionResult | None:
    """Return that the candidate of the time of the action takes no traffic any more; None if that is not known."""
    live, replaced = status.live, status.replaced
    entries: list[Abandoned | QuarantineEntry] = [*status.abandoned]
    entries += [entry for entry in status.quarantine if replaced is None or entry.revision != replaced.revision]
    since = [entry for entry in entries if subject.is_since(entry.at, action, fleet)]
    last = max(since, key=lambda entry: entry.at, default=None)
    if last is None or (live is not None and last.revision == live.revision):
        return None
    what = "abandoned" if isinstance(last, Abandoned) else "quarantined"
    serves = f"version {live.number} serves" if live else "no version serves yet"
    return ActionResult(status, f"version {last.number} was {what} already, by {last.by}; {serves}")


def _no_candidate(live: RevisionRef | None, action: ModelAction, fleet: Fleet) -> Problem:
    if live is None or not subject.is_since(live.since, action, fleet):
        return Problem("NoCandidate", "there is no candidate to abort")
    since = time_text(live.since)
    return Problem(
        "NoCandidate",
        f"there is no candidate to abort: version {live.number} serves since {since}; a Rollback replaces it",
    )
