"""The evaluation of a monitor with an action: values over time become a phase.

No data is no verdict: a monitor neither starts firing without data nor goes on firing. A phase keeps the value that it
began with, so that a value which changes within a phase writes no status.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from steadfit.api.base import parse_duration
from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.monitor import Monitor, MonitorState
from steadfit.core.reasons.metrics import NoDataReason
from steadfit.core.text import cut
from steadfit.core.types import Signal

from . import messages
from .kind import Expression
from .registry import measurement
from .relative import absolute, is_relative, no_score
from .thresholds import Side, min_samples, thresholds

NO_DATA = "NoData"
FIRING = "Firing"

NOTHING_SERVES = Signal(reason="no version serves, so there is nothing to measure", code="NotServing")
_NOT_MEASURED = Signal(reason="not measured yet", code="NotMeasured")


@dataclass(frozen=True, slots=True)
class MonitorResult:
    """The result of one evaluation of a monitor.

    Attributes
    ----------
    code
        Why there is no data, in CamelCase; empty when there is data, or when an earlier process found that there is
        none.
    due
        When the phase ends without a new value.
    """

    state: MonitorState
    code: NoDataReason | Literal[""] = ""
    due: datetime | None = None


def monitors_with_action(deployment: ModelDeployment) -> list[Monitor]:
    """Return the monitors that the operator acts on. Those of action Alert are Prometheus's alone."""
    return [monitor for monitor in deployment.spec.monitors if monitor.action != "Alert"]


def measured_monitors(deployment: ModelDeployment) -> list[Monitor]:
    """Return the monitors that the operator measures: those with an action, and every expression.

    Prometheus cannot record a user's expression, so the alert of one reads the value that the operator exports. A level
    that is relative is that of the live version, if it has one.
    """
    return [
        absolute(monitor, deployment.status) or monitor
        for monitor in deployment.spec.monitors
        if monitor.action != "Alert" or isinstance(measurement(monitor), Expression)
    ]


def query_key(monitor: Monitor) -> tuple[object, ...]:
    """Return the key of what a monitor queries. It does not depend on limits."""
    return monitor.window, measurement(monitor)


def require_samples(monitor: Monitor, signal: Signal) -> Signal:
    """Return the signal, or no data if it has too few samples."""
    fewest = min_samples(monitor)
    if signal.value is None or signal.samples is None or signal.samples >= fewest:
        return signal
    # Without the number of samples: the message stays the same while samples come in, so no status is written for it.
    return Signal(reason=f"fewer than {fewest} samples in {monitor.window}", code="TooFewSamples")


def decision_key(monitor: Monitor, signal: Signal) -> tuple[str, str]:
    """Return the part of a signal that decides. Two signals with the same key lead to the same phase."""
    if is_relative(monitor):
        return NO_DATA, "no level"
    signal = require_samples(monitor, signal)
    return (
        (NO_DATA, signal.reason) if signal.value is None else (thresholds(monitor).side(signal.value, signal.bound), "")
    )


def evaluate_all(
    deployment: ModelDeployment, status: ModelDeploymentStatus, signals: Mapping[str, Signal], now: datetime
) -> Sequence[MonitorResult]:
    """Return the results of the monitors with an action, in the order of the spec.

    `status` is the planned status: values of any other version than its live one do not count.
    """
    before, live = deployment.status, status.live
    same = (
        live is not None
        and before.live is not None
        and (live.number, live.digest) == (before.live.number, before.live.digest)
    )
    states = {state.name: state for state in before.monitors}
    results = []
    for monitor in monitors_with_action(deployment):
        signal = NOTHING_SERVES if live is None else signals.get(monitor.name) if same else None
        known = absolute(monitor, status)
        if known is None and live is not None:
            signal = no_score(monitor, status)
        results.append(evaluate(known or monitor, states.get(monitor.name), signal, now))
    return results


def evaluate_alerts(
    deployment: ModelDeployment, status: ModelDeploymentStatus, signals: Mapping[str, Signal], now: datetime
) -> Sequence[MonitorResult]:
    """Return the results of monitors of action Alert that the operator knows of: queries, and those without a level.

    No status keeps them, as their alerts are Prometheus's. The condition MetricsAvailable shows the errors of an
    expression to its author, and that there is no alert of a monitor without a level.
    """
    with_action = {monitor.name for monitor in monitors_with_action(deployment)}
    queries = [
        evaluate(monitor, None, signals[monitor.name], now)
        for monitor in measured_monitors(deployment)
        if monitor.name not in with_action and monitor.name in signals
    ]
    without_level = [
        evaluate(monitor, None, no_score(monitor, status), now)
        for monitor in deployment.spec.monitors
        if monitor.name not in with_action and status.live is not None and absolute(monitor, status) is None
    ]
    return [*queries, *without_level]


def evaluate(monitor: Monitor, before: MonitorState | None, signal: Signal | None, now: datetime) -> MonitorResult:
    """Return the result of a monitor; a signal of None means that this process has not measured it yet."""
    if signal is None:
        if before is not None and before.phase in ("OK", NO_DATA):
            # Nothing follows from these phases, so a restart keeps them and writes nothing.
            return MonitorResult(before)
        signal = _NOT_MEASURED
    signal = require_samples(monitor, signal)
    if signal.value is None:
        return MonitorResult(_no_data(monitor, before, signal, now), signal.code)
    phase = _phase(monitor, before, thresholds(monitor).side(signal.value, signal.bound), now)
    if before is None or before.phase != phase:
        before = MonitorState(
            name=monitor.name,
            phase=phase,
            since=now,
            value=float(f"{signal.value:.6g}"),
            samples=None if signal.samples is None else round(signal.samples),
            message=messages.measured(monitor, signal),
        )
    return MonitorResult(before, due=before.since + _for(monitor) if phase == "Pending" else None)


def _no_data(monitor: Monitor, before: MonitorState | None, signal: Signal, now: datetime) -> MonitorState:
    message = cut(signal.reason)
    since = before.since if before is not None and before.phase == NO_DATA else now
    return MonitorState(name=monitor.name, phase=NO_DATA, since=since, message=message)


def _phase(
    monitor: Monitor, before: MonitorState | None, side: Side, now: datetime
) -> Literal["OK", "Pending", "Firing"]:
    if before is not None and before.phase == FIRING:
        return "OK" if side == "Clear" else "Firing"
    if side != "Breached":
        return "OK"
    since = before.since if before is not None and before.phase == "Pending" else now
    return "Firing" if now - since >= _for(monitor) else "Pending"


def _for(monitor: Monitor) -> timedelta:
    """Return how long a value must lie beyond the limit before the monitor fires."""
    return parse_duration(monitor.for_) if monitor.for_ else timedelta(0)
