"""The kind `drift`: how far the inputs have moved from the training data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from steadfit.api.monitor import Drift
from steadfit.core.monitors.kind import AlertText, Limit, Recorded, Selection
from steadfit.core.monitors.recording import drift as rules
from steadfit.core.monitors.recording.requests import predictions
from steadfit.core.promql import Rule
from steadfit.core.series import RecordedSeries

MIN_SAMPLES = 500


@dataclass(frozen=True, slots=True)
class _Series:
    """The recorded series of one statistic: by feature, the mean by importance, the largest one."""

    each: RecordedSeries
    weighted: RecordedSeries
    maximum: RecordedSeries


_SERIES = {
    "PSI": _Series(RecordedSeries.DRIFT_PSI, RecordedSeries.DRIFT_PSI_WEIGHTED, RecordedSeries.DRIFT_PSI_MAX),
    "JS": _Series(RecordedSeries.DRIFT_JS, RecordedSeries.DRIFT_JS_WEIGHTED, RecordedSeries.DRIFT_JS_MAX),
}
"""The series by statistic."""


def limit(drift: Drift) -> Limit:
    """Return the limit, in the unit of the statistic."""
    return Limit(drift.max, above=True)


def measurement(drift: Drift) -> Recorded:
    """Return the recorded drift: the weighted mean, the largest one, or that of the listed features."""
    series = _SERIES[drift.statistic]
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


def alert_name(_: Drift) -> str:
    """Return the name of the alert."""
    return "ModelInputDrift"


def summary(drift: Drift, text: AlertText) -> str:
    """Return the sentence of the alert."""
    measure = f"{drift.statistic} is {text.value} over {text.window}"
    return f"The inputs of {text.model} differ from its training data: {measure}, {text.expected} is expected."


def recording_rules(_: Sequence[Drift], window: str, period: str) -> Iterator[Rule]:
    """Return the rules for the predicted rows and the drift of each input and of all."""
    yield predictions(window, period)
    yield from rules.drift(rules.INPUTS, window, period)
    for series in _SERIES.values():
        yield from rules.over_all_inputs(series.each, series.weighted, series.maximum, window)
