"""How a monitor is told of in sentences."""

from __future__ import annotations

from steadfit.api.monitor import Drift, Monitor
from steadfit.core.types import Signal

from .thresholds import level


def subject(monitor: Monitor) -> str:
    """Return what a monitor watches, as the subject of a sentence."""
    if monitor.drift:
        return _drift(monitor.drift)
    if monitor.quality:
        return monitor.quality.metric
    if monitor.error_rate:
        return "the share of failed requests"
    if monitor.latency:
        return f"the {monitor.latency.quantile:g} quantile of the latency"
    return "the value of the expression"


def measured(monitor: Monitor, signal: Signal) -> str:
    """Return what was measured, beside the level that it fires at."""
    bound = level(monitor)
    samples = "" if signal.samples is None else f" from {signal.samples:.0f} samples"
    window = "" if monitor.query else f" over {monitor.window}"
    side = "above" if bound.above else "below"
    return f"{subject(monitor)} is {signal.value:.4g}{window}{samples}; it fires {side} {bound.limit:g}"


def _drift(drift: Drift) -> str:
    if drift.features == "Weighted":
        return f"the {drift.statistic} of the inputs, weighted by importance,"
    if drift.features == "Any":
        return f"the largest {drift.statistic} of an input"
    names = ", ".join(map(str, drift.features))
    return (
        f"the {drift.statistic} of {names}" if len(drift.features) == 1 else f"the largest {drift.statistic} of {names}"
    )
