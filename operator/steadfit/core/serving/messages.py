"""How a revision is called in a sentence: by its version, with what tells it from other pods of that version."""

from __future__ import annotations

from steadfit.api.rollout import Abandoned, QuarantineEntry, RevisionRef


def describe(found: RevisionRef | Abandoned | QuarantineEntry) -> str:
    """Return how a revision, or what became of it, is called."""
    return f"version {found.number} (revision {found.revision})"
