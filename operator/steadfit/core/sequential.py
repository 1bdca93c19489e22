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
MIXTURE = 2.0
"""Width of the mixture in margins: harms of about that size are told from none with the fewest samples."""


@dataclass(frozen=True, slots=True)
class Look:
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


def look(harm: float, variance: float, margin: float) -> Look:
    """Return what an estimated harm says, by the variance of its estimate, when one up to the margin is bearable."""
    mixture = (MIXTURE * margin) ** 2
    total = variance + mixture
    ratio = 0.5 * math.log(variance / total) + harm**2 * mixture / (2 * variance * total)
    reach = 2 * variance * total / mixture * (math.log(1 / PASS_ALPHA) + 0.5 * math.log(total / variance))
    upper = harm + math.sqrt(reach)
    if harm > 0 and ratio >= math.log(1 / FAIL_ALPHA):
        return Look("Fail", ratio, upper)
    return Look("Pass" if upper < margin else "Inconclusive", ratio, upper)
