"""The pause after a run that found nothing new to learn from: alerts and monitors look at the data once a day then.

Only `fetch` can say whether the data has changed, and it reads all of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from steadfit.api.trainingjob import TrainingJobStatus
from steadfit.core.text import time_text

from .blocked import Hold

PAUSE = timedelta(hours=24)


def hold(status: TrainingJobStatus, now: datetime) -> Hold | None:
    """Return the wait after a skipped run."""
    last = status.last_run
    if last is None or last.phase != "Skipped" or last.finished_at is None:
        return None
    until = last.finished_at + PAUSE
    if until <= now:
        return None
    message = (
        f"waits until {time_text(until)}: run {last.name} found the recipe and data of version {last.known_version}"
        " unchanged; a change of the recipe or a Retrain action starts one now"
    )
    return Hold("DataUnchanged", message, until)
