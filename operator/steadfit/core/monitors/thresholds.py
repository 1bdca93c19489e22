"""The thresholds of a monitor: where it fires, where it stops, and how many samples a value needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from steadfit.api.monitor import Monitor

from .registry import kind_of, limit

Side = Literal["Breached", "Between", "Clear"]
"""Between: not, or not for certain, beyond the limit, but not at the clearing value either. A monitor that fires goes
on firing there, and one that does not fire does not begin."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where a monitor fires and where it stops.

    Attributes
    ----------
    limit
        The value that must not be passed; one that equals it is good.
    above
        True if it fires above the limit, False if it fires below.
    clear
        The value at which it stops firing.
    """

    limit: float
    above: bool
    clear: float

    def side(self, value: float, bound: float | None = None) -> Side:
        """Return where a value lies; it is beyond the limit only if `bound`, the good end of its interval, is too."""
        decisive = value if bound is None else bound
        if decisive > self.limit if self.above else decisive < self.limit:
            return "Breached"
        return "Clear" if (value <= self.clear if self.above else value >= self.clear) else "Between"


def thresholds(monitor: Monitor) -> Thresholds:
    """Return the thresholds of a monitor, in the unit of its kind.

    When `clear` is absent, it is the limit moved by a tenth of its absolute value towards the good side: without a
    distance a value that swings about the limit would start and end an alert with every measurement. Where the value
    has a maximum, such as an accuracy, it moves at most half the way there.
    """
    found = limit(monitor)
    distance = abs(found.value) / 10
    if found.maximum is not None and not found.above:
        distance = min(distance, (found.maximum - found.value) / 2)
    default = found.value - distance if found.above else found.value + distance
    return Thresholds(found.value, found.above, monitor.clear if monitor.clear is not None else default)


def min_samples(monitor: Monitor) -> int:
    """Return the fewest samples of a value that counts."""
    return monitor.min_samples if monitor.min_samples is not None else kind_of(monitor).MIN_SAMPLES
