from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steadfit.core.serving.evidence import starts
from steadfit.core.serving.evidence.cell import Cell
from steadfit.core.serving.evidence.evidence import Evidence
from steadfit.core.serving.evidence.verdict import FAIL_ALPHA, verdict

Said = tuple[int, int]
"""Requests and bad requests of one voice."""


def cells(second: int, arm: str, said: list[Said], *, kept: bool = False) -> list[Cell]:
    prefix = arm if kept else f"{arm}{second}."
    return [Cell(second, f"{prefix}{index}", asked, bad) for index, (asked, bad) in enumerate(said)]


def fresh(second: int, arm: str, requests: int, bad: int) -> list[Cell]:
    return cells(second, arm, [(1, int(index < bad)) for index in range(requests)])


def good_minutes(evidence: Evidence, seconds: int, begin: int = 0) -> None:
    for second in range(begin, begin + seconds):
        evidence.add(second, fresh(second, "a", 12, 0), fresh(second, "b", 38, int(second % 5 == 0)))


def word(evidence: Evidence) -> str:
    return verdict(evidence, 0.01, 0.3, metrics=2).verdict


def test_the_e_process_is_a_supermartingale_for_fresh_connections() -> None:
    # All ways in which bad answers of three seconds fall upon four voices each, one of them the candidate's.
    spread = (2, 1, 3)
    expected = count = 0.0
    for outcome in product(*(list(choose(4, bad)) for bad in spread)):
        evidence = Evidence(0)
        for second, bad in enumerate(outcome):
            said = [(1, int(index in bad)) for index in range(4)]
            evidence.add(second, cells(second, "a", said[:1]), cells(second, "b", said[1:]))
        expected += evidence.value
        count += 1
    assert expected / count <= starts.spent(2, 0, 2) + 1e-9


def test_the_e_process_is_a_supermartingale_for_connections_that_are_kept() -> None:
    # Four voices with paths of their own come to the arms in all ways: which one is bad does not depend on the arm.
    paths = [[2, 2, 0, 1], [0, 0, 0, 0], [0, 1, 2, 2], [0, 0, 0, 2]]
    values = []
    for mine in range(4):
        evidence = Evidence(0)
        for second in range(4):
            said = [Cell(second, str(index), 2, path[second]) for index, path in enumerate(paths)]
            evidence.add(second, [said[mine]], [one for index, one in enumerate(said) if index != mine])
        values.append(evidence.value)
    assert sum(values) / 4 <= starts.spent(3, 0, 3) + 1e-9


def choose(number: int, most: int) -> list[frozenset[int]]:
    return [
        frozenset(index for index in range(number) if bits >> index & 1)
        for bits in range(2**number)
        if bits.bit_count() == most
    ]


@pytest.mark.parametrize(("rate", "within"), [(1.0, 1), (0.5, 2), (0.2, 7)])
@pytest.mark.parametrize("good", [0, 1200])
def test_a_break_is_found_within_seconds_also_when_it_is_late(rate: float, within: int, good: int) -> None:
    evidence = Evidence(0)
    good_minutes(evidence, good)
    assert word(evidence) != "Fail"
    for second in range(good, good + within + 1):
        evidence.add(second, fresh(second, "a", 12, round(12 * rate)), fresh(second, "b", 38, 0))
    assert word(evidence) == "Fail"


def test_a_candidate_that_has_just_broken_does_not_pass_by_its_good_minutes() -> None:
    evidence = Evidence(0)
    good_minutes(evidence, 900)
    assert word(evidence) == "Pass"
    for second in range(900, 904):
        evidence.add(second, fresh(second, "a", 12, 2), fresh(second, "b", 38, 0))
    assert word(evidence) == "Inconclusive"


def test_a_candidate_fails_before_it_has_min_samples() -> None:
    evidence = Evidence(0)
    evidence.add(0, fresh(0, "a", 12, 12), fresh(0, "b", 38, 0))
    assert verdict(evidence, 0.01, 0.3, metrics=2, min_samples=50).verdict == "Fail"


@settings(max_examples=50, deadline=None)
@given(bursts=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 5)), min_size=1, max_size=20))
def test_what_befalls_both_arms_at_once_counts_for_neither(bursts: list[tuple[int, int]]) -> None:
    evidence = Evidence(0)
    for second, (bad, longer) in enumerate(bursts):
        # The candidate's part of what fails is never above its part of the voices.
        evidence.add(second, fresh(second, "a", 12, bad), fresh(second, "b", 36, min(36, 3 * bad + longer)))
        assert evidence.value <= starts.spent(second, 0, second) + 1e-9


