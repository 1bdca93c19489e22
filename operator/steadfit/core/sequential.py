"""Is one mean larger than another, asked again and again while samples come in.

A test that is made for one look finds a difference where there is none if it is looked at often enough. The likelihood
ratio against a mixture of differences, the mixture sequential probability ratio test, holds at every look at once: its
chance of ever passing 1 / alpha without a difference is at most alpha. The confidence sequence is its inverse: all
differences that it does not rule out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

WORSE_ALPHA = 0.01
"""Chance that a candidate as good as the champion is ever found worse by one metric."""
PASS_ALPHA = 0.05
"""Chance that one which is worse by the margin is ever let through by one metric."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the samples so far say of a harm: by how much the candidate's mean is larger (worse) than the champion's.

    Attributes
    ----------
    ratio
        Logarithm of the likelihood ratio against no difference.
    upper
        The upper end of the harm's confidence sequence.
    """

    word: Literal["Pass", "Fail", "Inconclusive"]
    ratio: float
    upper: float


def look(harm: float, variance: float, margin: float) -> Look:
    """Return what a harm with the variance of its estimate says, when one up to the margin is bearable.

    The mixture's width is the margin: harms of about that size are to be told from none with the fewest samples.
    """
    mixture = margin**2
    total = variance + mixture
    ratio = 0.5 * math.log(variance / total) + harm**2 * mixture / (2 * variance * total)
    reach = 2 * variance * total / mixture * (math.log(1 / PASS_ALPHA) + 0.5 * math.log(total / variance))
    upper = harm + math.sqrt(reach)
    if harm > 0 and ratio >= math.log(1 / WORSE_ALPHA):
        return Look("Fail", ratio, upper)
    return Look("Pass" if upper < margin else "Inconclusive", ratio, upper)
