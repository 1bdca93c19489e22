"""Two arms beside each other, slice of time by slice of time.

The difference of the arms is taken within each slice and weighted by what the slice tells (Mantel and Haenszel). What
befalls both arms at once, a broken network or an hour of hard questions, then counts for neither, also when the
candidate's share of the traffic has grown in between.

Requests are not independent: those on one connection come from one client. How much less they tell is seen in how far
the slices differ from each other, beyond what independent requests would: the design effect. Of a few slices it is
known badly, so its upper confidence limit is taken, and a documented bound while there are fewer than eight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from steadfit.core.types import Arm

from .msprt import SMALLEST_VARIANCE

FEWEST = 8
"""Slices that a design effect is taken from."""
BOUND = 20.0
"""The design effect before that: of connections of 100 requests each, whose clients are as different as one in ten that
fails 30 % of the time is from others that fail 1 % (1 + 99 * 0.2)."""
LIMIT_Z = 3.09
"""The upper limit of the design effect holds in 99.9 of 100 cases."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What both arms answered in one slice of time: how much, and the sum of what is compared."""

    candidate_count: float
    candidate_sum: float
    champion_count: float
    champion_sum: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Both arms, and the candidate's mean less the champion's by slices."""

    candidate: Arm
    champion: Arm
    difference: float


def pair(slices: Sequence[Slice], candidate_variance: float, champion_variance: float) -> Pair | None:
    """Return what the slices say of both arms; None when no slice has samples of both.

    Parameters
    ----------
    slices
        In any order; those without samples of both arms count for the means alone.
    candidate_variance, champion_variance
        Of one sample of each arm.
    """
    both = [one for one in slices if one.candidate_count > 0 and one.champion_count > 0]
    if not both:
        return None
    weights = [_weight(one) for one in both]
    total = sum(weights)
    weighted = [_weighted(one) for one in both]
    difference = sum(weighted) / total
    candidates, champions = (sum(one.candidate_count for one in slices), sum(one.champion_count for one in slices))
    # Slices weigh less together than all samples would at once, the more so the more the shares change in between.
    lost = candidates * champions / (candidates + champions) / total
    plain = (candidate_variance / candidates + champion_variance / champions) * lost
    squares = sum((value - difference * weight) ** 2 for value, weight in zip(weighted, weights, strict=True))
    effect = design_effect(squares / total**2 / max(plain, SMALLEST_VARIANCE), len(both))

    def arm(count: float, amount: float, variance: float) -> Arm:
        return Arm(count, amount / count, variance / count * lost * effect)

    return Pair(
        arm(candidates, sum(one.candidate_sum for one in slices), candidate_variance),
        arm(champions, sum(one.champion_sum for one in slices), champion_variance),
        difference,
    )


def design_effect(squares: float, slices: int) -> float:
    """Return by how much the variance is larger than that of independent samples; never smaller.

    `squares` are the slices' squared deviations together, in units of that variance: about 1 if they are independent.
    """
    if slices < FEWEST:
        return BOUND
    freedom = slices - 1
    # The lower quantile of a chi-square, by Wilson and Hilferty.
    part = 2 / (9 * freedom)
    lower = freedom * max(1 - part - LIMIT_Z * math.sqrt(part), 0.05) ** 3
    return max(1.0, squares * slices / lower)


def share_variance(count: float, events: float) -> float:
    """Return the variance of one sample of a share; half an event more, so that none seen is not none possible."""
    # Counters that began anew at different scrapes may show more events than samples.
    share = (min(events, count) + 0.5) / (count + 1)
    return share * (1 - share)


def _weight(one: Slice) -> float:
    return one.candidate_count * one.champion_count / (one.candidate_count + one.champion_count)


def _weighted(one: Slice) -> float:
    crossed = one.candidate_sum * one.champion_count - one.champion_sum * one.candidate_count
    return crossed / (one.candidate_count + one.champion_count)
