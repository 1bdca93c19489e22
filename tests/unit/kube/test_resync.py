from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from steadfit.kube.cache import Cache
from steadfit.kube.client import Forbidden, Listing, NotFound, Unavailable
from steadfit.kube.key import Key
from steadfit.kube.resources import CONTROLLER_REVISIONS, HTTP_ROUTES, JOBS, TRAINING_JOBS, Resource
from steadfit.kube.restored import Restored
from steadfit.kube.resync import DISCOVERY_SECONDS, REQUEST_DELAY_SECONDS, WATCH_GRACE_SECONDS, ListScope, Resync

from tests.support.memory_api import MemoryAPI
from tests.support.virtual_time import run

KEY = Key(TRAINING_JOBS, "ns", "flights")
JOB = {"apiVersion": "steadfit.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "flights", "namespace": "ns"}}


class Fixture:
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


async def first_repair(fixture: Fixture) -> None:
    while not fixture.resync.statistics().repaired_changes:  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(1)


def test_priming_fills_the_cache() -> None:
    fixture = Fixture()
    fixture.api.add(JOB)

    async def story() -> None:
        assert fixture.cache.get(KEY) is not None
        statistics = fixture.resync.statistics()
        assert (statistics.completed, statistics.repaired_changes) == (1, 0)

    fixture.play(story)


def test_rounds_are_spread_around_the_interval() -> None:
    fixture = Fixture()

    async def story() -> None:
        await asyncio.sleep(6000)

    fixture.play(story)
    gaps = [later - earlier for earlier, later in pairwise(fixture.rounds)]
    assert len(gaps) >= 8
    assert all(480 <= gap <= 720 for gap in gaps)
    assert len(set(gaps)) == len(gaps)


def test_a_missed_deletion_is_repaired() -> None:
    fixture = Fixture()
    fixture.api.add(JOB)

    async def story() -> None:
        fixture.api.remove(KEY, silently=True)
        await asyncio.sleep(800)
        assert fixture.cache.get(KEY) is None
        assert fixture.resync.statistics().repaired_deletions == 1
        assert fixture.resync.statistics().stale_watches == []

    fixture.play(story)


def test_a_round_that_is_asked_for_comes_once_the_watches_had_time_to_come_up() -> None:
    fixture = Fixture()
    fixture.api.add(JOB)

    async def story() -> None:
        fixture.api.remove(KEY, silently=True)
        fixture.resync.request()
        await asyncio.sleep(REQUEST_DELAY_SECONDS + 1)
        assert fixture.cache.get(KEY) is None
        await asyncio.sleep(400)

    fixture.play(story)
    assert len(fixture.rounds) == 2


def test_a_list_that_is_older_than_the_cache_ends_the_rounds() -> None:
    fixture = Fixture()
    fixture.api.add(JOB)
    backup = fixture.api.backup()

    async def main() -> None:
        await fixture.resync.prime()
        fixture.cache.put(fixture.api.edit(KEY, spec={"image": "new"}))
        fixture.api.restore(backup)
        with pytest.raises(Restored, match="the list of trainingjobs has resourceVersion 101, and 102 was seen"):
            await fixture.resync.run()
        assert asyncio.get_running_loop().time() <= 720

    run(main())


def test_a_watch_that_overtakes_a_list_is_no_restore() -> None:
    fixture = Fixture()
    fixture.api.add(JOB)
    list_all = fixture.api.list

    async def overtaken(*arguments: Any) -> Listing:
        listing = await list_all(*arguments)
        fixture.cache.put(fixture.api.edit(KEY, spec={"image": str(fixture.resync.statistics().completed)}))
        return listing

    async def story() -> None:
        fixture.api.list = overtaken  # type: ignore[method-assign, assignment]
        await asyncio.sleep(6000)

    fixture.play(story)
    assert len(fixture.rounds) >= 8


def test_a_list_that_fails_leaves_the_cache_and_the_round_incomplete() -> None:
    fixture = Fixture(ListScope(TRAINING_JOBS), ListScope(JOBS))
    fixture.api.add(JOB)

    async def story() -> None:
        fixture.api.fail = lambda verb, key: Unavailable(500, "x", "y") if key.resource == JOBS else None
        fixture.api.remove(KEY, silently=True)
        await asyncio.sleep(800)
        assert fixture.cache.get(KEY) is None
        statistics = fixture.resync.statistics()
        assert (statistics.completed, statistics.failed) == (1, 1)
        assert statistics.age_seconds >= 800

    fixture.play(story)


def test_a_watch_that_never_tells_what_the_list_has_shown_is_stale() -> None:
    fixture = Fixture()

    async def story() -> None:
        fixture.api.add(JOB)
        await first_repair(fixture)
        await asyncio.sleep(WATCH_GRACE_SECONDS - 2)
        assert fixture.resync.statistics().stale_watches == []
        await asyncio.sleep(4)
        assert fixture.resync.statistics().stale_watches == ["TrainingJob"]
        fixture.resync.note_event(fixture.api.objects[KEY])
        assert fixture.resync.statistics().stale_watches == []

    fixture.play(story)


def test_a_watch_that_is_a_little_late_is_not_stale() -> None:
    fixture = Fixture()

    async def story() -> None:
        obj = fixture.api.add(JOB)
        await first_repair(fixture)
        await asyncio.sleep(5)
        fixture.resync.note_event(obj)
        await asyncio.sleep(100)
        assert fixture.resync.statistics().stale_watches == []

    fixture.play(story)


ROUTE_KEY = Key(HTTP_ROUTES, "ns", "flights")
ROUTE = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": JOB["metadata"]}


class Lacking(Fixture):
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
    fixture = Lacking(wanted=False)

    async def story() -> None:
        assert fixture.cache.lacks(HTTP_ROUTES)
        assert not fixture.cache.lacks(TRAINING_JOBS)
        statistics = fixture.resync.statistics()
        assert (statistics.completed, statistics.failed) == (1, 0)

    fixture.play(story)


def test_a_resource_that_everybody_has_is_a_failure_when_it_is_lacking() -> None:
    fixture = Fixture(ListScope(HTTP_ROUTES), ListScope(JOBS))

    async def story() -> None:
        fixture.api.fail = lambda verb, key: NotFound(404, "NotFound", "404 page not found")
        await asyncio.sleep(800)
        assert fixture.resync.statistics().failed > 0

    fixture.play(story)


def test_a_resource_that_somebody_wants_is_found_soon_after_the_cluster_got_it() -> None:
    fixture = Lacking(wanted=True)

    async def story() -> None:
        await asyncio.sleep(100)
        assert fixture.found == []
        rounds = len(fixture.rounds)
        fixture.there = True
        fixture.api.add(ROUTE)
        await asyncio.sleep(DISCOVERY_SECONDS + 1)
        assert len(fixture.found) == 1
        assert len(fixture.rounds) == rounds + 1
        assert fixture.cache.get(ROUTE_KEY) is not None
        assert not fixture.cache.lacks(HTTP_ROUTES)
        looks = fixture.looks
        await asyncio.sleep(300)
        assert fixture.looks == looks

    fixture.play(story)


def test_a_resource_that_nobody_wants_is_looked_for_with_the_rounds_alone() -> None:
    fixture = Lacking(wanted=False)

    async def story() -> None:
        fixture.there = True
        await asyncio.sleep(300)
        assert (fixture.looks, fixture.found) == (1, [])
        await asyncio.sleep(500)
        assert len(fixture.found) == 1

    fixture.play(story)


def test_when_a_resource_goes_its_objects_are_gone_too() -> None:
    fixture = Lacking(wanted=True)
    fixture.there = True
    fixture.api.add(ROUTE)

    async def story() -> None:
        assert fixture.cache.get(ROUTE_KEY) is not None
        fixture.there = False
        await asyncio.sleep(800)
        assert fixture.cache.get(ROUTE_KEY) is None
        assert fixture.cache.lacks(HTTP_ROUTES)

    fixture.play(story)


def test_every_right_that_a_leader_waits_for_is_named_until_it_is_granted(caplog: pytest.LogCaptureFixture) -> None:
    fixture = Fixture(ListScope(JOBS), ListScope(CONTROLLER_REVISIONS), ListScope(TRAINING_JOBS))
    listed, old_role = fixture.api.list, {JOBS, CONTROLLER_REVISIONS}

    async def lists(resource: Resource, *where: Any) -> Listing:
        if resource in old_role:
            raise Forbidden(403, "Forbidden", f"cannot list resource {resource.plural}")
        return await listed(resource, *where)

    fixture.api.list = lists  # type: ignore[assignment,method-assign]

    async def main() -> None:
        task = asyncio.create_task(fixture.resync.prime())
        await asyncio.sleep(30)
        missing = fixture.resync.statistics().missing_rights
        assert missing == ["list controllerrevisions.apps", "list jobs.batch"]
        assert "the role of the operator lacks the verb list for controllerrevisions.apps" in caplog.text
        old_role.clear()
        await task
        assert fixture.resync.statistics().missing_rights == []

    run(main())