def test_a_voice_that_fails_all_of_its_requests_is_one_voice() -> None:
    evidence = Evidence(0)
    for second in range(30):
        evidence.add(second, cells(second, "a", [(6, 6)], kept=True), cells(second, "b", [(6, 0)] * 7, kept=True))
    assert word(evidence) != "Fail"
    assert evidence.value < 8


def test_a_few_voices_that_fail_are_enough() -> None:
    evidence = Evidence(0)
    for second in range(50):
        mine = [Cell(second, f"a{second // 10}", 6, 6)]
        evidence.add(second, mine, cells(second, "b", [(6, 0)] * 7, kept=True))
    assert word(evidence) == "Fail"


def test_a_group_of_connections_is_heard_again_when_its_connections_are_others() -> None:
    evidence = Evidence(0)
    for second in range(600):
        evidence.add(
            second, cells(second, "a", [(50, 1)] * 8, kept=True), cells(second, "b", [(50, 1)] * 24, kept=True)
        )
    assert word(evidence) != "Fail"
    for second in range(600, 645):
        evidence.add(
            second, cells(second, "a", [(50, 25)] * 8, kept=True), cells(second, "b", [(50, 1)] * 24, kept=True)
        )
    assert word(evidence) == "Fail"


def test_a_pod_that_is_counted_twice_counts_once() -> None:
    once, twice = Evidence(0), Evidence(0)
    for second in range(30):
        mine, others = fresh(second, "a", 12, second % 3), fresh(second, "b", 38, 1)
        once.add(second, mine, others)
        twice.add(second, mine + mine, others + others)
    assert once.value == twice.value
    assert once.candidate == twice.candidate


def test_a_second_counts_once_and_never_backwards() -> None:
    evidence = Evidence(0)
    evidence.add(3, fresh(3, "a", 5, 3), fresh(3, "b", 20, 0))
    value = evidence.value
    for second in (3, 2, 0):
        evidence.add(second, fresh(second, "a", 5, 5), fresh(second, "b", 20, 0))
    assert evidence.value == value
    assert evidence.in_step == 5


@settings(max_examples=50, deadline=None)
@given(seconds=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12), data=st.data())
def test_one_more_bad_voice_of_the_candidate_never_speaks_for_it(
    seconds: list[tuple[int, int]], data: st.DataObject
) -> None:
    more = data.draw(st.integers(0, len(seconds) - 1))
    one, other = Evidence(0), Evidence(0)
    for second, (mine, theirs) in enumerate(seconds):
        champion = fresh(second, "b", 18, theirs)
        one.add(second, fresh(second, "a", 6, mine), champion)
        other.add(second, fresh(second, "a", 6, mine + (second == more)), champion)
    assert other.value >= one.value * (1 - 1e-9)


def test_a_second_of_one_arm_alone_says_nothing() -> None:
    evidence = Evidence(0)
    for second in range(20):
        evidence.add(second, fresh(second, "a", 12, 12), [])
    assert word(evidence) == "Inconclusive"
    assert evidence.value <= 1


def test_the_share_of_alpha_of_the_seconds_that_another_process_saw_is_not_spent_again() -> None:
    first, second = Evidence(0), Evidence(0, heard_from=100)
    for now in range(100):
        first.add(now, fresh(now, "a", 12, 0), fresh(now, "b", 38, 0))
    for now in range(100, 200):
        second.add(now, fresh(now, "a", 12, 0), fresh(now, "b", 38, 0))
    assert first.value + second.value == pytest.approx(starts.spent(199, 0, 199))


def test_a_new_step_has_a_share_of_its_own() -> None:
    with_step, without = Evidence(0), Evidence(0)
    for evidence in (with_step, without):
        good_minutes(evidence, 600)
    with_step.begin_step(1, 600)
    for evidence in (with_step, without):
        evidence.add(600, fresh(600, "a", 24, 0), fresh(600, "b", 24, 0))
    assert with_step.value > 20 * without.value
    assert with_step.in_step == 24


def test_the_evidence_of_a_day_is_bounded() -> None:
    evidence = Evidence(0)
    for second in range(0, 86_400, 400):
        for part in range(3):
            now = second + part
            evidence.add(now, fresh(now, "a", 20, 1), fresh(now, "b", 60, 1))
    assert sum(len(voices.known) for voices in evidence._voices) < 1000
    assert math.isfinite(evidence.value)


def test_two_metrics_share_alpha() -> None:
    evidence = Evidence(0)
    evidence.add(0, fresh(0, "a", 12, 6), fresh(0, "b", 36, 0))
    assert 1 / FAIL_ALPHA < evidence.value < 16 / FAIL_ALPHA
    assert verdict(evidence, 0.01, metrics=1).verdict == "Fail"
    assert verdict(evidence, 0.01, metrics=16).verdict == "Inconclusive"
