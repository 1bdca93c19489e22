"""How often alerts and monitors had to wait, by reason: once for each wait that begins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from steadfit.api.trainingjob import Skipped, Waiting


def began(before: Waiting | None, after: Waiting | None) -> bool:
    """Return whether a wait has begun, or continues for another reason."""
    return after is not None and (before is None or before.reason != after.reason)


def count(skipped: Sequence[Skipped], before: Waiting | None, after: Waiting | None, now: datetime) -> list[Skipped]:
    """Return the counts with the wait that began, in the order in which the reasons first occurred."""
    if after is None or not began(before, after):
        return list(skipped)
    counts = {entry.reason: entry for entry in skipped}
    old = counts.get(after.reason)
    counts[after.reason] = Skipped(reason=after.reason, count=(old.count if old else 0) + 1, last_at=now)
    return list(counts.values())
