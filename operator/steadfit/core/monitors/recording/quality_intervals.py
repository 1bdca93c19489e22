"""Recording rules for the ends of 95 % intervals of quality, on the side where it is good.

A fall in quality is one only when this end lies beyond the level too. The rows are taken as independent of each other.

- Accuracy: Wilson's interval of a share (`wilson.py`).
- F1: a monotone function of TP/(TP + FP + FN), which is a share given that sum, so the ends of Wilson's interval of it.
- Balanced accuracy: the standard errors of both recalls, added in squares, each with Wilson's term of z²/4n², without
  which a recall of 1 would have none.
- Area under the ROC curve: its standard error by Hanley and McNeil (Radiology 143 (1982)). It is rather too large for
  models, which separate the classes better than the distribution that it is derived from.
- Brier score and mean absolute error are means over rows: the standard error of a mean. The counters give the second
  moment of the absolute error; that of the Brier score is taken at the middle of each twentieth.

The root mean squared error and the calibration error have none: no counter gives the spread of squared errors, and
chance moves the calibration error of every bin away from 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from steadfit.core.promql import MODEL, Rule, number, record
from steadfit.core.series import RecordedSeries, ServerSeries

from . import wilson
from .quality import BINS, LOWER, UPPER, outcomes, outcomes_sum
from .wilson import Z

BOUNDS: Mapping[str, RecordedSeries] = {
    "accuracy": RecordedSeries.QUALITY_ACCURACY_UPPER,
    "balanced_accuracy": RecordedSeries.QUALITY_BALANCED_ACCURACY_UPPER,
    "f1": RecordedSeries.QUALITY_F1_UPPER,
    "roc_auc": RecordedSeries.QUALITY_ROC_AUC_UPPER,
    "brier_score": RecordedSeries.QUALITY_BRIER_SCORE_LOWER,
    "mae": RecordedSeries.QUALITY_MAE_LOWER,
}
"""The end of the interval on the good side, by metric."""


def quality_intervals(window: str, period: str) -> Iterator[Rule]:
    """Return the rules for one window, after those of the metrics; `period` is the window in PromQL."""
    decided = outcomes_sum(window, 'outcome=~"positive|negative|correct|wrong"')
    expressions = {
        "accuracy": wilson.upper(_value(window, RecordedSeries.QUALITY_ACCURACY), decided),
        "balanced_accuracy": _balanced_accuracy(window),
        "f1": _f1(window),
        "roc_auc": _roc_auc(window),
        "brier_score": _brier_score(window),
        "mae": _mae(window, period),
    }
    for metric, expression in expressions.items():
        yield record(BOUNDS[metric], expression, window=window)


def _balanced_accuracy(window: str) -> str:
    """Return the value and half of the root of both squares."""
    squares = []
    for matcher, right, wrong in (('outcome="positive"', UPPER, LOWER), ('outcome="negative"', LOWER, UPPER)):
        hits, misses = (outcomes(window, f"{matcher}, {bins}") for bins in (right, wrong))
        hit, rows = f"sum by ({MODEL}) ({hits} or 0 * {misses})", f"({outcomes_sum(window, matcher)} > 0)"
        squares.append(f"({hit} * ({rows} - {hit}) / {rows} + {number(Z**2 / 4)}) / {rows} ^ 2")
    value = _value(window, RecordedSeries.QUALITY_BALANCED_ACCURACY)
    return f"{value} + {number(Z / 2)} * sqrt({' + '.join(squares)})"


def _f1(window: str) -> str:
    value = _value(window, RecordedSeries.QUALITY_F1)
    hits, misses = (outcomes(window, f'outcome="positive", {bins}') for bins in (UPPER, LOWER))
    false_alarms = outcomes(window, f'outcome="negative", {UPPER}')
    whole = f"sum by ({MODEL}) (2 * {hits} or {misses} or {false_alarms})"
    share = wilson.upper(f"({value} / (2 - {value}))", f"({whole} * (1 - {value} / 2))")
    return f"2 / (1 + 1 / ({share}))"


def _roc_auc(window: str) -> str:
    area = _value(window, RecordedSeries.QUALITY_ROC_AUC)
    positives, negatives = (outcomes_sum(window, f'outcome="{outcome}"') for outcome in ("positive", "negative"))
    variance = (
        f"({area} * (1 - {area}) + ({positives} - 1) * ({area} / (2 - {area}) - {area} ^ 2)"
        f" + ({negatives} - 1) * (2 * {area} ^ 2 / (1 + {area}) - {area} ^ 2)) / ({positives} * {negatives})"
    )
    return f"{area} + {number(Z)} * sqrt(clamp_min({variance}, 0))"


def _brier_score(window: str) -> str:
    value, rows = (
        _value(window, RecordedSeries.QUALITY_BRIER_SCORE),
        outcomes_sum(window, 'outcome=~"positive|negative"'),
    )
    terms = []
    for index in range(BINS):
        middle = (2 * index + 1) / (2 * BINS)
        for outcome, error in (("positive", 1 - middle), ("negative", middle)):
            counted = outcomes(window, f'bin="{index}", outcome="{outcome}"')
            terms.append(f"{number(error**4)} * {counted}")
    fourth = f"sum by ({MODEL}) ({' or '.join(terms)})"
    return f"{value} - {number(Z)} * sqrt(clamp_min({fourth} / {rows} - {value} ^ 2, 0) / {rows})"


def _mae(window: str, period: str) -> str:
    value, rows = _value(window, RecordedSeries.QUALITY_MAE), outcomes_sum(window, 'outcome="observed"')
    squared = f"sum by ({MODEL}) (increase({ServerSeries.FEEDBACK_SQUARED_ERROR}[{period}]))"
    return f"{value} - {number(Z)} * sqrt(clamp_min({squared} / {rows} - {value} ^ 2, 0) / {rows})"


def _value(window: str, series: RecordedSeries) -> str:
    return f'sum by ({MODEL}) ({series}{{window="{window}"}})'
