"""How much better one model is than another on the same rows, with a 95 % interval of that difference.

Both models answer the same rows, so what makes a row hard for both cancels out: a paired comparison tells models apart
on far fewer rows than two separate scores do. Differences are signed so that positive is better, whichever way the
metric goes.

- Accuracy: the interval follows from the rows on which just one of the two is right (McNemar, Psychometrika 12 (1947)).
- All others: the percentile interval of a paired bootstrap, which draws rows, and both answers with each row (Efron and
  Tibshirani, An Introduction to the Bootstrap (1993), chapter 13). That of the calibration error is rather too
  long than too short, as chance moves the error of every bin away from 0. That of the average precision is too short
  where there are few positive rows (Boyd, Eng and Page, ECML PKDD 2013, LNCS 8190): count on it from some 100 of them.
"""

from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from steadfit_trainer.metrics.answers import Answers, Floats, OfResamples, UndefinedMetricError
from steadfit_trainer.metrics.intervals import McNemar, PairedBootstrap
from steadfit_trainer.metrics.registry import METRICS

MAX_ROWS = 20_000
RESAMPLES = 1000
# Together this many numbers of a resample's matrix are in memory at once.
_CHUNK = 1_000_000
# With fewer rows on which they differ, the normal interval is too short.
_EXACT_BELOW = 50
_Z = 1.959963984540054


@dataclass(frozen=True)
class Comparison:
    """The outcome for two models on the same rows.

    Attributes
    ----------
    value : float
        The other model's value of the metric.
    difference : float
        How much better the first one is.
    lower, upper : float
        Ends of the 95 % interval of the difference.
    rows : int
        Rows that both answered.
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


def compare(name: str, new: Answers, other: Answers, seed: int) -> Comparison:
    """Compare two models' answers to the same rows, in the same order, by the metric of this name.

    Raises
    ------
    UndefinedMetricError
        If the metric has no value for one of them, or means something else of a model with two classes.
    """
    metric = METRICS[name]
    sign = 1.0 if metric.goal == "Maximize" else -1.0
    value = metric.value(other)
    difference = sign * (metric.value(new) - value)
    rows = len(new.truth)
    match metric.interval:
        case McNemar(right):
            lower, upper, method = mcnemar(right(new), right(other))
        case PairedBootstrap(of_resamples):
            if (new.classes == 2) != (other.classes == 2):
                raise UndefinedMetricError(
                    f"one of the models has {new.classes} classes and the other {other.classes}, and {name} of two"
                    " classes is another measure than of several."
                )
            lower, upper = _bootstrap(of_resamples(new), of_resamples(other), sign, rows, seed)
            method = "paired bootstrap"
        case _:
            assert_never(metric.interval)
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


def _bootstrap(new: OfResamples, other: OfResamples, sign: float, rows: int, seed: int) -> tuple[float, float]:
    """Return the percentile interval of the difference over resamples of the rows.

    A resample in which the metric has no value (a class is missing in it) is left out.

    Raises
    ------
    UndefinedMetricError
        If more than half of them have none.
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
