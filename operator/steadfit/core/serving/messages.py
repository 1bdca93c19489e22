"""The name of a revision in messages: its version's number, and its hash."""

from __future__ import annotations

from steadfit.api.rollout import Abandoned, QuarantineEntry, Replaced, RevisionRef


def describe(ref: RevisionRef | Abandoned | QuarantineEntry | Replaced) -> str:
    """Return the name of a revision, or of what a record is about, for messages."""
    return f"version {ref.number} (revision {ref.revision})"
