"""Is one mean larger than another, asked again and again while samples come in.

A test that is made for one look finds a difference where there is none if it is looked at often enough. The likelihood
ratio against a mixture of differences, the mixture sequential probability ratio test, holds at every look at once: the
chance that it ever passes 1 / alpha without a difference is at most alpha. The confidence sequence is its inverse: all
differences that it does not rule out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

FAIL_ALPHA = 0.005
"""Chance that a candidate as good as the champion is ever found worse by one metric."""
PASS_ALPHA = 0.05
"""Chance that one which is worse by the margin is ever let through by one metric."""
NARROW = 2.0
"""Width of a mixture in scales: harms of about that size are told from none with the fewest samples."""
WIDE = 10.0
"""Width of the other one: a candidate that fails half of the time is told by it within two minutes. The mean of both
ratios is a ratio that holds as well."""
SMALLEST_VARIANCE = 1e-12


@dataclass(frozen=True, slots=True)
class SequentialResult:
    """What the samples so far say of a harm: by how much the candidate's mean is worse than the champion's.

    Attributes
    ----------
    word
        Fail: there is a harm. Pass: it is smaller than the margin. Inconclusive: neither is shown.
    ratio
        Logarithm of the likelihood ratio against no difference.
    upper
        The upper end of the harm's confidence sequence.
    """

    word: Literal["Pass", "Fail", "Inconclusive"]
    ratio: float
    upper: float


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The harm that is bearable.

    Attributes
    ----------
    margin
        How large it may be.
    scale
        What the widths of the mixtures are multiples of; above 0. The test holds for any, and finds harms of about that
        size soonest.
    variance
        Variance of the estimate of the harm less the margin. A margin that is a part of the champion's mean is an
        estimate too.
    """

    margin: float
    scale: float
    variance: float

    @classmethod
    def fixed(cls, margin: float, variance: float) -> Tolerance:
        """Return that of a margin which is no estimate, by the variance of the harm."""
        return cls(margin, margin, variance)


def sequential_test(harm: float, variance: float, tolerance: Tolerance) -> SequentialResult:
    """Return what an estimated harm says, by the variance of its estimate."""
    variance = max(variance, SMALLEST_VARIANCE)
    narrow, wide = (NARROW * tolerance.scale) ** 2, (WIDE * tolerance.scale) ** 2
    one, other = _ratio(harm, variance, narrow), _ratio(harm, variance, wide)
    ratio = max(one, other) + math.log1p(math.exp(-abs(one - other))) - math.log(2)
    upper = harm + _reach(max(tolerance.variance, SMALLEST_VARIANCE), narrow)
    if harm > 0 and ratio >= math.log(1 / FAIL_ALPHA):
        return SequentialResult("Fail", ratio, upper)
    return SequentialResult("Pass" if upper < tolerance.margin else "Inconclusive", ratio, upper)


def _reach(variance: float, mixture: float) -> float:
    """Return how far the confidence sequence reaches beyond its estimate."""
    total = variance + mixture
    return math.sqrt(2 * variance * total / mixture * (math.log(1 / PASS_ALPHA) + 0.5 * math.log(total / variance)))


def _ratio(harm: float, variance: float, mixture: float) -> float:
    """Return the logarithm of the likelihood ratio against one mixture, a normal one about no difference."""
    total = variance + mixture
    return 0.5 * math.log(variance / total) + harm**2 * mixture / (2 * variance * total)
