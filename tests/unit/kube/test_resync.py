from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from random import Random

from steadfit.kube.cache import Cache
from steadfit.kube.client import NotFound, Unavailable
from steadfit.kube.key import Key
from steadfit.kube.resources import HTTP_ROUTES, JOBS, TRAINING_JOBS
from steadfit.kube.resync import DISCOVERY_SECONDS, REQUEST_DELAY_SECONDS, WATCH_GRACE_SECONDS, ListScope, Resync

from tests.support.memory_api import MemoryAPI
from tests.support.virtual_time import run

KEY = Key(TRAINING_JOBS, "ns", "flights")
JOB = {"apiVersion": "steadfit.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "flights", "namespace": "ns"}}


class Bench:
    def __init__(self, *sources: ListScope) -> None:
        self.api = MemoryAPI()
        self.cache = Cache()
        self.rounds: list[float] = []
        self.resync = Resync(self.api, self.cache, sources or [ListScope(TRAINING_JOBS)], 600, Random(1), self._round)

    def _round(self) -> None:
        self.rounds.append(asyncio.get_running_loop().time())

    def play(self, story: Callable[[], Awaitable[None]]) -> None:
        async def main() -> None:
            await self.resync.prime()
            task = asyncio.create_task(self.resync.run())
            await story()
            task.cancel()

        run(main())


async def first_repair(bench: Bench) -> None:
    while not bench.resync.statistics().repaired_changes:  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(1)


def test_priming_fills_the_cache() -> None:
    bench = Bench()
    bench.api.add(JOB)

    async def story() -> None:
        assert bench.cache.get(KEY) is not None
        statistics = bench.resync.statistics()
        assert (statistics.completed, statistics.repaired_changes) == (1, 0)

    bench.play(story)


def test_rounds_are_spread_around_the_interval() -> None:
    bench = Bench()

    async def story() -> None:
        await asyncio.sleep(6000)

    bench.play(story)
    gaps = [later - earlier for earlier, later in pairwise(bench.rounds)]
    assert len(gaps) >= 8
    assert all(480 <= gap <= 720 for gap in gaps)
    assert len(set(gaps)) == len(gaps)


def test_a_missed_deletion_is_repaired() -> None:
    bench = Bench()
    bench.api.add(JOB)

    async def story() -> None:
        bench.api.remove(KEY, silently=True)
        await asyncio.sleep(800)
        assert bench.cache.get(KEY) is None
        assert bench.resync.statistics().repaired_deletions == 1
        assert bench.resync.statistics().stale_watches == []

    bench.play(story)


def test_a_round_that_is_asked_for_comes_once_the_watches_had_time_to_come_up() -> None:
    bench = Bench()
    bench.api.add(JOB)

    async def story() -> None:
        bench.api.remove(KEY, silently=True)
        bench.resync.request()
        await asyncio.sleep(REQUEST_DELAY_SECONDS + 1)
        assert bench.cache.get(KEY) is None
        await asyncio.sleep(400)

    bench.play(story)
    assert len(bench.rounds) == 2


def test_a_list_that_fails_leaves_the_cache_and_the_round_incomplete() -> None:
    bench = Bench(ListScope(TRAINING_JOBS), ListScope(JOBS))
    bench.api.add(JOB)

    async def story() -> None:
        bench.api.fail = lambda verb, key: Unavailable(500, "x", "y") if key.resource == JOBS else None
        bench.api.remove(KEY, silently=True)
        await asyncio.sleep(800)
        assert bench.cache.get(KEY) is None
        statistics = bench.resync.statistics()
        assert (statistics.completed, statistics.failed) == (1, 1)
        assert statistics.age_seconds >= 800

    bench.play(story)


def test_a_watch_that_never_tells_what_the_list_has_shown_is_stale() -> None:
    bench = Bench()

    async def story() -> None:
        bench.api.add(JOB)
        await first_repair(bench)
        await asyncio.sleep(WATCH_GRACE_SECONDS - 2)
        assert bench.resync.statistics().stale_watches == []
        await asyncio.sleep(4)
        assert bench.resync.statistics().stale_watches == ["TrainingJob"]
        bench.resync.note_event(bench.api.objects[KEY])
        assert bench.resync.statistics().stale_watches == []

    bench.play(story)


def test_a_watch_that_is_a_little_late_is_not_stale() -> None:
    bench = Bench()

    async def story() -> None:
        obj = bench.api.add(JOB)
        await first_repair(bench)
        await asyncio.sleep(5)
        bench.resync.note_event(obj)
        await asyncio.sleep(100)
        assert bench.resync.statistics().stale_watches == []

    bench.play(story)


ROUTE_KEY = Key(HTTP_ROUTES, "ns", "flights")
ROUTE = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": JOB["metadata"]}


class Lacking(Bench):
    """A cluster that knows no HTTPRoutes until it gets them, and somebody who wants them or not."""

    def __init__(self, *, wanted: bool) -> None:
        super().__init__()
        self.there = False
        self.found: list[float] = []
        self.looks = 0
        self.api.fail = self._fail
        self.resync = Resync(
            self.api,
            self.cache,
            [ListScope(TRAINING_JOBS), ListScope(HTTP_ROUTES, optional=True)],
            600,
            Random(1),
            self._round,
            lambda resource: wanted,
            lambda: self.found.append(asyncio.get_running_loop().time()),
        )

    def _fail(self, verb: str, key: Key) -> NotFound | None:
        if key.resource != HTTP_ROUTES:
            return None
        self.looks += 1
        return None if self.there else NotFound(404, "NotFound", "404 page not found")

    def play(self, story: Callable[[], Awaitable[None]]) -> None:
        async def finding() -> None:
            task = asyncio.create_task(self.resync.discover())
            await story()
            task.cancel()

        super().play(finding)


def test_a_resource_that_the_cluster_lacks_has_no_objects_and_is_no_failure() -> None:
    bench = Lacking(wanted=False)

    async def story() -> None:
        assert bench.cache.lacks(HTTP_ROUTES)
        assert not bench.cache.lacks(TRAINING_JOBS)
        statistics = bench.resync.statistics()
        assert (statistics.completed, statistics.failed) == (1, 0)

    bench.play(story)


def test_a_resource_that_everybody_has_is_a_failure_when_it_is_lacking() -> None:
    bench = Bench(ListScope(HTTP_ROUTES), ListScope(JOBS))

    async def story() -> None:
        bench.api.fail = lambda verb, key: NotFound(404, "NotFound", "404 page not found")
        await asyncio.sleep(800)
        assert bench.resync.statistics().failed > 0

    bench.play(story)


def test_a_resource_that_somebody_wants_is_found_soon_after_the_cluster_got_it() -> None:
    bench = Lacking(wanted=True)

    async def story() -> None:
        await asyncio.sleep(100)
        assert bench.found == []
        rounds = len(bench.rounds)
        bench.there = True
        bench.api.add(ROUTE)
        await asyncio.sleep(DISCOVERY_SECONDS + 1)
        assert len(bench.found) == 1
        assert len(bench.rounds) == rounds + 1
        assert bench.cache.get(ROUTE_KEY) is not None
        assert not bench.cache.lacks(HTTP_ROUTES)
        looks = bench.looks
        await asyncio.sleep(300)
        assert bench.looks == looks

    bench.play(story)


def test_a_resource_that_nobody_wants_is_looked_for_with_the_rounds_alone() -> None:
    bench = Lacking(wanted=False)

    async def story() -> None:
        bench.there = True
        await asyncio.sleep(300)
        assert (bench.looks, bench.found) == (1, [])
        await asyncio.sleep(500)
        assert len(bench.found) == 1

    bench.play(story)


def test_when_a_resource_goes_its_objects_are_gone_too() -> None:
    bench = Lacking(wanted=True)
    bench.there = True
    bench.api.add(ROUTE)

    async def story() -> None:
        assert bench.cache.get(ROUTE_KEY) is not None
        bench.there = False
        await asyncio.sleep(800)
        assert bench.cache.get(ROUTE_KEY) is None
        assert bench.cache.lacks(HTTP_ROUTES)

    bench.play(story)
