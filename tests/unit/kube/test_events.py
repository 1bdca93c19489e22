from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from steadfit.core.types import Event
from steadfit.kube.client import Unavailable
from steadfit.kube.events import BURST, QUEUE_SIZE, Recorder
from steadfit.kube.resources import EVENTS

from tests.support.memory_api import MemoryAPI
from tests.support.virtual_time import LoopClock, run

OBJ = {
    "apiVersion": "steadfit.dev/v1alpha1",
    "kind": "TrainingJob",
    "metadata": {"name": "flights", "namespace": "ns", "uid": "u1", "resourceVersion": "5"},
}


def play(story: Callable[[MemoryAPI, Recorder], Awaitable[None]]) -> list[dict[str, Any]]:
    api = MemoryAPI()

    async def main() -> None:
        recorder = Recorder(api, LoopClock(), "steadfit-0")
        task = asyncio.create_task(recorder.run())
        await story(api, recorder)
        task.cancel()

    run(main())
    return [obj for key, obj in api.objects.items() if key.resource == EVENTS]


def test_an_event_says_what_happened_to_which_object() -> None:
    async def story(api: MemoryAPI, recorder: Recorder) -> None:
        recorder.record(OBJ, Event("Warning", "RunFailed", "out of memory"))
        await asyncio.sleep(1)

    (event,) = play(story)
    assert event["metadata"]["namespace"] == "ns"
    assert event["metadata"]["name"].startswith("flights.")
    assert (event["type"], event["reason"], event["note"]) == ("Warning", "RunFailed", "out of memory")
    assert (event["action"], event["reportingInstance"]) == ("Reconcile", "steadfit-0")
    assert event["eventTime"] == "2026-03-01T12:00:00.000000Z"
    assert (event["regarding"]["kind"], event["regarding"]["uid"]) == ("TrainingJob", "u1")


def test_an_event_on_a_cluster_scoped_object_lives_in_default() -> None:
    async def story(api: MemoryAPI, recorder: Recorder) -> None:
        metadata = {"name": "s3", "uid": "u2", "resourceVersion": "5"}
        recorder.record({**OBJ, "kind": "ArtifactStore", "metadata": metadata}, Event("Normal", "Accepted", "fine"))
        await asyncio.sleep(1)

    (event,) = play(story)
    assert event["metadata"]["namespace"] == "default"
    assert "namespace" not in event["regarding"]


def test_a_repeated_event_becomes_a_series_of_the_first() -> None:
    async def story(api: MemoryAPI, recorder: Recorder) -> None:
        for _ in range(5):
            recorder.record(OBJ, Event("Warning", "WriteRefused", "quota"))
            await asyncio.sleep(61)
        recorder.record(OBJ, Event("Warning", "WriteRefused", "another sentence"))
        await asyncio.sleep(1)

    first, second = play(story)
    assert first["series"]["count"] == 5
    assert first["series"]["lastObservedTime"] == "2026-03-01T12:04:04.000000Z"
    assert "series" not in second


def test_quick_repetitions_are_counted_but_written_at_most_once_a_minute() -> None:
    async def story(api: MemoryAPI, recorder: Recorder) -> None:
        for _ in range(100):
            recorder.record(OBJ, Event("Warning", "WriteRefused", "quota"))
            await asyncio.sleep(0.1)
        assert recorder.statistics().written == 1
        assert recorder.statistics().repeated == 99

    play(story)


def test_an_object_that_talks_too_much_is_cut_off_and_the_loss_is_counted() -> None:
    async def story(api: MemoryAPI, recorder: Recorder) -> None:
        for number in range(BURST + 10):
            recorder.record(OBJ, Event("Normal", "CanaryStepStarted", str(number)))
        await asyncio.sleep(1)
        assert recorder.statistics().dropped == 10
        await asyncio.sleep(125)
        recorder.record(OBJ, Event("Normal", "CanaryStepStarted", "two minutes later"))
        await asyncio.sleep(1)
        assert recorder.statistics().written == BURST + 1

    play(story)


def test_recording_never_waits_and_never_fails() -> None:
    async def story(api: MemoryAPI, recorder: Recorder) -> None:
        api.fail = lambda verb, key: Unavailable(503, "x", "y")
        for number in range(QUEUE_SIZE + 50):
            metadata = {**OBJ["metadata"], "uid": f"u{number}"}  # type: ignore[dict-item]
            recorder.record({**OBJ, "metadata": metadata}, Event("Normal", "CanaryStepStarted", "x"))
        assert recorder.statistics().waiting == QUEUE_SIZE
        await asyncio.sleep(1)
        assert recorder.statistics().dropped == QUEUE_SIZE + 50
        assert recorder.statistics().waiting == 0

    play(story)
