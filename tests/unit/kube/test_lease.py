from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from steadfit.kube.client import Unavailable
from steadfit.kube.key import Key
from steadfit.kube.lease import Election, LeaseLost, LeaseSettings
from steadfit.kube.resources import LEASES
from steadfit.kube.restored import Restored

from tests.support.memory_api import MemoryAPI
from tests.support.virtual_time import LoopClock, run

KEY = Key(LEASES, "system", "steadfit")


def now() -> float:
    return asyncio.get_running_loop().time()


def candidate(api: Any, identity: str) -> Election:
    return Election(api, LoopClock(), LeaseSettings("steadfit", "system", identity))


class Reign:
    """When one candidate led."""

    def __init__(self, election: Election) -> None:
        self.election = election
        self.began: float | None = None
        self.ended: float | None = None
        self.why = ""

    async def run(self) -> None:
        await self.election.acquire()
        self.began = now()
        try:
            await self.election.hold()
        except LeaseLost as error:
            self.ended, self.why = now(), str(error)


def play(story: Callable[[MemoryAPI], Awaitable[None]]) -> None:
    run(story(MemoryAPI()))  # type: ignore[arg-type]


def test_a_free_lease_is_taken_at_once() -> None:
    async def story(api: MemoryAPI) -> None:
        first = candidate(api, "a")
        await first.acquire()
        assert now() == 0
        spec = api.objects[KEY]["spec"]
        assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("a", 15, 0)
        assert first.statistics().held

    play(story)


def test_only_one_of_two_candidates_leads() -> None:
    async def story(api: MemoryAPI) -> None:
        reigns = [Reign(candidate(api, name)) for name in "ab"]
        tasks = [asyncio.create_task(reign.run()) for reign in reigns]
        await asyncio.sleep(3600)
        assert [reign.began is not None for reign in reigns] == [True, False]
        for task in tasks:
            task.cancel()

    play(story)


def test_a_leader_that_vanished_is_replaced_after_the_lease_has_run_out() -> None:
    async def story(api: MemoryAPI) -> None:
        first = candidate(api, "a")
        await first.acquire()
        second = candidate(api, "b")
        await second.acquire()
        assert 15 < now() <= 18
        assert api.objects[KEY]["spec"]["leaseTransitions"] == 1

    play(story)


def test_a_leader_stops_within_seconds_when_its_lease_goes_back() -> None:
    async def story(api: MemoryAPI) -> None:
        first = candidate(api, "a")
        await first.acquire()
        backup = api.backup()
        holding = asyncio.create_task(first.hold())
        await asyncio.sleep(30)
        api.restore(backup)
        with pytest.raises(Restored, match="the Lease steadfit has resourceVersion 101"):
            await holding
        assert now() <= 33

    play(story)


def test_a_deleted_lease_ends_the_reign_and_is_made_anew_within_a_minute() -> None:
    async def story(api: MemoryAPI) -> None:
        first = Reign(candidate(api, "a"))
        leading = asyncio.create_task(first.run())
        await asyncio.sleep(30)
        api.remove(KEY)
        await leading
        assert first.ended is not None
        assert first.ended <= 40, "the process exits"
        await candidate(api, "a, started again").acquire()
        assert now() == first.ended

    play(story)


def test_a_deleted_lease_that_another_candidate_makes_anew_ends_the_reign_by_its_next_renewal() -> None:
    async def story(api: MemoryAPI) -> None:
        reigns = [Reign(candidate(api, name)) for name in "ab"]
        tasks = [asyncio.create_task(reign.run()) for reign in reigns]
        await asyncio.sleep(30.5)
        api.remove(KEY)
        await asyncio.sleep(10)
        first, second = reigns
        assert first.ended is not None
        assert second.began is not None
        assert first.ended <= second.began + 2
        assert second.ended is None
        for task in tasks:
            task.cancel()

    play(story)


def test_a_released_lease_is_taken_without_waiting() -> None:
    async def story(api: MemoryAPI) -> None:
        first = candidate(api, "a")
        await first.acquire()
        await first.release()
        await candidate(api, "b").acquire()
        assert now() == 0

    play(story)


