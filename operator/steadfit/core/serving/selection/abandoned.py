"""Abandoned candidates: not found worse, so not in quarantine, but only a Promote rolls them out again.

Entries are revisions: the same version with another pod template is another revision, and can be a candidate.
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
    """Return the status without the candidate, and with an entry for it."""
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
    """Return the entry of an abandoned revision; None without one."""
    return next((entry for entry in status.abandoned if entry.revision == ref.revision), None)
