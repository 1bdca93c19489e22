"""The breaker: runs that bring nothing become rarer, because the next one of the same kind will bring nothing either.

The cooldown doubles with every further run in a row that brought no better version, up to a day. A better version,
whoever asked for it, ends the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from steadfit.api.base import parse_duration
from steadfit.api.runinputs import Limits
from steadfit.api.trainingjob import AutomaticRun
from steadfit.core.text import time_text

from .blocked import Hold
from .cooldown import Start

LONGEST_PAUSE = timedelta(hours=24)
_MOST_DOUBLINGS = 27
"""A millisecond doubled so often is more than a day; more would only overflow."""


def hold(barren: Sequence[AutomaticRun], begun: Start | None, limits: Limits, now: datetime) -> Hold | None:
    """Return the wait while the breaker is open: `barren` is the row of runs that brought nothing."""
    if begun is None or len(barren) < limits.break_after:
        return None
    until = begun.at + _pause(len(barren), limits)
    if until <= now:
        return None
    return Hold(
        "Breaker",
        f"waits until {time_text(until)}: {len(barren)} runs in a row by alerts and monitors brought no better version,"
        f" and limits.breakAfter is {limits.break_after}; a Retrain action or a change of the recipe starts one now",
        until,
    )


def _pause(count: int, limits: Limits) -> timedelta:
    cooldown = parse_duration(limits.cooldown)
    doublings = min(count - limits.break_after + 1, _MOST_DOUBLINGS)
    longer: timedelta = min(cooldown, LONGEST_PAUSE) * 2**doublings
    return max(cooldown, min(longer, LONGEST_PAUSE))
