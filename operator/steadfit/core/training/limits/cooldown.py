"""The cooldown: after a run, and again after its version took over, alerts and monitors start no run for a while.

The windows of monitors and rules reach back to before the change. Until they have passed, an alert may still be about
the model that was replaced.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from steadfit.api.base import parse_duration
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.runinputs import Limits
from steadfit.api.trainingjob import TrainingJobStatus
from steadfit.core.text import time_text

from .blocked import Hold


@dataclass(frozen=True, slots=True)
class Start:
    """When the cooldown begins, and the event that it begins with."""

    at: datetime
    event: str


def start(status: TrainingJobStatus, deployments: Iterable[ModelDeployment]) -> Start | None:
    """Return when the cooldown begins: at the end of the last run, or when a deployment began to serve its version."""
    last = status.last_run
    if last is None:
        return None
    starts = [Start(last.finished_at, f"run {last.name} ended")] if last.finished_at else []
    for deployment in deployments:
        live = deployment.status.live
        if live is not None and last.version is not None and live.version == last.version:
            starts.append(Start(live.since, f"{live.version} took over on ModelDeployment {deployment.name}"))
    return max(starts, key=lambda item: item.at, default=None)


def hold(begun: Start | None, limits: Limits, now: datetime) -> Hold | None:
    """Return the wait for the end of the cooldown."""
    if begun is None:
        return None
    until = begun.at + parse_duration(limits.cooldown)
    if until <= now:
        return None
    message = f"waits until {time_text(until)}: {begun.event} at {time_text(begun.at)}, and limits.cooldown is "
    return Hold("Cooldown", message + limits.cooldown, until)
