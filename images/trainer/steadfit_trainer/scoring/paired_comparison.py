"""How much better one model is than another on the same rows, with a 95 % interval of that difference.

Both models answer the same rows, so what makes a row hard for both cancels out: a paired comparison tells models apart
on far fewer rows than two separate scores do. Differences are signed so that positive is better, whichever way the
metric goes.

- Accuracy: the interval follows from the rows on which just one of the two is right (McNemar, Psychometrika 12 (1947)).
- All others: the percentile interval of a paired bootstrap, which draws rows, and both answers with each row (Efron and
  Tibshirani, An Introduction to the Bootstrap (1993), chapter 13). That of the calibration error is rather too
  long than too short, as chance moves the error of every bin away from 0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from steadfit_trainer.scoring import metrics
from steadfit_trainer.scoring.metrics import Answers, UndefinedMetricError

MAX_ROWS = 20_000
RESAMPLES = 1000
# Together this many numbers of a resample's matrix are in memory at once.
_CHUNK = 1_000_000
# With fewer rows on which they differ, the normal interval is too short.
_EXACT_BELOW = 50
_Z = 1.959963984540054

Floats = NDArray[np.float64]
Scores = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Comparison:
    """The outcome for two models on the same rows.

    Attributes
    ----------
    value : float
        The other model's value of the metric.
    difference : float
        How much better the first one is.
    lower : float
        Lower end of the 95 % interval of the difference.
    upper : float
        Upper end of it.
    rows : int
        Rows that both were judged by.
    method : str
        How the interval was found.
    """

    value: float
    difference: float
    lower: float
    upper: float
    rows: int
    method: str


def sample(rows: int, seed: int) -> NDArray[np.int64]:
    """Return which rows are compared: all, or as many as are enough, the same for the same seed."""
    if rows <= MAX_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, MAX_ROWS, replace=False))


def compare(metric: str, new: Answers, other: Answers, seed: int) -> Comparison:
    """Compare two models' answers to the same rows, in the same order.

    Raises
    ------
    UndefinedMetricError
        The metric has no value for one of them.
    """
    known = {**metrics.CLASSIFICATION, **metrics.REGRESSION}[metric]
    sign = 1.0 if metric in metrics.MAXIMIZED else -1.0
    value = known(other)
    difference = sign * (known(new) - value)
    rows = len(new.truth)
    if metric == "accuracy":
        lower, upper, method = mcnemar(_right(new), _right(other))
    else:
        lower, upper = _bootstrap(_SCORES[metric](new), _SCORES[metric](other), sign, rows, seed)
        method = "paired bootstrap"
    return Comparison(value, difference, lower, upper, rows, method)


def mcnemar(right: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[float, float, str]:
    """Return the 95 % interval of the difference of two shares of right answers to the same rows, and its name.

    Of m rows on which just one is right, the first is right on b: the difference is (2b - m)/n. With few such rows
    b/m has the exact interval of a binomial share (Clopper and Pearson, Biometrika 26 (1934)), given m; with many the
    difference is nearly normal, with variance (m - (2b - m)^2/n)/n^2 (Fleiss, Levin and Paik, Statistical Methods for
    Rates and Proportions (2003), section 13.1).
    """
    rows = len(right)
    better, differing = int((right & ~other).sum()), int((right != other).sum())
    if differing < _EXACT_BELOW:
        low = float(beta.ppf(0.025, better, differing - better + 1)) if better > 0 else 0.0
        high = float(beta.ppf(0.975, better + 1, differing - better)) if better < differing else 1.0
        return (2 * low - 1) * differing / rows, (2 * high - 1) * differing / rows, "exact McNemar"
    gain = 2 * better - differing
    half = _Z * float(np.sqrt(differing - gain**2 / rows)) / rows
    return gain / rows - half, gain / rows + half, "McNemar"


def _bootstrap(new: Scores, other: Scores, sign: float, rows: int, seed: int) -> tuple[float, float]:
    """Return the percentile interval of the difference over resamples of the rows.

    A resample in which the metric has no value (a class is missing in it) is left out.

    Raises
    ------
    UndefinedMetricError
        Those are more than half.
    """
    rng = np.random.default_rng(seed)
    found: list[Floats] = []
    chunk = max(1, _CHUNK // rows)
    for start in range(0, RESAMPLES, chunk):
        size = min(chunk, RESAMPLES - start)
        times = np.stack([np.bincount(rng.integers(0, rows, rows), minlength=rows) for _ in range(size)])
        weights = times.astype(np.float64)
        found.append(sign * (new(weights) - other(weights)))
    differences = np.concatenate(found)
    differences = differences[np.isfinite(differences)]
    if len(differences) < RESAMPLES / 2:
        raise UndefinedMetricError("too few rows of a class to tell how certain the difference is.")
    lower, upper = np.percentile(differences, [2.5, 97.5])
    return float(lower), float(upper)


# Each of these returns what computes a metric for many resamples at once, of how often each row was drawn: an array of
# shape [resamples, rows], whose sums over the rows are all the number of rows.


def _brier(judged: Answers) -> Scores:
    probabilities = _probabilities(judged)
    if probabilities.shape[1] == 2:
        errors = (probabilities[:, judged.positive] - (judged.truth == judged.positive)) ** 2
    else:
        errors = ((probabilities - np.eye(probabilities.shape[1])[judged.truth]) ** 2).sum(axis=1)
    return _mean(errors)


def _log_loss(judged: Answers) -> Scores:
    probabilities = _probabilities(judged)
    happened = probabilities[np.arange(len(judged.truth)), judged.truth]
    return _mean(-np.log(np.maximum(happened, np.finfo(np.float64).eps)))


def _calibration_error(judged: Answers) -> Scores:
    bins, beyond = metrics.miscalibration(judged)
    # Of a bin without rows nothing is added.
    each = np.zeros((len(bins), metrics.CALIBRATION_BINS))
    each[np.arange(len(bins)), bins] = beyond
    return lambda weights: np.asarray(np.abs(weights @ each).sum(axis=1) / len(bins))


def _mae(judged: Answers) -> Scores:
    return _mean(np.abs(judged.labels - judged.truth))


def _rmse(judged: Answers) -> Scores:
    squared = _mean((judged.labels - judged.truth) ** 2)
    return lambda weights: np.sqrt(squared(weights))


def _mean(errors: NDArray[Any]) -> Scores:
    exact = errors.astype(np.float64)
    return lambda weights: weights @ exact / len(exact)


def _roc_auc(judged: Answers) -> Scores:
    """Several classes: one against the rest, weighted by the class's share, as the metric itself."""
    probabilities = _probabilities(judged)
    if probabilities.shape[1] == 2:
        return _binary_auc(judged.truth == judged.positive, probabilities[:, judged.positive])
    classes = [(judged.truth == index, probabilities[:, index]) for index in range(probabilities.shape[1])]
    each = [_binary_auc(truth, scores) for truth, scores in classes]

    def weighted(weights: Floats) -> Floats:
        shares = [weights @ truth.astype(np.float64) / len(truth) for truth, _ in classes]
        total = np.zeros(len(weights))
        for share, auc in zip(shares, each, strict=True):
            total += share * auc(weights)
        return total

    return weighted


