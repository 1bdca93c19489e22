"""What the alerts and monitors that request a run wait for: one wait, however many there are.

It is shown only and decides nothing: what still fires at the end of the wait is evaluated anew.
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
    """A request for a run: its source as `alert <name>` or `monitor <name>`, and since when."""

    source: str
    since: datetime


def requests(alerts: Iterable[AlertState], monitors: Iterable[FiringMonitor]) -> list[RunRequest]:
    """Return the requests for a run."""
    return [
        *[RunRequest(f"alert {entry.alertname}", entry.starts_at) for entry in alerts],
        *[RunRequest(f"monitor {monitor.name}", monitor.since) for monitor in monitors],
    ]


def unserved(
    requested: Sequence[RunRequest], active: ActiveRun | None, runs: Sequence[TrainingRun]
) -> list[RunRequest]:
    """Return the requests that the run in flight does not serve: those that began after it was created."""
    if active is None:
        return list(requested)
    run = named(active.name, runs)
    created = run.metadata.creation_timestamp if run else None
    return [request for request in requested if created is not None and request.since > created]


def wait(before: Waiting | None, requested: Sequence[RunRequest], hold: Hold | None, now: datetime) -> Waiting | None:
    """Return the wait; its `since` stays while its reason is the same."""
    if not requested or hold is None:
        return None
    return Waiting(
        reason=hold.reason,
        message=cut(hold.message),
        since=before.since if before and before.reason == hold.reason else now,
        until=hold.until,
        causes=sorted({request.source[:_LONGEST] for request in requested})[:MOST],
    )


def wait_message(waiting: Waiting) -> str:
    """Return a wait in a sentence."""
    rest = f" and {len(waiting.causes) - 3} more" if len(waiting.causes) > 3 else ""
    return f"{', '.join(waiting.causes[:3])}{rest}: {waiting.message}"
