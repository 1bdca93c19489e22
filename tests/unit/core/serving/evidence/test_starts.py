from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steadfit.core.serving.evidence.starts import FIRST_MINUTE, spent

DAY = 86_400


@given(lengths=st.lists(st.integers(0, 5000), min_size=1, max_size=16))
def test_no_more_than_all_of_alpha_is_spent_and_none_comes_back(lengths: list[int]) -> None:
    elapsed, before = 0, 0.0
    for step, length in enumerate(lengths):
        for second in {0, length // 3, length}:
            assert before <= spent(elapsed + length, step, length) <= 1
            before = max(before, spent(elapsed + second, step, second))
        elapsed += length


def test_half_of_alpha_lies_on_the_first_minutes_of_the_steps() -> None:
    early = 0.0
    for step in range(16):
        early += spent(10**6, step, 59) - spent(10**6, step, -1)
    assert early == pytest.approx(FIRST_MINUTE, rel=1e-3)


@pytest.mark.parametrize(("elapsed", "most"), [(600, 10_000), (3_600, 60_000), (DAY, 4_000_000)])
def test_a_late_break_costs_few_more_bad_answers_than_an_early_one(elapsed: int, most: int) -> None:
    assert 1 / (spent(elapsed, 0, elapsed) - spent(elapsed - 1, 0, elapsed - 1)) < most


def test_nothing_is_spent_before_the_candidate_takes_traffic() -> None:
    assert spent(-1, 0, -1) == 0
