"""Mantel-Haenszel difference of two arms, stratified by time slices.

The difference is taken within each slice and weighted by the slice's information. A disturbance of both arms at once,
such as a network failure or an hour of difficult requests, so cancels out, even if the candidate's share of the traffic
has changed.

Requests are not independent, as those on one connection come from one client. The design effect corrects for this: the
variance between slices relative to that of independent requests. Its estimate from few slices is uncertain, so the
upper confidence limit is used, and a fixed bound with fewer than eight slices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from steadfit.core.types import Arm

from .msprt import SMALLEST_VARIANCE

FEWEST = 8
"""Minimum slices to estimate the design effect."""
BOUND = 20.0
"""Design effect with fewer slices. It is that of connections of 100 requests with an intraclass correlation of 0.2
(1 + 99 * 0.2), as when one client in ten fails 30 % of its requests and the others 1 %."""
LIMIT_Z = 3.09
"""Standard normal quantile of the upper confidence limit of the design effect, 99.9 %."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Counts of both arms in one slice of time, and sums of the compared value."""

    candidate_count: float
    candidate_sum: float
    champion_count: float
    champion_sum: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Both arms, and the stratified difference: the candidate's mean minus the champion's."""

    candidate: Arm
    champion: Arm
    difference: float


def pair(slices: Sequence[Slice], candidate_variance: float, champion_variance: float) -> Pair | None:
    """Return both arms and their stratified difference; None if no slice has samples of both.

    Parameters
    ----------
    slices
        Slices in any order. Those with samples of one arm only count for the means, not for the difference.
    candidate_variance, champion_variance
        Variance of one sample of each arm.
    """
    both = [one for one in slices if one.candidate_count > 0 and one.champion_count > 0]
    if not both:
        return None
    weights = [_weight(one) for one in both]
    total = sum(weights)
    weighted = [_weighted(one) for one in both]
    difference = sum(weighted) / total
    candidates, champions = (sum(one.candidate_count for one in slices), sum(one.champion_count for one in slices))
    # Stratification loses information compared with pooled samples, the more the shares change between slices.
    loss = candidates * champions / (candidates + champions) / total
    plain = (candidate_variance / candidates + champion_variance / champions) * loss
    squares = sum((value - difference * weight) ** 2 for value, weight in zip(weighted, weights, strict=True))
    effect = design_effect(squares / total**2 / max(plain, SMALLEST_VARIANCE), len(both))

    def arm(count: float, amount: float, variance: float) -> Arm:
        return Arm(count, amount / count, variance / count * loss * effect)

    return Pair(
        arm(candidates, sum(one.candidate_sum for one in slices), candidate_variance),
        arm(champions, sum(one.champion_sum for one in slices), champion_variance),
        difference,
    )


def design_effect(squares: float, slices: int) -> float:
    """Return the design effect, the factor on the variance of independent samples; at least 1.

    Parameters
    ----------
    squares
        Sum of the slices' squared deviations in units of that variance: about 1 for independent samples.
    slices
        Number of slices.
    """
    if slices < FEWEST:
        return BOUND
    freedom = slices - 1
    # The lower quantile of the chi-squared distribution, by the Wilson-Hilferty approximation.
    part = 2 / (9 * freedom)
    lower = freedom * max(1 - part - LIMIT_Z * math.sqrt(part), 0.05) ** 3
    return max(1.0, squares * slices / lower)


def share_variance(count: float, events: float) -> float:
    """Return the variance of one sample of a share, estimated with half an event more, so that it is never 0."""
    # Counters that were reset between scrapes may show more events than samples.
    share = (min(events, count) + 0.5) / (count + 1)
    return share * (1 - share)


def _weight(one: Slice) -> float:
    return one.candidate_count * one.champion_count / (one.candidate_count + one.champion_count)


def _weighted(one: Slice) -> float:
    crossed = one.candidate_sum * one.champion_count - one.champion_sum * one.candidate_count
    return crossed / (one.candidate_count + one.champion_count)
