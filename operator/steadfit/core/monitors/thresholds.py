"""At which level a monitor fires, at which it stops, and how many samples a value needs to count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from steadfit.api.base import parse_duration
from steadfit.api.monitor import Monitor

DRIFT_SAMPLES = 500
QUALITY_SAMPLES = 200
OTHER_SAMPLES = 100

Side = Literal["Bad", "Between", "Safe"]
"""Between: no longer bad, but not yet safe. What fires goes on firing; what does not, does not begin to."""


@dataclass(frozen=True, slots=True)
class Level:
    """The condition of a monitor.

    Attributes
    ----------
    limit
        The level that a value must not pass; one that equals it is good.
    above
        Whether it fires above the limit; else below it.
    clear
        The level at which it stops firing; one that equals it is safe.
    """

    limit: float
    above: bool
    clear: float

    def side(self, value: float) -> Side:
        """Return where a value lies."""
        if value > self.limit if self.above else value < self.limit:
            return "Bad"
        return "Safe" if (value <= self.clear if self.above else value >= self.clear) else "Between"


def level(monitor: Monitor) -> Level:
    """Return the condition of a monitor, a latency in seconds.

    Where no clearing level is set, it is the limit less a tenth of its absolute value, towards what is safe: a value
    that swings about its limit would else start and end an alert with every look. Accuracy and the like cannot pass
    1, so for them it is at most half the way there.
    """
    limit, above = _limit(monitor)
    margin = abs(limit) / 10
    if monitor.quality and not above:
        margin = min(margin, (1 - limit) / 2)
    clear = monitor.clear if monitor.clear is not None else limit - margin if above else limit + margin
    return Level(limit, above, clear)


def least_samples(monitor: Monitor) -> int:
    """Return how many samples a value must be taken from."""
    if monitor.min_samples is not None:
        return monitor.min_samples
    if monitor.drift:
        return DRIFT_SAMPLES
    return QUALITY_SAMPLES if monitor.quality else OTHER_SAMPLES


def _limit(monitor: Monitor) -> tuple[float, bool]:
    if monitor.drift:
        return monitor.drift.max, True
    if monitor.error_rate:
        return monitor.error_rate.max, True
    if monitor.latency:
        return parse_duration(monitor.latency.max).total_seconds(), True
    condition = monitor.quality or monitor.query
    if condition is not None and condition.max is not None:
        return condition.max, True
    if condition is not None and condition.min is not None:
        return condition.min, False
    raise ValueError(f"monitor {monitor.name} has no condition, which the API server refuses")
