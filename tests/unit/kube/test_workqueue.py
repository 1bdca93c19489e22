from __future__ import annotations

import asyncio
from itertools import pairwise
from random import Random

from steadfit.kube.workqueue import CHANGE_SECONDS, CHANGES_AT_ONCE, MAX_DELAY, URGENT_CHANGES, WorkQueue

from tests.support.virtual_time import run


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_key_waits_only_once() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(Random(1))
        queue.add("a")
        queue.add("a")
        queue.add("b")
        assert queue.statistics().depth == 2
        assert [await queue.get(), await queue.get()] == ["a", "b"]

    run(main())


def test_an_urgent_key_comes_before_all_others_even_if_it_waits_already() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(Random(1))
        for key in ("a", "b", "c", "d"):
            queue.add(key)
        queue.add("c", urgent=True)
        queue.add("e", urgent=True)
        queue.add("c")
        assert [await queue.get() for _ in range(5)] == ["c", "e", "a", "b", "d"]

    run(main())


def test_an_urgent_key_that_is_being_handled_comes_next_when_its_worker_is_done() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(Random(1))
        for key in ("a", "b", "c"):
            queue.add(key)
        assert await queue.get() == "a"
        queue.add("a", urgent=True)
        assert await queue.get() == "b", "no other worker takes a key that is being handled"
        queue.done("a")
        queue.add("b")
        assert [await queue.get(), await queue.get()] == ["a", "c"]
        assert queue.statistics().depth == 0

    run(main())


def test_a_key_added_while_it_is_handled_comes_again_and_never_to_two_workers() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(Random(1))
        queue.add("a")
        assert await queue.get() == "a"
        queue.add("a")
        queue.add("a")
        assert queue.statistics().depth == 0
        queue.done("a")
        assert queue.statistics().depth == 1
        assert await queue.get() == "a"
        queue.done("a")
        assert queue.statistics().depth == 0

    run(main())


def test_no_key_is_handled_twice_at_once_by_many_workers() -> None:
    async def main() -> None:
        queue: WorkQueue[int] = WorkQueue(Random(1))
        busy: set[int] = set()
        handled = 0

        async def work() -> None:
            nonlocal handled
            while True:
                key = await queue.get()
                assert key not in busy
                busy.add(key)
                await asyncio.sleep(0.1)
                busy.discard(key)
                handled += 1
                queue.done(key)

        workers = [asyncio.create_task(work()) for _ in range(4)]
        for step in range(200):
            queue.add(step % 3)
            await asyncio.sleep(0.01)
        await asyncio.sleep(5)
        assert queue.statistics().depth == queue.statistics().processing == 0
        assert handled > 10
        for worker in workers:
            assert not worker.done()
            worker.cancel()

    run(main())


def test_the_earliest_of_several_delays_counts() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(Random(1))
        queue.add_after("a", 60)
        queue.add_after("a", 5)
        queue.add_after("a", 30)
        await queue.get()
        assert now() == 5
        queue.done("a")
        await asyncio.sleep(100)
        assert queue.statistics().depth == 0

    run(main())


def test_a_delay_of_nothing_queues_at_once() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(Random(1))
        queue.add_after("a", 0)
        await queue.get()
        assert now() == 0

    run(main())


def test_backoff_doubles_up_to_a_cap_and_is_forgotten_after_success() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(Random(1))
        waits = []
        for _ in range(15):
            before = now()
            queue.add_rate_limited("a")
            queue.done(await queue.get())
            waits.append(now() - before)
        assert all(later > earlier for earlier, later in pairwise(waits[:9]))
        assert MAX_DELAY <= waits[-1] <= MAX_DELAY * 1.2
        queue.forget("a")
        before = now()
        queue.add_rate_limited("a")
        queue.done(await queue.get())
        assert now() - before < 0.25

    run(main())


def test_backoff_is_never_shorter_than_the_server_asked_for() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(Random(1))
        queue.add_rate_limited("a", at_least=30)
        await queue.get()
        assert now() >= 30

    run(main())


def test_statistics_tell_depth_retries_and_waiting() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(Random(1))
        queue.add("a")
        queue.add_after("b", 60)
        await asyncio.sleep(3)
        await queue.get()
        queue.add_rate_limited("a")
        statistics = queue.statistics()
        assert (statistics.depth, statistics.processing, statistics.delayed) == (0, 1, 2)
        assert (statistics.added, statistics.retried, statistics.failing) == (1, 1, 1)
        assert statistics.waited_seconds == 3
        queue.close()
        assert queue.statistics().delayed == 0

    run(main())


