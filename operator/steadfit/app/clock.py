"""The machine's own clock: the only place that asks it for the time of day."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """Wall-clock time in UTC."""

    def now(self) -> datetime:
        """Return the current time."""
        return datetime.now(UTC)
