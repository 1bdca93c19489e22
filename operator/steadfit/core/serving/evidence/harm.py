"""Upper end of the harm's confidence sequence: the candidate's share of bad requests less the champion's.

Each second counts by itself (Mantel and Haenszel), so what befalls both arms at once cancels out. The variance is that
of independent requests times the design effect of the voices. With few bad requests of the candidate no normal
approximation holds: the bound is then that of a beta-binomial mixture on the candidate alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .sums import Sums

PASS_ALPHA = 0.05
"""Maximum probability that one metric ever passes a candidate that is worse by the margin."""
FEWEST_BAD = 5
"""Fewest bad requests of the candidate for the normal approximation."""
FEWEST_VOICES = 12
"""Fewest voices of each arm that a candidate passes by."""
CORRELATION = 0.05
"""Correlation within a voice that is assumed before bad requests show it."""
ASSUMED = 10.0
"""Number of voices with bad requests that the assumption counts as much as."""
WIDTH = 1.0
"""Standard deviation of the mixture in margins."""


@dataclass(frozen=True, slots=True)
class Bound:
    """How large the harm may be.

    Attributes
    ----------
    harm
        Its estimate.
    upper
        Upper end of its confidence sequence.
    over
        Upper end of the harm less the margin; below 0 the candidate is not worse by the margin.
    """

    harm: float
    upper: float
    over: float


def bound(candidate: Sums, champion: Sums, absolute: float, relative: float) -> Bound:
    """Return how large the harm may be.

    Parameters
    ----------
    candidate, champion
        Both arms; each has requests in the same seconds.
    absolute
        The least margin.
    relative
        The margin as a part of the champion's rate; the larger one holds.
    """
    effect = design_effect(candidate, champion)
    harm = (candidate.weighted_bad - champion.weighted_bad) / candidate.weighted
    one, other = (arm.variance * effect for arm in (candidate, champion))
    margin = max(absolute, relative * champion.rate)
    part = relative if relative * champion.rate > absolute else 0.0
    if candidate.bad < FEWEST_BAD:
        upper = exact_upper(candidate.bad, candidate.requests / effect)
        return Bound(harm, upper, upper - margin)
    mixture = (WIDTH * margin) ** 2
    upper = harm + _reach(one + other, mixture)
    over = harm - margin + _reach(one + (1 + part) ** 2 * other, mixture)
    return Bound(harm, upper, over)


def design_effect(candidate: Sums, champion: Sums) -> float:
    """Return the factor on the variance of independent requests; at least 1.

    A few bad requests say little of the correlation within voices, so it starts from an assumed one.
    """
    arms = candidate, champion
    squared = sum(arm.squared for arm in arms)
    size = sum(arm.requests_requests for arm in arms) / squared
    if size <= 1 + 1e-9:
        return 1.0
    plain = sum(arm.rate * (1 - arm.rate) * arm.squared for arm in arms)
    seen = sum(arm.between(arm.rate) for arm in arms) / plain
    voices = sum(arm.bad_voices for arm in arms)
    correlation = (voices * max(0.0, (seen - 1) / (size - 1)) + ASSUMED * CORRELATION) / (voices + ASSUMED)
    return 1 + (size - 1) * correlation


def exact_upper(bad: int, requests: float) -> float:
    """Return the upper end of the confidence sequence of one rate, from a beta-binomial mixture (Jeffreys' prior)."""
    good = max(requests - bad, 0.0)
    if not good:
        return 1.0
    mixture = math.lgamma(bad + 0.5) + math.lgamma(good + 0.5) - math.lgamma(bad + good + 1) - math.log(math.pi)
    target = mixture - math.log(1 / PASS_ALPHA)
    low, high = bad / (bad + good), 1.0
    for _ in range(40):
        rate = (low + high) / 2
        likelihood = (bad * math.log(rate) if bad else 0.0) + good * math.log1p(-rate)
        low, high = (low, rate) if likelihood < target else (rate, high)
    return high


def _reach(variance: float, mixture: float) -> float:
    """Return the width of the upper half of the confidence sequence, from a normal mixture."""
    total = variance + mixture
    return math.sqrt(2 * variance * total / mixture * (math.log(1 / PASS_ALPHA) + 0.5 * math.log(total / variance)))
