"""Steps whose begin is put forward, as after a time in which the share was not in force."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from steadfit.core.serving.evidence.evidence import Evidence

from .test_evidence import fresh, good_minutes, word

Moves = st.lists(st.tuples(st.integers(0, 3), st.integers(-20, 90), st.integers(1, 40), st.integers(0, 3)), max_size=8)


def test_a_break_is_found_as_soon_after_a_step_was_put_forward_as_before() -> None:
    evidence = Evidence(0)
    evidence.begin_step(0, 0)
    good_minutes(evidence, 50)
    evidence.begin_step(0, 45)
    for second in range(50, 53):
        evidence.add(second, fresh(second, "a", 12, 12), fresh(second, "b", 38, 0))
    assert word(evidence) == "Fail"


def test_what_was_counted_in_a_step_stays_when_its_begin_is_put_forward() -> None:
    evidence = Evidence(0)
    evidence.begin_step(0, 0)
    good_minutes(evidence, 50)
    counted = evidence.in_step
    evidence.begin_step(0, 45)
    assert evidence.in_step == counted > 0
    evidence.begin_step(1, 50)
    assert evidence.in_step == 0


@settings(deadline=None, max_examples=60)
@given(Moves)
def test_the_e_process_is_never_negative_however_steps_are_moved(moves: list[tuple[int, int, int, int]]) -> None:
    evidence, second = Evidence(0), 0
    for step, forward, seconds, bad in moves:
        evidence.begin_step(step, second + forward)
        for _ in range(seconds):
            evidence.add(second, fresh(second, "a", 5, bad), fresh(second, "b", 15, bad // 2))
            assert min(evidence.totals) >= 0
            second += 1