def test_a_hung_renewal_ends_the_reign_before_another_may_begin() -> None:
    async def story(api: MemoryAPI) -> None:
        first = Reign(candidate(HangsFrom(api, 20), "a"))
        second = Reign(candidate(api, "b"))
        tasks = [asyncio.create_task(first.run())]
        await asyncio.sleep(0.5)
        tasks.append(asyncio.create_task(second.run()))
        await asyncio.sleep(120)
        assert first.ended is not None
        assert second.began is not None
        assert first.ended <= 30 < second.began
        assert "not renewed" in first.why
        for task in tasks:
            task.cancel()

    play(story)


def test_an_api_server_that_is_down_ends_the_reign_after_the_renew_deadline() -> None:
    async def story(api: MemoryAPI) -> None:
        reign = Reign(candidate(api, "a"))
        task = asyncio.create_task(reign.run())
        await asyncio.sleep(60.5)
        api.fail = lambda verb, key: Unavailable(0, "Refused", "down")
        await asyncio.sleep(20)
        assert reign.ended is not None
        assert 60.5 < reign.ended <= 70.5
        await task

    play(story)


def test_a_short_outage_does_not_end_the_reign() -> None:
    async def story(api: MemoryAPI) -> None:
        reign = Reign(candidate(api, "a"))
        task = asyncio.create_task(reign.run())
        await asyncio.sleep(60.5)
        api.fail = lambda verb, key: Unavailable(0, "Refused", "down")
        await asyncio.sleep(6)
        api.fail = lambda verb, key: None
        await asyncio.sleep(60)
        assert reign.ended is None
        assert reign.election.statistics().failures > 0
        task.cancel()

    play(story)


def test_a_lease_taken_by_another_ends_the_reign_at_once() -> None:
    async def story(api: MemoryAPI) -> None:
        reign = Reign(candidate(api, "a"))
        task = asyncio.create_task(reign.run())
        await asyncio.sleep(11)
        api.edit(KEY, spec={"holderIdentity": "usurper", "leaseDurationSeconds": 15})
        await asyncio.sleep(3)
        assert reign.ended is not None
        assert reign.why == "usurper holds it"
        await task

    play(story)


def test_a_lost_reply_of_a_renewal_does_not_end_the_reign() -> None:
    async def story(api: MemoryAPI) -> None:
        reign = Reign(candidate(LosesOneReply(api), "a"))
        task = asyncio.create_task(reign.run())
        await asyncio.sleep(60)
        assert reign.ended is None
        task.cancel()

    play(story)


def test_the_clock_of_the_other_candidate_does_not_matter() -> None:
    async def story(api: MemoryAPI) -> None:
        first = candidate(api, "a")
        await first.acquire()
        spec = {**api.objects[KEY]["spec"], "renewTime": "1999-01-01T00:00:00.000000Z"}
        api.edit(KEY, spec=spec)
        second = candidate(api, "b")
        await second.acquire()
        assert now() > 15

    play(story)


def test_times_that_would_let_two_lead_are_refused() -> None:
    with pytest.raises(ValueError, match="renew_seconds < duration_seconds"):
        LeaseSettings("steadfit", "system", "a", duration_seconds=10, renew_seconds=10)


class HangsFrom:
    """An API server whose writes hang from a moment on."""

    def __init__(self, api: MemoryAPI, moment: float) -> None:
        self._api = api
        self._moment = moment

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            if now() >= self._moment:
                await asyncio.sleep(10**6)
            return await getattr(self._api, name)(*args, **kwargs)

        return call


class LosesOneReply:
    """An API server that does what it is asked, but one reply never arrives."""

    def __init__(self, api: MemoryAPI) -> None:
        self._api = api
        self._lost = False

    async def replace(self, manifest: Any) -> Any:
        reply = await self._api.replace(manifest)
        if not self._lost:
            self._lost = True
            raise Unavailable(0, "ServerDisconnected", "no answer")
        return reply

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)