async def _passes(queue: WorkQueue[str], key: str, changes: int) -> list[float]:
    """Let passes over one key change something, each of which queues it again at once; return when they began."""
    times = []
    queue.add(key)
    for _ in range(changes):
        assert await queue.get() == key
        times.append(now())
        queue.add(key, first=not queue.note_change(key))
        queue.done(key)
    return times


def test_a_key_that_never_rests_makes_its_first_changes_at_once_and_then_one_in_five_seconds() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(Random(1))
        times = await _passes(queue, "a", CHANGES_AT_ONCE + 10)
        assert times[CHANGES_AT_ONCE] == 0
        waits = [later - sooner for sooner, later in pairwise(times[CHANGES_AT_ONCE:])]
        assert waits == [CHANGE_SECONDS] * 9

    run(main())


def test_a_throttled_key_throttles_no_other_and_is_not_urgent() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(Random(1))
        await _passes(queue, "a", CHANGES_AT_ONCE + 1)
        assert (queue.statistics().depth, queue.statistics().delayed) == (0, 1)
        queue.add("a")
        queue.add("b")
        assert [await queue.get(), now()] == ["b", 0]
        queue.done("b")
        await asyncio.sleep(CHANGE_SECONDS - 1)
        assert queue.statistics().depth == 0
        await asyncio.sleep(1)
        queue.add("c", urgent=True)
        assert [await queue.get(), await queue.get()] == ["c", "a"]
        assert queue.statistics().delayed == 0

    run(main())


def test_what_a_person_asks_for_comes_at_once_although_the_key_is_throttled() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(Random(1))
        await _passes(queue, "a", CHANGES_AT_ONCE + 1)
        for _ in range(50):
            queue.add("a", urgent=True)
            assert [await queue.get(), now()] == ["a", 0]
            queue.note_change("a")
            queue.done("a")
        times = await _passes(queue, "a", URGENT_CHANGES + 1)
        assert times[-1] == CHANGE_SECONDS, "they lengthen no wait, and their changes do not add up"

    run(main())


def test_what_an_urgent_addition_decides_is_carried_out_at_once_although_the_key_was_throttled() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(Random(1))
        await _passes(queue, "a", CHANGES_AT_ONCE + 1)
        queue.add("a", urgent=True)
        times = await _passes(queue, "a", URGENT_CHANGES + 2)
        assert times == [0] * (URGENT_CHANGES + 1) + [CHANGE_SECONDS]

    run(main())


def test_a_key_that_rests_may_change_at_once_again() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(Random(1))
        await _passes(queue, "a", CHANGES_AT_ONCE)
        await queue.get()
        queue.done("a")
        await asyncio.sleep(CHANGES_AT_ONCE * CHANGE_SECONDS)
        began = now()
        assert set(await _passes(queue, "a", CHANGES_AT_ONCE)) == {began}
        await asyncio.sleep(CHANGES_AT_ONCE * CHANGE_SECONDS)
        queue.note_change("b")
        assert list(queue._used_until) == ["b"], "what has rested is forgotten"

    run(main())


def test_an_urgent_addition_during_the_pass_that_would_throttle_a_key_prevents_it() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(Random(1))
        for _ in range(CHANGES_AT_ONCE):
            queue.note_change("a")
        queue.add("a")
        queue.add("b")
        await queue.get()
        queue.add("a", urgent=True)
        assert not queue.note_change("a")
        queue.done("a")
        assert [await queue.get(), now()] == ["a", 0], "it comes first, and at once"
        changes = iter(lambda: queue.note_change("a"), True)
        assert len([*changes]) < URGENT_CHANGES, "it is throttled after the passes that carry the action out"

    run(main())


def test_a_key_added_and_throttled_during_its_pass_is_taken_by_one_worker_after_that() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(Random(1))
        for _ in range(CHANGES_AT_ONCE):
            queue.note_change("a")
        queue.add("a")
        assert await queue.get() == "a"
        queue.add("a")
        assert queue.note_change("a")
        queue.done("a")
        waiting = [asyncio.create_task(queue.get()) for _ in range(2)]
        await asyncio.sleep(CHANGE_SECONDS - 1)
        assert not any(task.done() for task in waiting)
        await asyncio.sleep(2)
        assert [task.done() for task in waiting].count(True) == 1
        for task in waiting:
            task.cancel()

    run(main())
