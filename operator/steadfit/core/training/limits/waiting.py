"""What the alerts and monitors that ask for a run wait for, as people read it: one wait, however many ask.

This is for the eye alone. No decision rests on it: what still asks when the wait is over is looked at afresh.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from steadfit.api.trainingjob import ActiveRun, AlertState, Waiting
from steadfit.api.trainingrun import TrainingRun
from steadfit.core.serving.recovery.retrain_causes import FiringMonitor
from steadfit.core.text import cut

from .blocked import Hold
from .in_flight import named

MOST = 16
_LONGEST = 256


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Something that asks for a run, in words, and since when."""

    words: str
    since: datetime


def requests(alerts: Iterable[AlertState], monitors: Iterable[FiringMonitor]) -> list[RunRequest]:
    """Return all that asks for a run."""
    return [
        *[RunRequest(f"alert {entry.alertname}", entry.starts_at) for entry in alerts],
        *[RunRequest(f"monitor {monitor.name}", monitor.since) for monitor in monitors],
    ]


def unserved(asked: Sequence[RunRequest], active: ActiveRun | None, runs: Sequence[TrainingRun]) -> list[RunRequest]:
    """Return what the run in flight does not serve: only what began after it was made has to wait for its end."""
    if active is None:
        return list(asked)
    run = named(active.name, runs)
    made = run.metadata.creation_timestamp if run else None
    return [one for one in asked if made is not None and one.since > made]


def wait(before: Waiting | None, asked: Sequence[RunRequest], hold: Hold | None, now: datetime) -> Waiting | None:
    """Return the wait; it keeps the time at which it began for as long as its reason is the same."""
    if not asked or hold is None:
        return None
    return Waiting(
        reason=hold.reason,
        message=cut(hold.message),
        since=before.since if before and before.reason == hold.reason else now,
        until=hold.until,
        causes=sorted({one.words[:_LONGEST] for one in asked})[:MOST],
    )


def words(waiting: Waiting) -> str:
    """Return a wait in a sentence."""
    rest = f" and {len(waiting.causes) - 3} more" if len(waiting.causes) > 3 else ""
    return f"{', '.join(waiting.causes[:3])}{rest}: {waiting.message}"
