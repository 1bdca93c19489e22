"""Recording rules for quality, from outcomes that were posted back, counted by score bin (or class) and outcome.

Which metrics a model has follows from its outcomes: positive and negative are binary, correct and wrong several
classes, observed a number. The area under the ROC curve is that of the scores cut into twentieths, pairs within a bin
counting half; the calibration error takes the middle of a bin for its mean score. Labels are cut at a score of 0.5.
Several classes are counted by the predicted class alone, which gives neither F1 nor balanced accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator

from steadfit.core.promql import MODEL, Rule, record
from steadfit.core.series import RecordedSeries, ServerSeries

BINS = 20
"""Bins of a score, from 0 to 1."""

_LABELLED = "positive|negative"
UPPER, LOWER = 'bin=~"1[0-9]"', 'bin=~"[0-9]"'
"""Bins whose label is positive, and negative."""


def quality(window: str, period: str) -> Iterator[Rule]:
    """Return the rules for one window; `period` is the window in PromQL. Each may use those before it."""
    yield record(
        RecordedSeries.FEEDBACK_INCREASE,
        f"sum by ({MODEL}, bin, outcome) (increase({ServerSeries.FEEDBACK}[{period}]))",
        window=window,
    )
    yield record(RecordedSeries.FEEDBACK, outcomes_sum(window), window=window)

    decided = outcomes_sum(window, f'outcome=~"{_LABELLED}|correct|wrong"')
    right = " or ".join(
        (
            outcomes(window, f'outcome="positive", {UPPER}'),
            outcomes(window, f'outcome="negative", {LOWER}'),
            outcomes(window, 'outcome="correct"'),
        )
    )
    yield record(RecordedSeries.QUALITY_ACCURACY, f"sum by ({MODEL}) ({right}) / ({decided} > 0)", window=window)

    binary = outcomes_sum(window, f'outcome=~"{_LABELLED}"')
    positives, negatives = outcomes_sum(window, 'outcome="positive"'), outcomes_sum(window, 'outcome="negative"')
    yield record(RecordedSeries.QUALITY_F1, _f1(window), window=window)
    yield record(RecordedSeries.QUALITY_BALANCED_ACCURACY, _balanced_accuracy(window), window=window)
    yield record(
        RecordedSeries.QUALITY_ROC_AUC,
        f"sum by ({MODEL}) ({_pairs(window)}) / ({positives} * {negatives} > 0)",
        window=window,
    )
    yield record(
        RecordedSeries.QUALITY_CALIBRATION_ERROR,
        f"sum by ({MODEL}) ({_miscalibrated(window)}) / ({binary} > 0)",
        window=window,
    )
    squared = f"sum by ({MODEL}) (increase({ServerSeries.FEEDBACK_SQUARED_ERROR}[{period}]))"
    absolute = f"sum by ({MODEL}) (increase({ServerSeries.FEEDBACK_ABSOLUTE_ERROR}[{period}]))"
    observed = outcomes_sum(window, 'outcome="observed"')
    yield record(RecordedSeries.QUALITY_BRIER_SCORE, f"{squared} / ({binary} > 0)", window=window)
    yield record(RecordedSeries.QUALITY_MAE, f"{absolute} / ({observed} > 0)", window=window)
    yield record(RecordedSeries.QUALITY_RMSE, f"sqrt({squared} / ({observed} > 0))", window=window)


def _f1(window: str) -> str:
    """Return 2 TP / (2 TP + FP + FN), as long as there are positives. Terms are joined as in `_pairs`."""
    hits, misses = (outcomes(window, f'outcome="positive", {bins}') for bins in (UPPER, LOWER))
    false_alarms = outcomes(window, f'outcome="negative", {UPPER}')
    part = f"sum by ({MODEL}) (2 * {hits} or 0 * {misses})"
    whole = f"sum by ({MODEL}) (2 * {hits} or {misses} or {false_alarms})"
    positives = outcomes_sum(window, 'outcome="positive"')
    return f"{part} / {whole} and {positives} > 0"


def _balanced_accuracy(window: str) -> str:
    """Return the mean of both recalls, as long as there are rows of both classes."""
    recalls = []
    for matcher, right, wrong in (('outcome="positive"', UPPER, LOWER), ('outcome="negative"', LOWER, UPPER)):
        hits, misses = (outcomes(window, f"{matcher}, {bins}") for bins in (right, wrong))
        recalls.append(f"sum by ({MODEL}) ({hits} or 0 * {misses}) / ({outcomes_sum(window, matcher)} > 0)")
    return f"0.5 * ({' + '.join(recalls)})"


def _pairs(window: str) -> str:
    """Return, by bin, its positives times the negatives below the bin, plus half of those within it.

    One term a bin, joined by `or`: an absent bin does not remove the others.
    """
    terms = []
    for index in range(BINS):
        here = _by_bin(window, f'outcome="positive", bin="{index}"')
        below = outcomes_sum(window, f'outcome="negative", bin=~"{_up_to(index - 1)}"')
        upto = outcomes_sum(window, f'outcome="negative", bin=~"{_up_to(index)}"')
        negatives = f"0.5 * ({below} + {upto})" if index else f"0.5 * {upto}"
        terms.append(f"{here} * on ({MODEL}) group_left () ({negatives})")
    return " or ".join(terms)


def _miscalibrated(window: str) -> str:
    """Return, by bin, the absolute difference between the positives and those that the score predicts."""
    terms = []
    for index in range(BINS):
        middle = (2 * index + 1) / (2 * BINS)
        both = _by_bin(window, f'outcome=~"{_LABELLED}", bin="{index}"')
        positive = _by_bin(window, f'outcome="positive", bin="{index}"')
        terms.append(f"abs({positive} - {middle} * {both})")
    return " or ".join(terms)


def _up_to(index: int) -> str:
    return "|".join(str(number) for number in range(index + 1))


def outcomes(window: str, matchers: str = "") -> str:
    """Return the selector of the outcomes of a window."""
    return f'{RecordedSeries.FEEDBACK_INCREASE}{{window="{window}"{", " if matchers else ""}{matchers}}}'


def _by_bin(window: str, matchers: str) -> str:
    return f"sum by ({MODEL}, bin) ({outcomes(window, matchers)})"


def outcomes_sum(window: str, matchers: str = "") -> str:
    """Return their number."""
    return f"sum by ({MODEL}) ({outcomes(window, matchers)})"
