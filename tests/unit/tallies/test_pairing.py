"""Which seconds of both arms are compared."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from steadfit.tallies.answer import Answer, NoTallies, Row
from steadfit.tallies.pairing import KEPT_SECONDS, PATIENCE, Pairing

from .servers import BOUNDS, CANDIDATE, CHAMPION

SILENT = NoTallies("did not answer within 1 s", silent=True)
FOREIGN = NoTallies("answers /tallies with HTTP 404")
PODS = {"b1": CANDIDATE, "c1": CHAMPION, "c2": CHAMPION}


def pairing(first: int = 100) -> Pairing:
    made = Pairing(CANDIDATE, CHAMPION, first)
    made.keep_only(PODS)
    return made


def answer(uid: str, seconds: Sequence[int], closed: int | None = None) -> Answer:
    rows = tuple(Row(second, uid, f"{uid}-{second}", 1, 0, ()) for second in seconds)
    last = seconds[-1] if closed is None else closed
    return Answer(uid, last, last, last + 1.1, BOUNDS, rows)


def complete(made: Pairing) -> list[tuple[int, int, int]]:
    return [(each.second, len(each.candidate), len(each.champion)) for each in made.seconds()]


def test_a_second_is_complete_once_every_pod_has_closed_it_and_is_returned_once() -> None:
    made = pairing()
    made.answered("b1", answer("b1", [100, 101, 102]))
    made.answered("c1", answer("c1", [100, 101]))
    made.answered("c2", answer("c2", [101], closed=101))
    assert complete(made) == [(100, 1, 1), (101, 1, 2)]
    assert complete(made) == []
    made.answered("c1", answer("c1", [102]))
    made.answered("c2", answer("c2", [102]))
    assert complete(made) == [(102, 1, 2)]


def test_seconds_before_the_candidate_took_traffic_do_not_count() -> None:
    made = pairing(first=102)
    for uid in PODS:
        made.answered(uid, answer(uid, [99, 100, 101, 102]))
    assert complete(made) == [(102, 1, 2)]


def test_a_second_without_requests_is_complete_too() -> None:
    made = pairing()
    for uid in PODS:
        made.answered(uid, answer(uid, [], closed=101))
    assert complete(made) == [(100, 0, 0), (101, 0, 0)]


def test_an_arm_of_which_no_pod_answers_gives_no_second() -> None:
    made = pairing()
    made.answered("c1", answer("c1", [100]))
    made.failed("b1", FOREIGN)
    assert complete(made) == []
    assert (made.problem(CANDIDATE), made.problem(CHAMPION)) == (FOREIGN.message, "")


def test_one_lost_answer_loses_no_request() -> None:
    made = pairing()
    for uid in PODS:
        made.answered(uid, answer(uid, [100]))
    assert len(complete(made)) == 1
    made.failed("c2", SILENT)
    for uid in ("b1", "c1"):
        made.answered(uid, answer(uid, [101]))
    assert complete(made) == []
    assert made.waits
    made.answered("c2", answer("c2", [101, 102]))
    assert complete(made) == [(101, 1, 2)]
    assert not made.waits


def test_a_pod_that_stays_silent_is_left_out_and_counts_again_when_it_is_back() -> None:
    made = pairing()
    for uid in PODS:
        made.answered(uid, answer(uid, [100]))
    assert len(complete(made)) == 1
    for second in range(101, 101 + PATIENCE):
        made.failed("c2", SILENT)
        for uid in ("b1", "c1"):
            made.answered(uid, answer(uid, [second]))
    assert [row[0] for row in complete(made)] == list(range(101, 101 + PATIENCE))
    made.answered("c2", answer("c2", [101, 102, 103, 104]))
    for uid in ("b1", "c1"):
        made.answered(uid, answer(uid, [104]))
    assert complete(made) == [(104, 1, 2)]


def test_a_pod_that_has_never_answered_is_not_waited_for() -> None:
    made = pairing()
    made.failed("c2", SILENT)
    for uid in ("b1", "c1"):
        made.answered(uid, answer(uid, [100]))
    assert complete(made) == [(100, 1, 1)]


def test_a_pod_that_is_gone_is_not_waited_for() -> None:
    made = pairing()
    for uid in PODS:
        made.answered(uid, answer(uid, [100]))
    assert len(complete(made)) == 1
    made.keep_only({"b1": CANDIDATE, "c1": CHAMPION})
    for uid in ("b1", "c1"):
        made.answered(uid, answer(uid, [101]))
    assert complete(made) == [(101, 1, 1)]


def test_after_a_pause_longer_than_the_servers_keep_the_lost_seconds_are_skipped() -> None:
    made = pairing()
    for uid in PODS:
        made.answered(uid, answer(uid, [100_000]))
    assert [row[0] for row in complete(made)] == list(range(100_000 - KEPT_SECONDS + 1, 100_001))


def test_a_pod_is_asked_for_what_it_has_not_said() -> None:
    made = pairing()
    assert made.since("b1") == 99
    made.answered("b1", answer("b1", [100, 101, 102]))
    assert made.since("b1") == 102


def test_what_an_arm_without_an_answer_waits_for_is_kept_no_longer_than_the_servers_keep_it() -> None:
    made, sizes = pairing(), []
    tracemalloc.start()
    for second in range(100, 100 + 10 * KEPT_SECONDS):
        made.answered("b1", answer("b1", [second]))
        made.failed("c1", FOREIGN)
        assert complete(made) == []
        if second % KEPT_SECONDS == 99:
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[-1] < 1.5 * sizes[1], sizes


Steps = st.lists(
    st.tuples(st.sampled_from(sorted(PODS)), st.sampled_from(["answer", "silent", "foreign"])), max_size=60
)


@given(Steps)
def test_every_second_comes_once_in_order_and_no_row_twice(steps: list[tuple[str, str]]) -> None:
    made, seen, rows = pairing(), [], set[str]()
    for number, (uid, what) in enumerate(steps):
        now = 100 + number
        if what == "answer":
            made.answered(uid, answer(uid, list(range(made.since(uid) + 1, now + 1)), closed=now))
        else:
            made.failed(uid, SILENT if what == "silent" else FOREIGN)
        for second in made.seconds():
            seen.append(second.second)
            for row in (*second.candidate, *second.champion):
                assert row.second == second.second
                assert row.voice not in rows
                rows.add(row.voice)
    assert seen == sorted(set(seen))
