"""The kind `predictionDrift`: how far the answers have moved from those on the training data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from steadfit.api.monitor import PredictionDrift
from steadfit.core.monitors.kind import AlertText, Limit, Recorded
from steadfit.core.monitors.recording import drift as rules
from steadfit.core.monitors.recording.requests import predictions
from steadfit.core.promql import Rule
from steadfit.core.series import RecordedSeries

MIN_SAMPLES = 500


def limit(drift: PredictionDrift) -> Limit:
    """Return the limit, in the unit of the statistic."""
    return Limit(drift.max, above=True)


def measurement(drift: PredictionDrift) -> Recorded:
    """Return the recorded drift."""
    series = {"PSI": RecordedSeries.PREDICTION_DRIFT_PSI, "JS": RecordedSeries.PREDICTION_DRIFT_JS}
    return Recorded(series[drift.statistic], RecordedSeries.PREDICTIONS)


def subject(drift: PredictionDrift) -> str:
    """Return what is measured."""
    return f"the {drift.statistic} of the answers"


def alert_name(_: PredictionDrift) -> str:
    """Return the name of the alert."""
    return "ModelPredictionDrift"


def summary(drift: PredictionDrift, text: AlertText) -> str:
    """Return the sentence of the alert."""
    measure = f"{drift.statistic} is {text.value} over {text.window}"
    return f"The answers of {text.model} differ from its training data: {measure}, {text.expected} is expected."


def recording_rules(_: Sequence[PredictionDrift], window: str, period: str) -> Iterator[Rule]:
    """Return the rules for the predicted rows and the drift of the answers."""
    yield predictions(window, period)
    yield from rules.drift(rules.ANSWERS, window, period)
