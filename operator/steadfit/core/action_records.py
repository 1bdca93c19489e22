"""What an object remembers of its ModelActions: the newest ones, and every one that might be done twice otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from steadfit.api.actionrecord import ActionRecord
from steadfit.api.modelaction import ModelAction

MOST = 20


def make_room(records: Sequence[ActionRecord], actions: Sequence[ModelAction]) -> list[ActionRecord] | None:
    """Return the records with room for one more; None while each one of them still guards against a repetition.

    A record whose ModelAction still reads Pending is all that keeps the action from being carried out again.
    """
    open_ones = {action.uid for action in actions if action.status.phase == "Pending"}
    kept = list(records)
    while len(kept) >= MOST:
        over = next((record for record in kept if record.uid not in open_ones and record.phase != "Pending"), None)
        if over is None:
            return None
        kept.remove(over)
    return kept
