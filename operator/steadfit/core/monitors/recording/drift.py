"""Recording rules for drift from the server's counters, for all models at once.

Bins are frozen at training, so counters of replicas add up and a restart loses next to nothing. Shares are smoothed
by half a sample a bin (Jeffreys), the reference in the same way: no logarithm of zero, no model without a value.
PSI is recorded less what chance alone gives it, (bins - 1) * (1/n + 1/rows of the reference).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from steadfit.core.promql import MODEL, Rule, record
from steadfit.core.series import RecordedSeries, ServerSeries

PREDICTION = "prediction"
"""The feature that stands for the model's own answers."""
FEATURE = f"{MODEL}, feature"
BIN = f"{FEATURE}, bin"

# A column of this name would be counted with the answers, so it is not watched.
_INPUTS = f'feature!="{PREDICTION}"'


@dataclass(frozen=True, slots=True)
class InputSeries:
    """The recorded series of one statistic: by feature, the mean by importance, the largest one."""

    each: RecordedSeries
    weighted: RecordedSeries
    maximum: RecordedSeries


INPUTS: Mapping[str, InputSeries] = {
    "PSI": InputSeries(RecordedSeries.DRIFT_PSI, RecordedSeries.DRIFT_PSI_WEIGHTED, RecordedSeries.DRIFT_PSI_MAX),
    "JS": InputSeries(RecordedSeries.DRIFT_JS, RecordedSeries.DRIFT_JS_WEIGHTED, RecordedSeries.DRIFT_JS_MAX),
}
"""The series by statistic."""


def drift(window: str, period: str) -> Iterator[Rule]:
    """Return the rules for one window; `period` is the window in PromQL. Each may use those before it."""
    label = f'window="{window}"'
    increase = f"{RecordedSeries.FEATURE_BIN_INCREASE}{{{label}}}"
    samples = f"{RecordedSeries.FEATURE_INCREASE}{{{label}}}"
    reference = f"{RecordedSeries.FEATURE_BIN_REFERENCE}{{{label}}}"
    bins = f"{RecordedSeries.FEATURE_BINS}{{{label}}}"
    ratio = f"{RecordedSeries.FEATURE_BIN_RATIO}{{{label}}}"
    answers = {"window": window, "feature": PREDICTION}

    yield record(
        RecordedSeries.FEATURE_BIN_INCREASE,
        f"sum by ({BIN}) (increase({ServerSeries.FEATURE_BIN}{{{_INPUTS}}}[{period}]))",
        window=window,
    )
    yield record(
        RecordedSeries.FEATURE_BIN_INCREASE,
        f"sum by ({MODEL}, bin) (increase({ServerSeries.PREDICTION_BIN}[{period}]))",
        **answers,
    )
    yield record(RecordedSeries.FEATURE_INCREASE, f"sum by ({FEATURE}) ({increase})", window=window)
    # All replicas of a version export the same shares.
    yield record(
        RecordedSeries.FEATURE_BIN_REFERENCE,
        f"max by ({BIN}) ({ServerSeries.FEATURE_REFERENCE}{{{_INPUTS}}})",
        window=window,
    )
    yield record(
        RecordedSeries.FEATURE_BIN_REFERENCE, f"max by ({MODEL}, bin) ({ServerSeries.PREDICTION_REFERENCE})", **answers
    )
    yield record(RecordedSeries.FEATURE_BINS, f"count by ({FEATURE}) ({reference})", window=window)
    yield record(
        RecordedSeries.FEATURE_BIN_RATIO,
        f"({increase} + 0.5) / on ({FEATURE}) group_left () (({samples} > 0) + 0.5 * {bins})",
        window=window,
    )
    yield record(
        RecordedSeries.DRIFT_PSI,
        f"sum by ({FEATURE}) (({ratio} - {reference}) * ln({ratio} / {reference}))"
        f" - on ({FEATURE}) (({bins} - 1) * (1 / {samples}"
        f" + on ({MODEL}) group_left () (1 / (max by ({MODEL}) ({ServerSeries.REFERENCE_SAMPLES}) > 0))))",
        window=window,
    )
    yield record(
        RecordedSeries.DRIFT_JS,
        f"sqrt(clamp_min(0.5 * sum by ({FEATURE}) ("
        f"{ratio} * log2(2 * {ratio} / ({ratio} + {reference}))"
        f" + {reference} * log2(2 * {reference} / ({ratio} + {reference}))), 0))",
        window=window,
    )
    for series in INPUTS.values():
        yield from _over_all_inputs(series, window)


def _over_all_inputs(series: InputSeries, window: str) -> Iterator[Rule]:
    """Return the mean by importance and the maximum over a model's inputs."""
    inputs = f'{series.each}{{{_INPUTS}, window="{window}"}}'
    importance = f"max by ({FEATURE}) ({ServerSeries.FEATURE_IMPORTANCE}{{{_INPUTS}}})"
    yield record(
        series.weighted,
        f"sum by ({MODEL}) ({inputs} * on ({FEATURE}) {importance})"
        f" / on ({MODEL}) (sum by ({MODEL}) ({importance} and on ({FEATURE}) {inputs}) > 0)",
        window=window,
    )
    yield record(series.maximum, f"max by ({MODEL}) ({inputs})", window=window)
