"""Records of ModelActions in the status of their target: the newest ones, and every one that may still be repeated.

Rejected actions change nothing, so they are counted apart: however many there are, they drop no record of an effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from steadfit.api.actionrecord import ActionPhase, ActionRecord
from steadfit.api.modelaction import ModelAction

from .status_texts import shortened

MAX_RECORDS = 24
"""Most records of rejected actions, and most of all others: more than the completed ModelActions that are kept."""


def make_room(records: Sequence[ActionRecord], actions: Sequence[ModelAction]) -> list[ActionRecord] | None:
    """Return the records with room for one more, rejected or not; None if each of one sort is still needed.

    A record is needed while its ModelAction is Pending: without it the action would be executed again.
    """
    pending = _pending(actions)
    kept = list(records)
    for rejected in (True, False):
        while sum((record.phase == "Rejected") == rejected for record in kept) >= MAX_RECORDS:
            same = (record for record in kept if (record.phase == "Rejected") == rejected)
            oldest = next((one for one in same if one.uid not in pending and one.phase != "Pending"), None)
            if oldest is None:
                return None
            kept.remove(oldest)
    return kept


def shorten(records: Sequence[ActionRecord], actions: Sequence[ModelAction]) -> list[ActionRecord]:
    """Return the records with their texts as long as there is room for; a pending action has yet to copy its own."""
    pending = _pending(actions)
    return shortened(records, is_needed=lambda record: record.uid in pending)


def record_of(
    action: ModelAction, phase: ActionPhase, message: str, at: datetime, *, reason: str | None = None
) -> ActionRecord:
    """Return the record of an action; `reason` is that of a rejection."""
    return ActionRecord(
        uid=action.uid,
        name=action.name,
        verb=action.spec.verb,
        requested_by=action.spec.requested_by,
        phase=phase,
        reason=reason,
        message=message,
        at=at,
    )


def _pending(actions: Sequence[ModelAction]) -> set[str]:
    """Return the uids of the actions that have not ended."""
    return {action.uid for action in actions if action.status.phase == "Pending"}
