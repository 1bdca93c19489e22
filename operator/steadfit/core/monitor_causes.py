"""Which monitors ask for a run: those of action Retrain that fire. No data is no verdict, so it asks for nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.run import Cause

from .time_text import time_text


@dataclass(frozen=True, slots=True)
class FiringMonitor:
    """A monitor that fires.

    Attributes
    ----------
    name
        The ModelDeployment and its monitor as `<deployment>/<monitor>`.
    since
        Since when it fires.
    message
        What it says, in a sentence.
    """

    name: str
    since: datetime
    message: str


def firing(deployments: Iterable[ModelDeployment]) -> list[FiringMonitor]:
    """Return the monitors that ask for a run, by name. A monitor that is not in the spec any more asks for nothing."""
    found = []
    for deployment in sorted(deployments, key=lambda item: item.name):
        if deployment.metadata.deletion_timestamp is not None:
            continue
        retrain = {monitor.name for monitor in deployment.spec.monitors if monitor.action == "Retrain"}
        found += [
            FiringMonitor(f"{deployment.name}/{state.name}", state.since, state.message)
            for state in sorted(deployment.status.monitors, key=lambda state: state.name)
            if state.phase == "Firing" and state.name in retrain
        ]
    return found


def causes(monitors: Iterable[FiringMonitor], now: datetime) -> list[Cause]:
    """Return a cause for each monitor that fires."""
    return [
        Cause(
            type="Monitor",
            key=f"{monitor.name}@{time_text(now)}",
            monitor=monitor.name,
            message=f"monitor {monitor.name} fires: {monitor.message}"[:1024],
        )
        for monitor in monitors
    ]
