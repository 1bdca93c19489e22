"""Causes of retraining by monitors: firing ones of action Retrain, and of action Recover after concept drift.

A monitor without data causes no run, nor does a ModelDeployment in a dry run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.monitor import Monitor, MonitorState
from steadfit.api.run import Cause
from steadfit.core.monitors.evaluation import FIRING
from steadfit.core.monitors.kind import Limit
from steadfit.core.monitors.registry import RECOVER_KINDS, limit, recover_metric
from steadfit.core.monitors.relative import absolute
from steadfit.core.text import cut, time_text

from .diagnosis import for_state


@dataclass(frozen=True, slots=True)
class FiringMonitor:
    """A firing monitor that requests a run.

    Attributes
    ----------
    name
        The ModelDeployment and its monitor as `<deployment>/<monitor>`.
    since
        Time at which it started to fire.
    message
        Message of the monitor or of its diagnosis.
    metric, limit
        For a monitor of quality: the evaluation metric, and its level; else None.
    """

    name: str
    since: datetime
    message: str
    metric: str | None = None
    limit: Limit | None = None


def firing(deployments: Iterable[ModelDeployment]) -> list[FiringMonitor]:
    """Return the monitors that request a run, by name; a monitor that was removed from the spec does not."""
    return [
        FiringMonitor(f"{deployment.name}/{state.name}", state.since, message, *_level(deployment, state))
        for deployment in sorted(deployments, key=lambda item: item.name)
        if deployment.metadata.deletion_timestamp is None and not deployment.spec.dry_run
        for state, message in retraining(deployment, deployment.status)
    ]


def retraining(deployment: ModelDeployment, status: ModelDeploymentStatus) -> list[tuple[MonitorState, str]]:
    """Return the monitors of a deployment that request a run, by name, each with its reason; also in a dry run."""
    monitors = {monitor.name: monitor for monitor in deployment.spec.monitors}
    found = []
    for state in sorted(status.monitors, key=lambda state: state.name):
        message = _reason(monitors.get(state.name), state, status)
        if message is not None:
            found.append((state, message))
    return found


def causes(monitors: Iterable[FiringMonitor], now: datetime) -> list[Cause]:
    """Return the cause of a run for each monitor."""
    return [
        Cause(
            type="Monitor",
            key=f"{monitor.name}@{time_text(now)}",
            monitor=monitor.name,
            message=cut(f"monitor {monitor.name} fires: {monitor.message}"),
        )
        for monitor in monitors
    ]


def _level(deployment: ModelDeployment, state: MonitorState) -> tuple[str, Limit] | tuple[None, None]:
    """Return the evaluation metric and the level of a monitor, if it has the metric of an evaluation."""
    monitor = next((item for item in deployment.spec.monitors if item.name == state.name), None)
    known = absolute(monitor, deployment.status) if monitor else None
    if known is None or known.kind not in RECOVER_KINDS:
        return None, None
    return recover_metric(known), limit(known)


def _reason(monitor: Monitor | None, state: MonitorState, status: ModelDeploymentStatus) -> str | None:
    if monitor is None or state.phase != FIRING:
        return None
    if monitor.action == "Retrain":
        return state.message
    found = for_state(status, state) if monitor.action == "Recover" else None
    return found.message if found is not None and found.verdict == "ConceptDrift" else None
