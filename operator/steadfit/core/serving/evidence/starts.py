"""Prior over the time at which a candidate breaks: the share of alpha for each starting time.

Half of it lies on the first minute of each step, when a new version or a larger share breaks something. The other half
falls off as a power of the time since the candidate takes traffic, so that any time has some.
"""

from __future__ import annotations

import math

FIRST_MINUTE = 0.5
"""Share of the first minutes of all steps together."""
STEP = 0.7
"""Share of the first step among the steps, of the second among the rest, and so on."""
AT_ONCE = 0.9
"""Share of the first second within a step's first minute; the other seconds share the rest equally."""
MINUTE = 60
SCALE = 300.0
"""Seconds after which the density of late breaks falls as a power."""
POWER = 0.3
"""Exponent of the time that the late half lasts: after a day a sixth of it is left."""


def spent(elapsed: int, step: int, in_step: int) -> float:
    """Return the share of alpha for all breaks up to and within a second.

    Parameters
    ----------
    elapsed
        Seconds since the candidate takes traffic; below 0 nothing is spent.
    step
        Index of the present step.
    in_step
        Seconds since that step began.
    """
    if elapsed < 0:
        return 0.0
    left = math.pow(1 - STEP, step)
    steps = 1 - left + STEP * left * _within_minute(in_step)
    late = 1 - math.pow(1 + (elapsed + 1) / SCALE, -POWER)
    return FIRST_MINUTE * steps + (1 - FIRST_MINUTE) * late


def _within_minute(second: int) -> float:
    """Return the share of a first minute up to and within one of its seconds."""
    if second < 0:
        return 0.0
    return AT_ONCE + (1 - AT_ONCE) * min(second, MINUTE - 1) / (MINUTE - 1)
