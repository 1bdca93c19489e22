"""Candidates that were given up without being found worse: never chosen again by themselves, but not barred either.

It is the revision that was given up: the same version served by other pods is another one, and may be tried.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Abandoned, RevisionRef
from steadfit.core.text import cut

MAX_ENTRIES = 16


def enter(
    status: ModelDeploymentStatus, candidate: RevisionRef, *, reason: str, by: str, now: datetime
) -> ModelDeploymentStatus:
    """Return the status without the candidate, which is remembered as given up."""
    entry = Abandoned(
        revision=candidate.revision,
        version=candidate.version,
        number=candidate.number,
        reason=cut(reason),
        by=by,
        at=now,
    )
    others = [one for one in status.abandoned if one.revision != candidate.revision]
    return status.model_copy(update={"abandoned": [*others, entry][-MAX_ENTRIES:], "candidate": None})


def entry_of(ref: RevisionRef, status: ModelDeploymentStatus) -> Abandoned | None:
    """Return how a revision was given up, if it was."""
    return next((entry for entry in status.abandoned if entry.revision == ref.revision), None)
