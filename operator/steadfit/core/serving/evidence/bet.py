"""E-process against "no harm": bets on the arm of each voice that goes bad, mixed over the time of the break.

Without a harm, a voice that goes bad within a second belongs to the candidate with at most the candidate's share of the
voices then. A bet on a candidate whose voices go bad `ratio` times as often multiplies by the likelihood ratio of the
arms that came, and its expectation is at most 1. The products from all starting times, each with its share of alpha,
have one sum, which needs one number: (sum + share of this second) * factor. Ville's inequality holds for it: without a
harm it ever reaches 1 / alpha with a probability of at most alpha.
"""

from __future__ import annotations

import math

RATIOS = (2.5, 20.0)
"""How many times as often the candidate's voices go bad: a small harm, and a plain one."""
PRIOR = (0.2, 0.8)
"""Shares of the two."""
CEILING = 1e100
"""Largest value of a sum. A cap keeps the test valid, and far more is never needed."""
LARGEST_GAIN = 200.0


def gain(candidate: float, both: float, share: float, ratio: float) -> float:
    """Return the logarithm of the factor of one second.

    Parameters
    ----------
    candidate
        Number of the candidate's voices that go bad.
    both
        The same of both arms.
    share
        The largest probability that one of them is the candidate's if there is no harm.
    ratio
        How many times as often the candidate's voices go bad by this bet.
    """
    return candidate * math.log(ratio) - both * math.log1p((ratio - 1) * share)


def after(total: float, begun: float, factor: float) -> float:
    """Return a sum after one second with the logarithm of its factor.

    Parameters
    ----------
    total
        The sum before.
    begun
        Share of alpha of the bets that begin with this second.
    factor
        Logarithm of the factor, from `gain`.
    """
    return min((total + begun) * math.exp(min(factor, LARGEST_GAIN)), CEILING)
