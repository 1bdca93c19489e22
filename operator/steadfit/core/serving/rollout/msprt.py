"""Mixture sequential probability ratio test (mSPRT) of whether one mean is larger than another.

A fixed-sample test that is evaluated again and again finds a difference where there is none. The mSPRT is valid at
every evaluation at once: without a difference, the probability that its likelihood ratio ever exceeds 1 / alpha is at
most alpha. The confidence sequence is its inverse: all differences that the test does not reject.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from steadfit.core.types import SequentialResult

FAIL_ALPHA = 0.005
"""Maximum probability that one metric ever fails a candidate as good as the champion."""
PASS_ALPHA = 0.05
"""Maximum probability that one metric ever passes a candidate that is worse by the margin."""
NARROW = 2.0
"""Standard deviation of the narrow mixture in scales: harms of about this size need the fewest samples."""
WIDE = 10.0
"""Standard deviation of the wide mixture in scales: it finds a candidate that fails half of its requests within two
minutes. The mean of both likelihood ratios is valid as well."""
SMALLEST_VARIANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The largest acceptable harm.

    Attributes
    ----------
    margin
        The largest acceptable harm, in the metric's unit.
    scale
        Unit of the mixtures' standard deviations; above 0. The test is valid for any, and finds harms of about this
        size with the fewest samples.
    variance
        Variance of the estimated harm minus the margin. A margin relative to the champion's mean is an estimate too.
    """

    margin: float
    scale: float
    variance: float

    @classmethod
    def fixed(cls, margin: float, variance: float) -> Tolerance:
        """Return the tolerance of an absolute margin, with the variance of the estimated harm."""
        return cls(margin, margin, variance)


def sequential_test(harm: float, variance: float, tolerance: Tolerance) -> SequentialResult:
    """Return the result of the test.

    Parameters
    ----------
    harm
        Estimated harm, in the metric's unit; negative if the candidate is better.
    variance
        Variance of that estimate.
    tolerance
        The largest acceptable harm.
    """
    variance = max(variance, SMALLEST_VARIANCE)
    narrow, wide = (NARROW * tolerance.scale) ** 2, (WIDE * tolerance.scale) ** 2
    one, other = _ratio(harm, variance, narrow), _ratio(harm, variance, wide)
    ratio = max(one, other) + math.log1p(math.exp(-abs(one - other))) - math.log(2)
    upper = harm + _reach(max(tolerance.variance, SMALLEST_VARIANCE), narrow)
    if harm > 0 and ratio >= math.log(1 / FAIL_ALPHA):
        return SequentialResult("Fail", ratio, upper)
    return SequentialResult("Pass" if upper < tolerance.margin else "Inconclusive", ratio, upper)


def _reach(variance: float, mixture: float) -> float:
    """Return the width of the upper half of the confidence sequence."""
    total = variance + mixture
    return math.sqrt(2 * variance * total / mixture * (math.log(1 / PASS_ALPHA) + 0.5 * math.log(total / variance)))


def _ratio(harm: float, variance: float, mixture: float) -> float:
    """Return the logarithm of the likelihood ratio against a normal mixture with mean 0 and variance `mixture`."""
    total = variance + mixture
    return 0.5 * math.log(variance / total) + harm**2 * mixture / (2 * variance * total)
