"""The kind `quality`: a metric of the answers, by outcomes that were posted back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from steadfit.api.metrics import METRICS, models
from steadfit.api.monitor import Quality
from steadfit.core.monitors.kind import AlertText, Limit, Recorded, one_of_two
from steadfit.core.monitors.recording import quality as rules
from steadfit.core.monitors.recording.quality_intervals import BOUNDS, quality_intervals
from steadfit.core.promql import Rule
from steadfit.core.series import RecordedSeries

MIN_SAMPLES = 200


def limit(quality: Quality) -> Limit:
    """Return the limit, and the end of the metric's range."""
    return one_of_two(quality.min, quality.max, largest=METRICS[quality.metric].upper)


def measurement(quality: Quality) -> Recorded:
    """Return the recorded metric."""
    metric = METRICS[quality.metric]
    return Recorded(
        RecordedSeries[f"QUALITY_{metric.name.upper()}"],
        RecordedSeries.FEEDBACK,
        bound=BOUNDS.get(metric.name, ""),
        undefined=f"it is recorded for models of {models(metric.monitored)}, and not while a class that it needs has"
        " no outcome",
    )


def subject(quality: Quality) -> str:
    """Return what is measured."""
    return quality.metric


def alert_name(_: Quality) -> str:
    """Return the name of the alert."""
    return "ModelQualityLow"


def summary(quality: Quality, text: AlertText) -> str:
    """Return the sentence of the alert."""
    metric = METRICS[quality.metric].title
    return f"The {metric} of {text.model} is {text.value} over {text.window}, {text.expected} is expected."


def recording_rules(_: Sequence[Quality], window: str, period: str) -> Iterator[Rule]:
    """Return the rules for the outcomes, all metrics and their intervals."""
    yield from rules.quality(window, period)
    yield from quality_intervals(window, period)


def recover_metric(quality: Quality) -> str:
    """Return the metric that the versions are scored by."""
    return quality.metric
