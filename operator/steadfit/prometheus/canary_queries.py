"""The queries that compare a candidate with its champion: one range query a metric, for both arms and all slices.

The value of a slice is the rise of each counter in it, summed over the pods: the difference of the counter's values at
both ends, which counts every request once, whatever the scrape interval is. Where one end is missing, as a pod came or
its counter was reset, it is what `increase` finds within the slice.

Slices grow with the time since the start, so that there are never more than 30. They are never shorter than 15 s: a
connection lives for about 30 s, and the requests of one connection are alike, so much shorter slices would be too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from steadfit.api.base import parse_duration
from steadfit.api.strategy import AnalysisMetric
from steadfit.core.promql import number, one_of, seconds, string
from steadfit.core.series import ServerSeries

from .canary_trial import Trial

MOST_SLICES = 30
SHORTEST_SECONDS = 15.0
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of the server's histogram of latency, in seconds."""

PART = "part"
"""Label of the sums that are not counted by outcome."""

QUALITY: Mapping[str, tuple[str, tuple[ServerSeries, ...]]] = {
    "accuracy": ("", ()),
    "brier_score": ('outcome=~"positive|negative"', (ServerSeries.FEEDBACK_SQUARED_ERROR,)),
    "mae": ('outcome="observed"', (ServerSeries.FEEDBACK_ABSOLUTE_ERROR, ServerSeries.FEEDBACK_SQUARED_ERROR)),
}
"""What each metric of quality is compared by: a matcher of outcomes, and the series of sums beside their counts."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Consecutive slices of time of equal length in whole seconds; the last one ends now."""

    first: int
    """When the first slice ends."""
    step: int
    count: int

    @property
    def last(self) -> int:
        """When the last slice ends."""
        return self.first + (self.count - 1) * self.step

    @property
    def ends(self) -> range:
        """When each slice ends."""
        return range(self.first, self.last + 1, self.step)


def grid(since: datetime, now: datetime, interval_seconds: float) -> Grid | None:
    """Return the slices since a time; None before the first whole one."""
    last = int(now.timestamp())
    elapsed = last - since.timestamp()
    step = math.ceil(max(SHORTEST_SECONDS, interval_seconds, elapsed / MOST_SLICES))
    count = int(elapsed // step)
    return Grid(last - (count - 1) * step, step, count) if count > 0 else None


def bucket(metric: AnalysisMetric) -> float:
    """Return the histogram bound for the limit of a latency: the next one above it, or the largest."""
    asked = parse_duration(metric.latency.max).total_seconds() if metric.latency else 0.0
    return next((bound for bound in BUCKETS if bound >= asked), BUCKETS[-1])


def series_of(metric: AnalysisMetric) -> ServerSeries:
    """Return the series whose samples a comparison counts."""
    if metric.error_rate:
        return ServerSeries.REQUESTS
    return ServerSeries.REQUEST_DURATION_BUCKET if metric.latency else ServerSeries.FEEDBACK


def comparison(trial: Trial, metric: AnalysisMetric, step: int) -> str:
    """Return the expression for one slice, which ends at the time of the query."""
    if metric.error_rate:
        return _rise(trial, ServerSeries.REQUESTS, step, "code")
    if metric.latency:
        return _rise(
            trial, ServerSeries.REQUEST_DURATION_BUCKET, step, "le", f"le{one_of([*_texts(bucket(metric)), '+Inf'])}"
        )
    if metric.quality:
        outcomes, sums = QUALITY[metric.quality.metric]
        counts = _rise(trial, ServerSeries.FEEDBACK, step, "bin, outcome", outcomes)
        return " or ".join([counts, *(_part(trial, series, step) for series in sums)])
    raise ValueError(f"metric {metric.name} compares nothing")


def _rise(trial: Trial, series: ServerSeries, step: int, labels: str, matcher: str = "") -> str:
    length = seconds(step)
    selected = (
        f"{series}{{namespace={string(trial.namespace)},model={string(trial.name)},"
        f"revision{one_of(sorted((trial.revision, trial.champion_revision)))}{',' if matcher else ''}{matcher}}}"
    )
    by = f"revision, {labels}" if labels else "revision"
    return f"sum by ({by}) ({selected} - {selected} offset {length} >= 0 or increase({selected}[{length}]))"


def _part(trial: Trial, series: ServerSeries, step: int) -> str:
    return f'label_replace({_rise(trial, series, step, "")}, "{PART}", "{series}", "", "")'


def _texts(bound: float) -> list[str]:
    """Return the spellings of a bound: versions of Prometheus differ for whole numbers."""
    return [number(bound), f"{bound:.1f}"] if bound.is_integer() else [number(bound)]
