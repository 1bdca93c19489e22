"""Where a monitor that something follows from stands: a value over time becomes a phase.

No data is no verdict: neither does a monitor fire on it, nor does it go on firing. A phase keeps the value it began
with, so that a value which only moves writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from steadfit.api.base import parse_duration
from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.monitor import Monitor, MonitorState
from steadfit.core.text import cut
from steadfit.core.types import Signal

from . import messages as monitor_messages
from .thresholds import least_samples, level

NO_DATA = "NoData"
FIRING = "Firing"

NOTHING_SERVES = Signal(reason="no version serves, so there is nothing to measure", code="NothingServes")
_NOT_MEASURED = Signal(reason="not measured yet", code="NotMeasured")


@dataclass(frozen=True, slots=True)
class Watched:
    """A monitor after one look.

    Attributes
    ----------
    code
        Why there is no data, in CamelCase; empty when there is some, or when that was found before this process.
    due
        When a phase ends by itself.
    """

    state: MonitorState
    code: str = ""
    due: datetime | None = None


def acting(deployment: ModelDeployment) -> list[Monitor]:
    """Return the monitors that the operator itself acts on; those of action Alert are left to Prometheus."""
    return [monitor for monitor in deployment.spec.monitors if monitor.action != "Alert"]


def measured(deployment: ModelDeployment) -> list[Monitor]:
    """Return the monitors that the operator measures: those it acts on, and every query.

    A query may be for another source than the Prometheus that evaluates rules, so its alert is made of what the
    operator exports of it.
    """
    return [monitor for monitor in deployment.spec.monitors if monitor.action != "Alert" or monitor.query]


def query_key(monitor: Monitor) -> tuple[object, ...]:
    """Return what a monitor asks of its source. Equal questions have equal values, whatever the levels are."""
    drift, quality, query = monitor.drift, monitor.quality, monitor.query
    return (
        monitor.window,
        drift and (drift.statistic, drift.features),
        quality and quality.metric,
        monitor.error_rate is not None,
        monitor.latency and monitor.latency.quantile,
        query and (query.source, query.prom_ql),
    )


def enough(monitor: Monitor, signal: Signal) -> Signal:
    """Return a signal, or no data when it was taken from too few samples."""
    least = least_samples(monitor)
    if signal.value is None or signal.samples is None or signal.samples >= least:
        return signal
    # Without the number itself: the sentence stays as it is while samples come in, and nothing is written for each.
    return Signal(reason=f"fewer than {least} samples in {monitor.window}", code="TooFewSamples")


def standing(monitor: Monitor, signal: Signal) -> tuple[str, str]:
    """Return what of a signal decides: two signals of one standing lead to the same phase."""
    signal = enough(monitor, signal)
    return (NO_DATA, signal.reason) if signal.value is None else (level(monitor).side(signal.value), "")


def watch(
    deployment: ModelDeployment, status: ModelDeploymentStatus, signals: Mapping[str, Signal], now: datetime
) -> Sequence[Watched]:
    """Return where the monitors stand, in the order of the spec.

    `status` is the one that is being planned: what was measured of another version than its live one does not count.
    """
    before, live = deployment.status, status.live
    same = live is not None and before.live is not None and live.number == before.live.number
    states = {state.name: state for state in before.monitors}
    watched = []
    for monitor in acting(deployment):
        signal = NOTHING_SERVES if live is None else signals.get(monitor.name) if same else None
        watched.append(judge(monitor, states.get(monitor.name), signal, now))
    return watched


def alerting(deployment: ModelDeployment, signals: Mapping[str, Signal], now: datetime) -> Sequence[Watched]:
    """Return where the queries of action Alert stand, as far as they were measured.

    Their alerts are Prometheus's, and none of it is kept; but who wrote an expression looks here for what is wrong.
    """
    acted_on = {monitor.name for monitor in acting(deployment)}
    return [
        judge(monitor, None, signals[monitor.name], now)
        for monitor in measured(deployment)
        if monitor.name not in acted_on and monitor.name in signals
    ]


def judge(monitor: Monitor, before: MonitorState | None, signal: Signal | None, now: datetime) -> Watched:
    """Return where a monitor stands after a signal; None = this process has not measured it yet."""
    if signal is None:
        if before is not None and before.phase in ("OK", NO_DATA):
            # Nothing follows from these, so a restart need not write them anew.
            return Watched(before)
        signal = _NOT_MEASURED
    signal = enough(monitor, signal)
    if signal.value is None:
        return Watched(_no_data(monitor, before, signal, now), signal.code)
    phase = _phase(monitor, before, signal.value, now)
    if before is None or before.phase != phase:
        before = MonitorState(
            name=monitor.name,
            phase=phase,
            since=now,
            value=float(f"{signal.value:.6g}"),
            samples=None if signal.samples is None else round(signal.samples),
            message=monitor_messages.measured(monitor, signal),
        )
    return Watched(before, due=before.since + _patience(monitor) if phase == "Pending" else None)


def _no_data(monitor: Monitor, before: MonitorState | None, signal: Signal, now: datetime) -> MonitorState:
    message = cut(signal.reason)
    since = before.since if before is not None and before.phase == NO_DATA else now
    return MonitorState(name=monitor.name, phase=NO_DATA, since=since, message=message)


def _phase(
    monitor: Monitor, before: MonitorState | None, value: float, now: datetime
) -> Literal["OK", "Pending", "Firing"]:
    side = level(monitor).side(value)
    if before is not None and before.phase == FIRING:
        return "OK" if side == "Safe" else "Firing"
    if side != "Bad":
        return "OK"
    since = before.since if before is not None and before.phase == "Pending" else now
    return "Firing" if now - since >= _patience(monitor) else "Pending"


def _patience(monitor: Monitor) -> timedelta:
    return parse_duration(monitor.for_) if monitor.for_ else timedelta(0)
