"""The name of a revision in messages: its version's number, and its hash."""

from __future__ import annotations

from steadfit.api.rollout import Abandoned, QuarantineEntry, RevisionRef


def describe(ref: RevisionRef | Abandoned | QuarantineEntry) -> str:
    """Return the name of a revision, or of an abandoned or quarantined one, for messages."""
    return f"version {ref.number} (revision {ref.revision})"
