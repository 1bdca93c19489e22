"""The kind `drift`: how far the inputs have moved from the training data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from steadfit.api.monitor import Drift
from steadfit.core.monitors.kind import AlertText, Limit, Recorded, Selection
from steadfit.core.monitors.recording import drift as rules
from steadfit.core.monitors.recording.requests import predictions
from steadfit.core.promql import Rule
from steadfit.core.series import RecordedSeries

MIN_SAMPLES = 500

_PREDICTION = [rules.PREDICTION]


def limit(drift: Drift) -> Limit:
    """Return the limit, in the unit of the statistic."""
    return Limit(drift.max, above=True)


def measurement(drift: Drift) -> Recorded:
    """Return the recorded drift: the weighted mean, the largest one, or that of the listed features."""
    series = rules.INPUTS[drift.statistic]
    if drift.features == "Weighted":
        return Recorded(series.weighted, RecordedSeries.PREDICTIONS)
    if drift.features == "Any":
        return Recorded(series.maximum, RecordedSeries.PREDICTIONS)
    listed = Selection(
        "feature",
        tuple(map(str, drift.features)),
        any_value=series.maximum,
        advice="correct drift.features, or is it not among the 64 most important ones?",
    )
    return Recorded(series.each, RecordedSeries.PREDICTIONS, listed)


def subject(drift: Drift) -> str:
    """Return what is measured."""
    if drift.features == "Weighted":
        return f"the {drift.statistic} of the inputs, weighted by importance,"
    if drift.features == "Any":
        return f"the largest {drift.statistic} of an input"
    names = ", ".join(map(str, drift.features))
    return (
        f"the {drift.statistic} of {names}" if len(drift.features) == 1 else f"the largest {drift.statistic} of {names}"
    )


def alert_name(drift: Drift) -> str:
    """Return the name of the alert."""
    return "ModelPredictionDrift" if drift.features == _PREDICTION else "ModelInputDrift"


def summary(drift: Drift, text: AlertText) -> str:
    """Return the sentence of the alert."""
    what = "answers" if drift.features == _PREDICTION else "inputs"
    measure = f"{drift.statistic} is {text.value} over {text.window}"
    return f"The {what} of {text.model} differ from its training data: {measure}, {text.expected} is expected."


def recording_rules(_: Sequence[Drift], window: str, period: str) -> Iterator[Rule]:
    """Return the rules for the predicted rows and the drift of every input."""
    yield predictions(window, period)
    yield from rules.drift(window, period)
