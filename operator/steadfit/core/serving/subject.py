"""What an action without a version is about: what was live, or the candidate, when it was created.

Between its creation and its execution another version may have taken over: somebody else has rolled back the same one,
or the operator was away. Its author has never seen that one. Where the operator saw the action arrive, it compares
times of its own clock. An action that waited for an operator has its time of creation alone: whole seconds of the API
server.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate, QuarantineEntry, Replaced, RevisionRef
from steadfit.core.problem import Problem
from steadfit.core.text import time_text

from .fleet import Fleet
from .messages import describe

UNJUDGED = timedelta(seconds=10)
"""How long after a rollback another Rollback is still about the version that was rolled back: nobody has judged its
replacement by then, and two people who see one fault act within seconds."""


def precedes_live(action: ModelAction, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether an action was created before the live revision took over.

    In the very second in which it took over, a script may have waited for it, so the action is about it.
    """
    live, replaced, created = status.live, status.replaced, _asked_at(action, fleet)
    if live is None or created is None:
        return False
    since, entry = _second(live.since), quarantine_of(replaced, status) if replaced else None
    if replaced is not None and entry is not None and replaced.since <= entry.at <= live.since:
        since += UNJUDGED
    return created < since


def replaced_live(action: ModelAction, status: ModelDeploymentStatus, fleet: Fleet) -> Replaced | None:
    """Return what served when an action was created that precedes the live revision; None if it is not recorded."""
    replaced, created = status.replaced, _asked_at(action, fleet)
    return replaced if replaced and created and _second(replaced.since) <= created else None


def quarantine_of(replaced: Replaced, status: ModelDeploymentStatus) -> QuarantineEntry | None:
    """Return the quarantine of what was live before; None if it was not rolled back."""
    return next((entry for entry in status.quarantine if entry.revision == replaced.revision), None)


def live_problem(action: ModelAction, live: RevisionRef, then: Replaced | None) -> Problem:
    """Return that an action is not about the live revision, and how to ask for the same of that one."""
    verb = action.spec.verb
    before = f"{describe(then)} served" if then else "another one served, which is not recorded any more"
    bar = f"; a Quarantine of version {then.number} bars it" if then and then.number != live.number else ""
    return Problem(
        "VersionReplaced",
        f"{describe(live)} serves since {time_text(live.since)}; when this action was created, at {_created(action)},"
        f" {before}; to roll back version {live.number}, create another {verb}{bar}",
    )


def candidate_problem(action: ModelAction, candidate: Candidate, fleet: Fleet) -> Problem | None:
    """Return that an action was created before the candidate was chosen; None if it is about this candidate."""
    created, verb = _asked_at(action, fleet), action.spec.verb
    if created is None or created >= _second(candidate.since):
        return None
    before = "another candidate"
    if candidate.supersedes is not None:
        before = (
            f"{'a' if candidate.supersedes == candidate.number else 'the'} rollout of version {candidate.supersedes}"
        )
    return Problem(
        "CandidateReplaced",
        f"{describe(candidate)} is the candidate since {time_text(candidate.since)}; this action was created before, at"
        f" {_created(action)}, and meant {before}; create another {verb} for version {candidate.number}",
    )


def is_since(at: datetime, action: ModelAction, fleet: Fleet) -> bool:
    """Return whether something happened after an action was created, or in the same second."""
    created = _asked_at(action, fleet)
    return created is not None and at >= created


def _asked_at(action: ModelAction, fleet: Fleet) -> datetime | None:
    return fleet.observed.arrivals.get(action.uid, action.metadata.creation_timestamp)


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _created(action: ModelAction) -> str:
    created = action.metadata.creation_timestamp
    return time_text(created) if created else "an unknown time"