def _binary_auc(truth: NDArray[np.bool_], scores: Floats) -> Scores:
    """Return the AUC as the Mann-Whitney statistic over rows in the order of their scores, ties counting half."""
    order = np.argsort(scores, kind="stable")
    ordered, positive = scores[order], truth[order].astype(np.float64)
    groups = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))

    def auc(weights: Floats) -> Floats:
        drawn = weights[:, order]
        ups = np.add.reduceat(drawn * positive, groups, axis=1)
        downs = np.add.reduceat(drawn, groups, axis=1) - ups
        below = np.cumsum(downs, axis=1) - downs / 2
        positives, negatives = ups.sum(axis=1), downs.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((ups * below).sum(axis=1) / (positives * negatives))

    return auc


def _probabilities(judged: Answers) -> Floats:
    if judged.probabilities is None or (judged.truth < 0).any():
        raise UndefinedMetricError("The rows have labels that the model does not know.")
    return judged.probabilities


def _right(judged: Answers) -> NDArray[np.bool_]:
    return np.asarray((judged.truth == judged.labels) & (judged.truth >= 0))


_SCORES: Mapping[str, Callable[[Answers], Scores]] = {
    "roc_auc": _roc_auc,
    "brier_score": _brier,
    "log_loss": _log_loss,
    "calibration_error": _calibration_error,
    "mae": _mae,
    "rmse": _rmse,
}
