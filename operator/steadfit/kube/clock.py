"""Wall-clock time as a dependency, so that tests and the simulator choose it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time of day. Lengths of time are measured by the event loop's own clock instead."""

    def now(self) -> datetime:
        """Return the current time, with a time zone."""
