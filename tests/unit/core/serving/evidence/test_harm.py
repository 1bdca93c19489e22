from __future__ import annotations

import pytest
from steadfit.core.serving.evidence.arms import arms
from steadfit.core.serving.evidence.cell import Cell
from steadfit.core.serving.evidence.evidence import Evidence
from steadfit.core.serving.evidence.harm import bound, design_effect, exact_upper
from steadfit.core.serving.evidence.verdict import verdict


def canary(seconds: int, mine: list[tuple[int, int]], others: list[tuple[int, int]], life: int = 1) -> Evidence:
    """Return the evidence of voices that say the same each second; each lives for some seconds."""
    evidence = Evidence(0)
    for second in range(seconds):
        age = second // life
        evidence.add(
            second,
            [Cell(second, f"a{age}.{index}", *said) for index, said in enumerate(mine)],
            [Cell(second, f"b{age}.{index}", *said) for index, said in enumerate(others)],
        )
    return evidence


def test_an_equally_good_candidate_passes() -> None:
    assert verdict(canary(120, [(1, 0)] * 12, [(1, 0)] * 36), 0.01, 0.3).verdict == "Pass"


def test_a_candidate_passes_by_no_fewer_than_a_dozen_voices() -> None:
    few = canary(39, [(40, 0)], [(40, 0)] * 12, life=39)
    assert few.candidate.requests > 1000
    assert verdict(few, 0.5).verdict == "Inconclusive"


def test_a_candidate_passes_by_no_fewer_than_min_samples() -> None:
    evidence = canary(10, [(1, 0)] * 20, [(1, 0)] * 60)
    assert verdict(evidence, 0.5, min_samples=200).verdict == "Pass"
    assert verdict(evidence, 0.5, min_samples=201).verdict == "Inconclusive"


def test_what_befalls_both_arms_at_once_is_no_harm() -> None:
    # The candidate's share grows before a burst: by totals it would have more errors.
    evidence = Evidence(0)
    for second in range(200):
        mine, others, bad = (10, 30, 0) if second < 100 else (20, 20, 10 if second > 180 else 0)
        evidence.add(
            second,
            [Cell(second, f"a{second}.{index}", 1, int(index < bad)) for index in range(mine)],
            [Cell(second, f"b{second}.{index}", 1, int(index < bad)) for index in range(others)],
        )
    candidate, champion = evidence.candidate, evidence.champion
    assert candidate.bad / candidate.requests > 1.2 * champion.bad / champion.requests
    assert bound(candidate, champion, 0.01, 0.3).harm == pytest.approx(0)


def test_the_larger_margin_holds() -> None:
    evidence = canary(100, [(1, 1)] + [(1, 0)] * 9, [(1, 1)] * 3 + [(1, 0)] * 27)
    small, large = (bound(evidence.candidate, evidence.champion, 0.01, part) for part in (0.0, 0.3))
    assert small.upper - small.over == pytest.approx(0.01)
    assert large.over < small.over


def test_voices_of_one_request_have_no_design_effect() -> None:
    evidence = canary(100, [(1, 1)] + [(1, 0)] * 9, [(1, 1)] + [(1, 0)] * 29)
    assert design_effect(evidence.candidate, evidence.champion) == pytest.approx(1)


def test_voices_that_differ_have_one() -> None:
    alike = canary(200, [(5, 1)] * 4, [(5, 1)] * 12, life=10)
    unlike = canary(200, [(5, 4)] + [(5, 0)] * 3, [(5, 4)] * 3 + [(5, 0)] * 9, life=10)
    assert design_effect(alike.candidate, alike.champion) < 1.5
    assert design_effect(unlike.candidate, unlike.champion) > 20


def test_the_sums_of_voices_are_those_of_their_seconds() -> None:
    evidence = canary(20, [(3, 1), (2, 0)], [(4, 1)] * 3, life=5)
    arm = evidence.candidate
    weight = 12 / 17
    voices = [(15 * weight, 5 * weight), (10 * weight, 0.0)] * 4
    assert arm.requests_requests == pytest.approx(sum(asked**2 for asked, _ in voices))
    assert arm.bad_bad == pytest.approx(sum(bad**2 for _, bad in voices))
    assert arm.bad_requests == pytest.approx(sum(asked * bad for asked, bad in voices))
    assert (arm.voices, arm.bad_voices) == (8, 4)


@pytest.mark.parametrize(("bad", "requests"), [(0, 500), (1, 500), (4, 1000)])
def test_a_few_bad_requests_are_bounded_exactly(bad: int, requests: float) -> None:
    upper = exact_upper(bad, requests)
    assert bad / requests < upper < (bad + 7 + 2 * bad**0.5 * 2) / requests
    assert exact_upper(bad, 2 * requests) < upper < exact_upper(bad + 1, requests)


def test_the_arms_are_those_of_the_seconds_of_both() -> None:
    assert arms(Evidence(0)) is None
    evidence = canary(100, [(1, 1)] + [(1, 0)] * 9, [(1, 0)] * 30)
    evidence.add(100, [Cell(100, "a", 50, 50)], [])
    both = arms(evidence)
    assert both is not None
    candidate, champion = both
    assert (candidate.count, candidate.mean) == (1000, 0.1)
    assert (champion.count, champion.mean) == (3000, 0.0)
    assert candidate.variance == pytest.approx(0.1 * 0.9 / 1000, rel=0.01)


@pytest.mark.parametrize("bad", range(1, 5))
def test_a_candidate_whose_first_requests_all_fail_has_no_bound(bad: int) -> None:
    evidence = canary(1, [(1, 1)] * bad, [(1, 0)] * 12)
    assert bound(evidence.candidate, evidence.champion, 0.01, 0.3).upper == 1
    assert verdict(evidence, 0.01, 0.3).verdict in ("Inconclusive", "Fail")
