"""One look: what a difference and its variance say."""

from __future__ import annotations

import math

import pytest
from steadfit.core.serving.rollout.msprt import FAIL_ALPHA, Tolerance, sequential_test
from steadfit.core.serving.rollout.stratified_difference import (
    BOUND,
    FEWEST,
    Slice,
    design_effect,
    pair,
    share_variance,
)
from steadfit.core.types import SequentialResult


def looked(harm: float, variance: float) -> SequentialResult:
    return sequential_test(harm, variance, Tolerance.fixed(0.01, variance))


def ratio(harm: float, variance: float, width: float) -> float:
    """The likelihood ratio by integration over the mixture."""
    spread, steps = math.sqrt(variance), 20_000
    total, area = 0.0, 0.0
    for index in range(-steps, steps + 1):
        size = 8 * width * index / steps
        weight = math.exp(-(size**2) / (2 * width**2))
        total += weight * math.exp((harm**2 - (harm - size) ** 2) / (2 * spread**2))
        area += weight
    return total / area


def test_the_ratio_is_that_of_a_mixture_of_differences() -> None:
    found = looked(0.02, 0.006**2)
    expected = (ratio(0.02, 0.006**2, 0.02) + ratio(0.02, 0.006**2, 0.1)) / 2
    assert math.exp(found.ratio) == pytest.approx(expected, rel=1e-3)


def test_the_upper_end_is_the_largest_harm_that_is_not_ruled_out() -> None:
    found = looked(0.001, 0.004**2)
    assert ratio(found.upper - 0.001, 0.004**2, 0.02) == pytest.approx(20, rel=1e-3)


@pytest.mark.parametrize(
    ("harm", "spread", "word"),
    [
        (0.03, 0.005, "Fail"),
        (0.03, 0.02, "Inconclusive"),
        (0.0, 0.002, "Pass"),
        (-0.05, 0.01, "Pass"),
        (-0.001, 0.01, "Inconclusive"),
        (0.009, 0.001, "Fail"),  # within the margin, but surely worse
        (0.0, 1e-6, "Pass"),
        (0.5, 1e-6, "Fail"),
    ],
)
def test_a_harm_passes_fails_or_stays_open(harm: float, spread: float, word: str) -> None:
    assert looked(harm, spread**2).verdict == word


def test_being_better_is_never_a_failure() -> None:
    found = looked(-0.2, 0.01**2)
    assert found.ratio > math.log(1 / FAIL_ALPHA)
    assert found.verdict == "Pass"


def test_no_error_seen_is_not_none_possible() -> None:
    assert share_variance(100, 0) == pytest.approx(0.5 / 101 * (1 - 0.5 / 101))
    assert share_variance(100, 100) > 0
    assert share_variance(100, 103) > 0


def test_no_spread_at_all_is_no_error() -> None:
    assert looked(0.0, 0.0).verdict == "Pass"
    assert looked(1.0, 0.0).verdict == "Fail"


def slices(*rates: tuple[float, float], count: float = 100) -> list[Slice]:
    return [Slice(count, count * mine, 3 * count, 3 * count * theirs) for mine, theirs in rates]


def test_means_are_of_all_samples_and_the_difference_is_within_slices() -> None:
    quiet, burst = Slice(100, 1, 900, 9), Slice(500, 100, 500, 100)
    found = pair([quiet, burst], 0.1, 0.1)
    assert found is not None
    assert found.candidate.mean == pytest.approx(101 / 600)
    assert found.champion.mean == pytest.approx(109 / 1400)
    assert found.difference == pytest.approx(0)
    assert (found.candidate.count, found.champion.count) == (600, 1400)


def test_slices_that_differ_more_than_chance_make_the_variance_larger() -> None:
    even = pair(slices(*[(0.05, 0.05)] * 20), 0.0475, 0.0475)
    uneven = pair(slices(*[(0.0, 0.05), (0.1, 0.05)] * 10), 0.0475, 0.0475)
    assert even is not None
    assert uneven is not None
    assert even.candidate.variance == pytest.approx(0.0475 / 2000)
    assert uneven.candidate.variance > 5 * even.candidate.variance


def test_a_few_slices_are_taken_for_as_different_as_the_bound_says() -> None:
    few = pair(slices(*[(0.05, 0.05)] * (FEWEST - 1)), 0.0475, 0.0475)
    assert few is not None
    assert few.candidate.variance == pytest.approx(BOUND * 0.0475 / (100 * (FEWEST - 1)))


def test_the_design_effect_of_independent_samples_comes_down_to_one_with_more_slices() -> None:
    effects = [design_effect(1.0, count) for count in (8, 16, 30, 100, 1000)]
    assert effects == sorted(effects, reverse=True)
    assert effects[-1] < 1.2
    assert design_effect(0.0, 30) == 1.0


def test_without_samples_of_both_at_the_same_time_there_is_no_difference() -> None:
    assert pair([], 0.1, 0.1) is None
    assert pair([Slice(100, 1, 0, 0), Slice(0, 0, 100, 1)], 0.1, 0.1) is None


def test_slices_of_one_arm_alone_count_for_its_mean_and_not_for_the_difference() -> None:
    found = pair([*slices((0.1, 0.1)), Slice(0, 0, 100, 100)], 0.1, 0.1)
    assert found is not None
    assert found.champion.count == 400
    assert found.difference == pytest.approx(0)


def test_the_scale_changes_how_soon_a_harm_is_found_and_not_how_large_it_may_be() -> None:
    near = sequential_test(0.001, 0.0027**2, Tolerance(0.01, 0.01, 0.0027**2))
    far = sequential_test(0.001, 0.0027**2, Tolerance(0.01, 0.1, 0.0027**2))
    assert near.verdict == "Pass"
    assert far.verdict == "Inconclusive", "a wider mixture reaches further"
    assert sequential_test(0.3, 0.02**2, Tolerance(0.0, 0.01, 0.02**2)).verdict == "Fail"
    assert sequential_test(-0.3, 0.02**2, Tolerance(0.0, 0.01, 0.02**2)).verdict == "Pass"


def test_a_margin_that_is_an_estimate_makes_passing_harder_and_failing_neither() -> None:
    exact, estimated = (
        sequential_test(0.001, 0.0025**2, Tolerance(0.01, 0.01, part * 0.0025**2)) for part in (1.0, 2.0)
    )
    assert exact.upper < 0.01 < estimated.upper
    assert exact.ratio == estimated.ratio
