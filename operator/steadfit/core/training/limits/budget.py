"""The budget: how many runs alerts and monitors may start within 24 hours."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from steadfit.api.runinputs import Limits
from steadfit.api.trainingjob import AutomaticRun
from steadfit.core.text import time_text

from .blocked import Hold

DAY = timedelta(hours=24)


def hold(runs: Iterable[AutomaticRun], limits: Limits, now: datetime) -> Hold | None:
    """Return the wait for the time at which one of the day's runs is 24 hours old."""
    recent = sorted(run.at for run in runs if run.at + DAY > now)
    if len(recent) < limits.max_runs_per_day:
        return None
    until = recent[-limits.max_runs_per_day] + DAY
    return Hold(
        "RunLimitReached",
        f"waits until {time_text(until)}: alerts and monitors have started {len(recent)} runs within 24 hours, and"
        f" limits.maxRunsPerDay is {limits.max_runs_per_day}",
        until,
    )
