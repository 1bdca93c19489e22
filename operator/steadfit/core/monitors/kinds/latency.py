"""The kind `latency`: a quantile of the time from an inference request to its answer, in seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from steadfit.api.base import parse_duration
from steadfit.api.monitor import Latency
from steadfit.core.monitors.kind import AlertText, Limit, Recorded, Selection
from steadfit.core.monitors.recording import requests as rules
from steadfit.core.promql import Rule, number
from steadfit.core.series import RecordedSeries

MIN_SAMPLES = 100


def limit(latency: Latency) -> Limit:
    """Return the limit in seconds."""
    return Limit(parse_duration(latency.max).total_seconds(), above=True)


def measurement(latency: Latency) -> Recorded:
    """Return the recorded quantile."""
    return Recorded(
        RecordedSeries.LATENCY,
        RecordedSeries.REQUESTS,
        Selection("quantile", (number(latency.quantile),)),
        bound=RecordedSeries.LATENCY_LOWER,
    )


def subject(latency: Latency) -> str:
    """Return what is measured."""
    return f"the {latency.quantile:g} quantile of the latency"


def alert_name(_: Latency) -> str:
    """Return the name of the alert."""
    return "ModelLatencyHigh"


def summary(latency: Latency, text: AlertText) -> str:
    """Return the sentence of the alert."""
    measure = f"The {number(latency.quantile)} quantile of the latency of {text.model} is {text.value} s"
    return f"{measure} over {text.window}, {text.expected} s is expected."


def recording_rules(latencies: Sequence[Latency], window: str, period: str) -> Iterator[Rule]:
    """Return the rules for the requests, and for each quantile that a monitor of this window names and its interval."""
    yield rules.requests(window, period)
    if latencies:
        yield rules.latencies(window, period)
    for quantile in sorted({latency.quantile for latency in latencies}):
        yield rules.latency(window, quantile)
        yield rules.latency_lower(window, quantile)
