"""The system clock: the only place that reads the time of day."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """Wall-clock time in UTC."""

    def now(self) -> datetime:
        """Return the current time."""
        return datetime.now(UTC)
