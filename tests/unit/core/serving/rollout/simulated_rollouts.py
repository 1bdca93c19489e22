"""Thousands of rollouts at once, with the arithmetic of `paired_slices` and `sequential` in numpy.

A look comes once a slice (15 s). Arms are arrays of rollout and look; a test compares what comes out
with what the operator computes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from steadfit.core.serving.rollout import analysis, msprt, stratified_difference

LOOKS = 30
NEVER = 10_000
LEAST = 200
"""Samples of each arm before anything is said: the default of minSamples."""
FEWEST_EVENTS = 5

Array = NDArray[np.float64]


@dataclass
class Traffic:
    """What both arms answered at each look, and the sums of what is compared; squares only for means."""

    candidate: Array
    candidate_sum: Array
    champion: Array
    champion_sum: Array
    candidate_squares: Array | None = None
    champion_squares: Array | None = None


@dataclass
class Looked:
    """After one look: harm, its variance, and whether there is enough to say anything at all, or to say Fail."""

    harm: Array
    variance: Array
    champion: Array
    champion_variance: Array
    enough: NDArray[np.bool_]
    events: NDArray[np.bool_]


def sequential_test(traffic: Traffic, number: int, most: int = 30) -> Looked:
    """Return what is known after so many looks."""
    step = -(-number // most)
    n_c, e_c, n_s, e_s = (
        _slices(part[:, :number], step)
        for part in (traffic.candidate, traffic.candidate_sum, traffic.champion, traffic.champion_sum)
    )
    both = (n_c > 0) & (n_s > 0)
    together = np.where(both, n_c + n_s, 1.0)
    weights, weighted = n_c * n_s / together, np.where(both, e_c * n_s - e_s * n_c, 0.0) / together
    count = both.sum(1)
    total = np.maximum(weights.sum(1), 1e-12)
    harm = weighted.sum(1) / total
    sums = [part.sum(1) for part in (n_c, e_c, n_s, e_s)]
    c, s = np.maximum(sums[0], 1), np.maximum(sums[2], 1)
    plain = _one(sums[0], sums[1], _squares(traffic.candidate_squares, number, step)) / c
    plain_s = _one(sums[2], sums[3], _squares(traffic.champion_squares, number, step)) / s
    lost = c * s / (c + s) / total
    plain = (plain + plain_s) * lost
    squares = ((weighted - harm[:, None] * weights) ** 2 * both).sum(1) / total**2 / plain
    freedom = np.maximum(count - 1, 1)
    part = 2 / (9 * freedom)
    lower = freedom * np.maximum(1 - part - stratified_difference.LIMIT_Z * np.sqrt(part), 0.05) ** 3
    effect = np.where(
        count < stratified_difference.FEWEST, stratified_difference.BOUND, np.maximum(1.0, squares * count / lower)
    )
    enough = (sums[0] >= LEAST) & (sums[2] >= LEAST) & (count > 0)
    events = np.ones_like(enough) if traffic.candidate_squares is not None else sums[1] >= FEWEST_EVENTS
    return Looked(harm, plain * effect, sums[3] / s, plain_s * lost * effect, enough, events)


def outcomes(traffic: Traffic, margin: float, *, relative: bool = False) -> tuple[Array, Array]:
    """Return at which look each rollout was first found worse, and first let through; NEVER if it was not.

    A relative margin is a part of the champion's share of failures.
    """
    rollouts, looks = traffic.candidate.shape
    failed, passed = np.full(rollouts, float(NEVER)), np.full(rollouts, float(NEVER))
    for number in range(1, looks + 1):
        found = sequential_test(traffic, number)
        allowed, beyond = np.full(rollouts, margin), found.variance
        if relative:
            allowed = margin * found.champion
            beyond = found.variance + ((1 + margin) ** 2 - 1) * found.champion_variance
        scale = np.maximum(allowed, analysis.SHARE_SCALE) if relative else allowed
        narrow, wide = ((width * scale) ** 2 for width in (msprt.NARROW, msprt.WIDE))
        ratio = np.logaddexp(_ratio(found, narrow), _ratio(found, wide)) - np.log(2)
        total = beyond + narrow
        reach = np.log(1 / msprt.PASS_ALPHA) + 0.5 * np.log(total / beyond)
        upper = found.harm + np.sqrt(2 * beyond * total / narrow * reach)
        fails = found.enough & found.events & (found.harm > 0) & (ratio >= np.log(1 / msprt.FAIL_ALPHA))
        passes = found.enough & (upper < allowed) & ~fails
        failed = np.where((failed == NEVER) & fails, number, failed)
        passed = np.where((passed == NEVER) & (failed == NEVER) & passes, number, passed)
    return failed, passed


def independent(
    rng: np.random.Generator, rollouts: int, requests: int, ratio: int, candidate: float, champion: float
) -> Traffic:
    """Requests that have nothing to do with each other, `ratio` times as many to the champion."""
    n_c = np.full((rollouts, LOOKS), float(requests))
    n_s = n_c * ratio
    e_c, e_s = rng.binomial(requests, candidate, n_c.shape), rng.binomial(requests * ratio, champion, n_s.shape)
    return Traffic(n_c, e_c.astype(float), n_s, e_s.astype(float))


def brier(rng: np.random.Generator, rollouts: int, outcomes: int, ratio: int, off: float) -> Traffic:
    """Squared errors of scores against outcomes; the candidate's scores are off by so much."""

    def arm(count: int, wrong: float) -> tuple[Array, Array]:
        chance = rng.beta(2, 5, (rollouts, LOOKS, count))
        outcome = rng.random(chance.shape) < chance
        errors = (np.clip(chance + wrong, 0, 1) - outcome) ** 2
        return errors.sum(2), (errors**2).sum(2)

    candidate, champion = arm(outcomes, off), arm(outcomes * ratio, 0.0)
    counts = np.full((rollouts, LOOKS), float(outcomes))
    return Traffic(counts, candidate[0], counts * ratio, champion[0], candidate[1], champion[1])


