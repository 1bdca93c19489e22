"""Alerts into the status of TrainingJobs, in virtual time."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from steadfit.api.trainingjob import AlertTrigger, Trigger
from steadfit.app.alerts.writer import CONCURRENT_WRITES, WRITE_SECONDS, AlertWriter
from steadfit.core.training.triggers.alert_matching import Listener, ReceivedAlert
from steadfit.kube.client import Conflict, Invalid, Unavailable
from steadfit.kube.key import Key
from steadfit.kube.resources import TRAINING_JOBS

from tests.support.memory_api import MemoryAPI
from tests.support.virtual_time import START, run

LABELS = {"namespace": "shop", "model": "flights", "alertname": "Drift"}
TRIGGER = Trigger(name="drift", alert=AlertTrigger(match_labels={"alertname": "Drift"}))


class SlowAPI(MemoryAPI):
    """Each call takes a tenth of a second."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way = 0
        self.most = 0

    async def get(self, *args: Any) -> dict[str, Any]:
        return await self._slowly(super().get(*args))

    async def patch_status(self, *args: Any) -> dict[str, Any]:
        return await self._slowly(super().patch_status(*args))

    async def _slowly(self, call: Any) -> dict[str, Any]:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.1)
        self.under_way -= 1
        reply: dict[str, Any] = await call
        return reply


def told(fingerprint: str, name: str = "flights") -> ReceivedAlert:
    return ReceivedAlert(fingerprint, "firing", {**LABELS, "model": name}, START, START)


def add(api: MemoryAPI, name: str = "flights", **status: Any) -> Listener:
    api.add(
        {
            "apiVersion": TRAINING_JOBS.api_version,
            "kind": TRAINING_JOBS.kind,
            "metadata": {"namespace": "shop", "name": name},
            "spec": {"triggers": [TRIGGER.dump()]},
            "status": status,
        }
    )
    return Listener("shop", name, [TRIGGER])


def stored(api: MemoryAPI, name: str = "flights") -> list[str]:
    status = api.objects[Key(TRAINING_JOBS, "shop", name)]["status"]
    return [entry["fingerprint"] for entry in status.get("alerts", [])]


def test_what_arrives_during_a_write_goes_into_the_next_one_together() -> None:
    async def story() -> None:
        api = SlowAPI()
        target = add(api)
        writer = AlertWriter(api, Random(0))
        results = await asyncio.gather(*(writer.store(target, [told(f"f{number}")]) for number in range(50)))
        assert all(result[f"f{number}"] == "stored" for number, result in enumerate(results))
        # The first callers of one turn of the loop share the first write.
        assert len(api.writes) == 1
        first = asyncio.create_task(writer.store(target, [told("g0")]))
        await asyncio.sleep(0.05)
        late = [asyncio.create_task(writer.store(target, [told(f"g{number}")])) for number in range(1, 10)]
        await asyncio.gather(first, *late)
        assert len(api.writes) == 3
        assert len(stored(api)) == 60

    run(story())


def test_a_caller_that_goes_away_does_not_take_the_others_alerts_along() -> None:
    async def story() -> None:
        api = SlowAPI()
        target = add(api)
        writer = AlertWriter(api, Random(0))
        impatient = asyncio.create_task(writer.store(target, [told("a")]))
        patient = asyncio.create_task(writer.store(target, [told("b")]))
        await asyncio.sleep(0.05)
        impatient.cancel()
        assert (await patient)["b"] == "stored"
        assert stored(api) == ["a", "b"]

    run(story())


def test_what_the_leader_writes_meanwhile_is_kept() -> None:
    async def story() -> None:
        api = SlowAPI()
        target = add(api, observedGeneration=1)
        writer = AlertWriter(api, Random(0))
        write = asyncio.create_task(writer.store(target, [told("a")]))
        await asyncio.sleep(0.15)
        job = api.objects[Key(TRAINING_JOBS, "shop", "flights")]
        await MemoryAPI.patch_status(api, job, {"observedGeneration": 2, "inputHash": "h"})
        await write
        status = api.objects[Key(TRAINING_JOBS, "shop", "flights")]["status"]
        assert (status["observedGeneration"], status["inputHash"]) == (2, "h")
        assert stored(api) == ["a"]

    run(story())


def test_a_write_that_always_loses_is_given_up_in_time_and_asks_ever_less_often() -> None:
    async def story() -> None:
        api = SlowAPI()
        target = add(api)
        tries = 0

        def lose(verb: str, key: Key) -> Conflict | None:
            nonlocal tries
            if verb != "patch_status":
                return None
            tries += 1
            return Conflict(409, "Conflict", "somebody was faster")

        api.fail = lose
        start = asyncio.get_running_loop().time()
        with pytest.raises(Unavailable, match="shop/flights"):
            await AlertWriter(api, Random(0)).store(target, [told("a")])
        assert asyncio.get_running_loop().time() - start == pytest.approx(WRITE_SECONDS)
        assert tries < 30

    run(story())


def test_after_a_failure_the_next_caller_starts_afresh() -> None:
    async def story() -> None:
        api = SlowAPI()
        target = add(api)
        writer = AlertWriter(api, Random(0))
        api.fail = lambda verb, key: Unavailable(503, "Down", "no answer")
        with pytest.raises(Unavailable):
            await writer.store(target, [told("a")])
        api.fail = lambda verb, key: None
        assert (await writer.store(target, [told("b")]))["b"] == "stored"
        assert stored(api) == ["b"]

    run(story())


def test_entries_that_cannot_be_read_are_left_as_they_are_and_named() -> None:
    async def story() -> None:
        api = SlowAPI()
        target = add(api, alerts=[{"fingerprint": "x", "status": "muted"}])
        with pytest.raises(Invalid, match="shop/flights cannot be read"):
            await AlertWriter(api, Random(0)).store(target, [told("a")])
        assert api.writes == []

    run(story())


def test_many_training_jobs_are_written_a_few_at_a_time() -> None:
    async def story() -> None:
        api = SlowAPI()
        names = [f"m{number}" for number in range(100)]
        targets = [add(api, name) for name in names]
        writer = AlertWriter(api, Random(0))
        await asyncio.gather(
            *(writer.store(target, [told("a", name)]) for target, name in zip(targets, names, strict=True))
        )
        assert api.most == CONCURRENT_WRITES
        assert all(stored(api, name) == ["a"] for name in names)
        assert not writer._tasks
        assert not writer._next

    run(story())


def test_what_was_dropped_before_is_added_to() -> None:
    async def story() -> None:
        api = SlowAPI()
        target = add(api, alertsDropped=5)
        results = await AlertWriter(api, Random(0)).store(target, [told(f"f{number}") for number in range(70)])
        assert sorted(results.values()).count("overflow") == 6
        assert api.objects[Key(TRAINING_JOBS, "shop", "flights")]["status"]["alertsDropped"] == 11

    run(story())
