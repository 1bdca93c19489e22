"""The kind `quality`: a metric of the answers, by outcomes that were posted back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from steadfit.api.monitor import Quality
from steadfit.core.monitors.kind import AlertText, Limit, Recorded, one_of_two
from steadfit.core.monitors.recording import quality as rules
from steadfit.core.promql import Rule
from steadfit.core.series import RecordedSeries

MIN_SAMPLES = 200

_NAMES = {
    "accuracy": "accuracy",
    "roc_auc": "area under the ROC curve",
    "brier_score": "Brier score",
    "calibration_error": "calibration error",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
}
"""The metrics in words."""


def limit(quality: Quality) -> Limit:
    """Return the limit; a metric that is better when larger cannot pass 1."""
    return one_of_two(quality.min, quality.max, largest=1.0 if quality.min is not None else None)


def measurement(quality: Quality) -> Recorded:
    """Return the recorded metric."""
    return Recorded(RecordedSeries[f"QUALITY_{quality.metric.upper()}"], RecordedSeries.FEEDBACK)


def subject(quality: Quality) -> str:
    """Return what is measured."""
    return quality.metric


def alert_name(_: Quality) -> str:
    """Return the name of the alert."""
    return "ModelQualityLow"


def summary(quality: Quality, text: AlertText) -> str:
    """Return the sentence of the alert."""
    metric = _NAMES[quality.metric]
    return f"The {metric} of {text.model} is {text.value} over {text.window}, {text.expected} is expected."


def recording_rules(_: Sequence[Quality], window: str, period: str) -> Iterator[Rule]:
    """Return the rules for the outcomes and all metrics."""
    return rules.quality(window, period)