def connections(
    rng: np.random.Generator, rollouts: int, requests: int, ratio: int, by_client: int, harm: float = 0.0
) -> Traffic:
    """Clients that differ and keep connections: one in ten fails 30 % of the time, the others 1 %.

    A connection goes to one arm, and the server closes it after 100 requests or 30 s (two looks), give or take a
    quarter. Each client sends `by_client` requests in a look.
    """
    clients = max(1, round(requests * (1 + ratio) / by_client))
    at_once = min(by_client, 10)
    longest = min(100, 2 * by_client)
    share = 1 / (1 + ratio)
    fails = np.where(rng.random((rollouts, clients)) < 0.1, 0.3, 0.01)
    mine = rng.random((rollouts, clients)) < share
    left = rng.uniform(0.75 * longest, 1.25 * longest, mine.shape) * rng.random(mine.shape)
    parts = [np.zeros((rollouts, LOOKS)) for _ in range(4)]
    for turn in range(LOOKS * by_client // at_once):
        now = turn * at_once // by_client
        errors = rng.binomial(at_once, np.minimum(fails + harm * mine, 1.0))
        parts[0][:, now] += at_once * mine.sum(1)
        parts[1][:, now] += (errors * mine).sum(1)
        parts[2][:, now] += at_once * (~mine).sum(1)
        parts[3][:, now] += (errors * ~mine).sum(1)
        left -= at_once
        closed = left <= 0
        many = int(closed.sum())
        mine[closed] = rng.random(many) < share
        left[closed] = rng.uniform(0.75 * longest, 1.25 * longest, many)
    return Traffic(*parts)


def share(found: Array) -> float:
    """Return how many of the rollouts it befell."""
    return float(np.mean(found != NEVER))


def _ratio(found: Looked, mixture: Array) -> Array:
    total = found.variance + mixture
    ratio: Array = 0.5 * np.log(found.variance / total) + found.harm**2 * mixture / (2 * found.variance * total)
    return ratio


def _slices(part: Array, step: int) -> Array:
    count = part.shape[1] // step
    recent = part[:, part.shape[1] - count * step :]
    summed: Array = recent.reshape(part.shape[0], count, step).sum(2)
    return summed


def _squares(part: Array | None, number: int, step: int) -> Array | None:
    return None if part is None else _slices(part[:, :number], step).sum(1)


def _one(count: Array, amount: Array, squares: Array | None) -> Array:
    """Return the variance of one sample: of a share, or of a squared error."""
    if squares is None:
        smoothed: Array = (amount + 0.5) / (count + 1)
        return smoothed * (1 - smoothed)
    found: Array = (squares - amount**2 / np.maximum(count, 1) + 0.25) / (count + 1)
    return found
