"""The kind `errorRate`: the share of inference requests that the server failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from steadfit.api.monitor import ErrorRate
from steadfit.core.monitors.kind import AlertText, Limit, Recorded
from steadfit.core.monitors.recording import requests as rules
from steadfit.core.promql import Rule
from steadfit.core.series import RecordedSeries

MIN_SAMPLES = 100


def limit(error_rate: ErrorRate) -> Limit:
    """Return the limit, a share."""
    return Limit(error_rate.max, above=True)


def measurement(_: ErrorRate) -> Recorded:
    """Return the recorded share of failed requests."""
    return Recorded(RecordedSeries.ERROR_RATIO, RecordedSeries.REQUESTS, bound=RecordedSeries.ERROR_RATIO_LOWER)


def subject(_: ErrorRate) -> str:
    """Return what is measured."""
    return "the share of failed requests"


def alert_name(_: ErrorRate) -> str:
    """Return the name of the alert."""
    return "ModelErrorsHigh"


def summary(_: ErrorRate, text: AlertText) -> str:
    """Return the sentence of the alert."""
    return (
        f"{text.model} failed {{{{ $value | humanizePercentage }}}} of its requests over {text.window}, "
        f"{text.expected} of them is expected."
    )


def recording_rules(_: Sequence[ErrorRate], window: str, period: str) -> Iterator[Rule]:
    """Return the rules for the requests, the share of those that were answered with 5xx, and its interval."""
    yield rules.requests(window, period)
    yield rules.error_ratio(window, period)
    yield rules.error_ratio_lower(window)
