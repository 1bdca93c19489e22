"""The circuit breaker: runs without a better version become rarer, because the next one is unlikely to have one.

The cooldown doubles with every further run in a row without a better version, up to a day. A better version of any run
ends the row.
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
"""A millisecond doubled this often is more than a day; more doublings would overflow."""


def hold(unsuccessful: Sequence[AutomaticRun], begun: Start | None, limits: Limits, now: datetime) -> Hold | None:
    """Return the wait while the breaker is open.

    `unsuccessful` are the newest runs in a row without a better version.
    """
    if begun is None or len(unsuccessful) < limits.break_after:
        return None
    until = begun.at + _pause(len(unsuccessful), limits)
    if until <= now:
        return None
    why = (
        f"{len(unsuccessful)} runs in a row by alerts and monitors produced no better version, and limits.breakAfter is"
        f" {limits.break_after}; a Retrain action or a change of the recipe starts one now"
    )
    return Hold("CircuitBreakerOpen", f"waits until {time_text(until)}: {why}", until)


def _pause(count: int, limits: Limits) -> timedelta:
    cooldown = parse_duration(limits.cooldown)
    doublings = min(count - limits.break_after + 1, _MOST_DOUBLINGS)
    longer: timedelta = min(cooldown, LONGEST_PAUSE) * 2**doublings
    return max(cooldown, min(longer, LONGEST_PAUSE))
