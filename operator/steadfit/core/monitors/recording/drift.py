"""Recording rules for drift from the server's counters, for all models at once.

Bins are frozen at training, so counters of replicas add up and a restart loses next to nothing. Shares are smoothed
by half a sample a bin (Jeffreys), the reference in the same way: no logarithm of zero, no model without a value.
PSI is recorded less what chance alone gives it, (bins - 1) * (1/n + 1/rows of the reference).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from steadfit.core.promql import MODEL, Rule, record
from steadfit.core.series import RecordedSeries, ServerSeries

FEATURE = f"{MODEL}, feature"


@dataclass(frozen=True, slots=True)
class BinnedSeries:
    """The series of one distribution: what the server exports, and what the rules record of it.

    Attributes
    ----------
    labels
        Labels that tell one distribution from another.
    counted
        Rows by bin, a counter.
    expected
        Share of the training rows in each bin.
    increase
        Rows of the window by bin.
    samples
        Rows of the window.
    reference
        `expected` without the labels of replicas.
    bins
        Number of bins.
    ratio
        Share of the window's rows in each bin, smoothed.
    psi
        Population stability index.
    js
        Jensen-Shannon distance.
    """

    labels: str
    counted: ServerSeries
    expected: ServerSeries
    increase: RecordedSeries
    samples: RecordedSeries
    reference: RecordedSeries
    bins: RecordedSeries
    ratio: RecordedSeries
    psi: RecordedSeries
    js: RecordedSeries


INPUTS = BinnedSeries(
    labels=FEATURE,
    counted=ServerSeries.FEATURE_BIN,
    expected=ServerSeries.FEATURE_REFERENCE,
    increase=RecordedSeries.FEATURE_BIN_INCREASE,
    samples=RecordedSeries.FEATURE_INCREASE,
    reference=RecordedSeries.FEATURE_BIN_REFERENCE,
    bins=RecordedSeries.FEATURE_BINS,
    ratio=RecordedSeries.FEATURE_BIN_RATIO,
    psi=RecordedSeries.DRIFT_PSI,
    js=RecordedSeries.DRIFT_JS,
)
ANSWERS = BinnedSeries(
    labels=MODEL,
    counted=ServerSeries.PREDICTION_BIN,
    expected=ServerSeries.PREDICTION_REFERENCE,
    increase=RecordedSeries.PREDICTION_BIN_INCREASE,
    samples=RecordedSeries.PREDICTION_INCREASE,
    reference=RecordedSeries.PREDICTION_BIN_REFERENCE,
    bins=RecordedSeries.PREDICTION_BINS,
    ratio=RecordedSeries.PREDICTION_BIN_RATIO,
    psi=RecordedSeries.PREDICTION_DRIFT_PSI,
    js=RecordedSeries.PREDICTION_DRIFT_JS,
)


def drift(series: BinnedSeries, window: str, period: str) -> Iterator[Rule]:
    """Return the rules for one window; `period` is the window in PromQL. Each may use those before it."""
    label = f'window="{window}"'
    increase = f"{series.increase}{{{label}}}"
    samples = f"{series.samples}{{{label}}}"
    reference = f"{series.reference}{{{label}}}"
    bins = f"{series.bins}{{{label}}}"
    ratio = f"{series.ratio}{{{label}}}"
    by, by_bin = series.labels, f"{series.labels}, bin"

    yield record(series.increase, f"sum by ({by_bin}) (increase({series.counted}[{period}]))", window=window)
    yield record(series.samples, f"sum by ({by}) ({increase})", window=window)
    # All replicas of a version export the same shares.
    yield record(series.reference, f"max by ({by_bin}) ({series.expected})", window=window)
    yield record(series.bins, f"count by ({by}) ({reference})", window=window)
    yield record(
        series.ratio,
        f"({increase} + 0.5) / on ({by}) group_left () (({samples} > 0) + 0.5 * {bins})",
        window=window,
    )
    yield record(
        series.psi,
        f"sum by ({by}) (({ratio} - {reference}) * ln({ratio} / {reference}))"
        f" - on ({by}) (({bins} - 1) * (1 / {samples}"
        f" + on ({MODEL}) group_left () (1 / (max by ({MODEL}) ({ServerSeries.REFERENCE_SAMPLES}) > 0))))",
        window=window,
    )
    yield record(
        series.js,
        f"sqrt(clamp_min(0.5 * sum by ({by}) ("
        f"{ratio} * log2(2 * {ratio} / ({ratio} + {reference}))"
        f" + {reference} * log2(2 * {reference} / ({ratio} + {reference}))), 0))",
        window=window,
    )


def over_all_inputs(
    each: RecordedSeries, weighted: RecordedSeries, maximum: RecordedSeries, window: str
) -> Iterator[Rule]:
    """Return the rules for the mean by importance and the maximum of a statistic over a model's inputs."""
    inputs = f'{each}{{window="{window}"}}'
    importance = f"max by ({FEATURE}) ({ServerSeries.FEATURE_IMPORTANCE})"
    yield record(
        weighted,
        f"sum by ({MODEL}) ({inputs} * on ({FEATURE}) {importance})"
        f" / on ({MODEL}) (sum by ({MODEL}) ({importance} and on ({FEATURE}) {inputs}) > 0)",
        window=window,
    )
    yield record(maximum, f"max by ({MODEL}) ({inputs})", window=window)
