"""Wall-clock time as a dependency, so that tests and the simulator choose it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Returns the time of day. Durations are measured by the event loop's monotonic clock instead."""

    def now(self) -> datetime:
        """Return the current time, with a time zone."""
