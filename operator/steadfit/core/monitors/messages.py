"""Sentences about monitors."""

from __future__ import annotations

from steadfit.api.monitor import Monitor
from steadfit.core.types import Signal

from .kind import Recorded
from .registry import kind_of, measurement
from .thresholds import thresholds


def measured(monitor: Monitor, signal: Signal) -> str:
    """Return the measured value and the limit."""
    found = thresholds(monitor)
    subject = kind_of(monitor).subject(monitor.kind_spec)
    samples = "" if signal.samples is None else f" from {signal.samples:.0f} samples"
    window = f" over {monitor.window}" if isinstance(measurement(monitor), Recorded) else ""
    side = "above" if found.above else "below"
    interval = "" if signal.bound is None else f" (95 % interval {'from' if found.above else 'to'} {signal.bound:.4g})"
    return f"{subject} is {signal.value:.4g}{interval}{window}{samples}; it fires {side} {found.limit:g}"
