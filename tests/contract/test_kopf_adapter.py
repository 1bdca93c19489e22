"""kopf itself, under the supervisor, against the fake: what it may do to a cluster and what makes it come back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any

import pytest
from steadfit.app.watch import kopf_adapter, kopf_supervisor
from steadfit.app.watch.kopf_supervisor import Supervisor
from steadfit.kube.resources import ARTIFACT_STORES, EVENTS, HTTP_ROUTES, JOBS, PODS, TRAINING_JOBS

from tests.support.until import until as wait_until

from .fakeapi import FakeAPI, Fault

OURS = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "steadfit"}}}


class Bell:
    """Every event that was delivered."""

    def __init__(self) -> None:
        self.rings: list[tuple[str | None, str, str]] = []
        self.interruptions = 0
        self._changed = asyncio.Event()

    def deliver(self, event_type: str | None, body: dict[str, Any]) -> None:
        self.rings.append((event_type, body["kind"], body["metadata"]["name"]))
        self._changed.set()

    def interrupted(self) -> None:
        self.interruptions += 1

    async def has(self, event_type: str | None, kind: str, name: str) -> None:
        async with asyncio.timeout(20):
            while (event_type, kind, name) not in self.rings:
                self._changed.clear()
                await self._changed.wait()


# kopf 1.45 cannot cancel a watch whose answer has not begun (its callback looks for a task where none is), so an exit
# takes up to its request timeout of 30 s.
until = partial(wait_until, seconds=180)


def play(story: Callable[[FakeAPI, Bell, Supervisor], Awaitable[None]], namespaces: tuple[str, ...] = ()) -> FakeAPI:
    fake = FakeAPI()

    async def main() -> None:
        async with fake.running():
            bell, loop = Bell(), asyncio.get_running_loop()

            def deliver(event_type: str | None, body: dict[str, Any]) -> None:
                loop.call_soon_threadsafe(bell.deliver, event_type, body)

            watching = Supervisor(
                partial(kopf_adapter.watch, fake.configuration, namespaces, deliver), Random(1), bell.interrupted
            )
            task = asyncio.create_task(watching.run())
            try:
                await story(fake, bell, watching)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    return fake


@pytest.fixture(autouse=True)
def _short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kopf_supervisor, "FIRST_BACKOFF", 0.05)


def test_events_arrive_and_kopf_writes_nothing() -> None:
    async def story(fake: FakeAPI, bell: Bell, watching: Supervisor) -> None:
        fake.store.create(ARTIFACT_STORES, (None, "default"), {})
        fake.store.create(TRAINING_JOBS, ("ns", "before"), {})
        await bell.has(None, "TrainingJob", "before")
        await bell.has(None, "ArtifactStore", "default")
        await asyncio.sleep(0.5)
        fake.store.create(TRAINING_JOBS, ("ns", "after"), {})
        await bell.has("ADDED", "TrainingJob", "after")
        fake.store.delete(TRAINING_JOBS, ("ns", "after"))
        await bell.has("DELETED", "TrainingJob", "after")

    fake = play(story)
    assert {request.verb for request in fake.requests} == {"list", "watch"}
    assert fake.store.get(TRAINING_JOBS, ("ns", "before"))["metadata"].keys() == {
        "name", "namespace", "uid", "generation", "resourceVersion",
    }  # fmt: skip


def test_only_children_that_we_made_are_watched() -> None:
    async def story(fake: FakeAPI, bell: Bell, watching: Supervisor) -> None:
        fake.store.create(JOBS, ("ns", "ours"), OURS)
        fake.store.create(PODS, ("ns", "ours"), OURS)
        fake.store.create(JOBS, ("ns", "theirs"), {})
        await bell.has(None, "Job", "ours")
        await bell.has(None, "Pod", "ours")
        assert "theirs" not in {name for _, _, name in bell.rings}

    fake = play(story)
    for request in fake.seen("list", "jobs") + fake.seen("watch", "pods"):
        assert request.query["labelSelector"] == "app.kubernetes.io/managed-by=steadfit"


def test_of_all_events_only_those_of_jobs_whose_pod_is_refused_are_watched_by_one_request() -> None:
    async def story(fake: FakeAPI, bell: Bell, watching: Supervisor) -> None:
        def add(name: str, reason: str, kind: str) -> None:
            fake.store.create(EVENTS, ("ns", name), {"reason": reason, "regarding": {"kind": kind, "name": name}})

        add("early", "FailedCreate", "Job")
        add("other-early", "Pulled", "Pod")
        await bell.has(None, "Event", "early")
        await asyncio.sleep(0.5)
        for number in range(100):
            add(f"other-{number}", "FailedCreate", "ReplicaSet")
            add(f"model-{number}", "FailedCreate", "Job")
        await bell.has("ADDED", "Event", "model-99")
        assert {name for _, kind, name in bell.rings if kind == "Event" and name.startswith("other")} == set()

    fake = play(story)
    requests = [*fake.seen("list", "events"), *fake.seen("watch", "events")]
    assert [request.query["fieldSelector"] for request in requests] == ["reason=FailedCreate,regarding.kind=Job"] * 2


def test_a_list_of_namespaces_narrows_the_watches_but_not_those_of_cluster_scoped_kinds() -> None:
    async def story(fake: FakeAPI, bell: Bell, watching: Supervisor) -> None:
        fake.store.create(ARTIFACT_STORES, (None, "default"), {})
        fake.store.create(TRAINING_JOBS, ("one", "here"), {})
        fake.store.create(TRAINING_JOBS, ("other", "there"), {})
        await bell.has(None, "TrainingJob", "here")
        await bell.has(None, "ArtifactStore", "default")
        assert "there" not in {name for _, _, name in bell.rings}

    fake = play(story, ("one",))
    assert all("/namespaces/one/" in request.path for request in fake.seen("list", "trainingjobs"))


def test_a_resource_that_the_cluster_lacks_does_not_hinder_the_others_and_is_watched_once_it_is_there() -> None:
    async def story(fake: FakeAPI, bell: Bell, watching: Supervisor) -> None:
        fake.lacking.add(HTTP_ROUTES.group)
        fake.store.create(TRAINING_JOBS, ("ns", "before"), {})
        await bell.has(None, "TrainingJob", "before")
        assert not fake.seen("list", "httproutes")
        fake.lacking.clear()
        fake.store.create(HTTP_ROUTES, ("ns", "late"), {})
        watching.restart()
        await until(lambda: (None, "HTTPRoute", "late") in bell.rings)
        assert bell.interruptions == watching.statistics().exits == 1

    play(story)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(in_stream=500),
        Fault(code=410, reason="Expired"),
        Fault(code=404, reason="NotFound"),
        Fault(in_stream=410),
        Fault(drop=True),
    ],
    ids=["in-stream 500", "410 as status", "404 as status", "in-stream 410", "connection dropped"],
)
def test_watching_comes_back_after(fault: Fault) -> None:
    async def story(fake: FakeAPI, bell: Bell, watching: Supervisor) -> None:
        fake.store.create(TRAINING_JOBS, ("ns", "before"), {})
        await bell.has(None, "TrainingJob", "before")
        await until(lambda: bool(fake.seen("watch", "trainingjobs")))
        fake.faults["watch", "trainingjobs"] = fault
        fake.store.hang_up()
        await until(lambda: not fault.times)
        fake.store.create(TRAINING_JOBS, ("ns", "after"), {})
        await until(lambda: "after" in {name for _, _, name in bell.rings})

    play(story)


def test_an_exit_of_kopf_is_counted_and_cancels_no_task_of_ours() -> None:
    async def story(fake: FakeAPI, bell: Bell, watching: Supervisor) -> None:
        fake.store.create(TRAINING_JOBS, ("ns", "before"), {})
        await bell.has(None, "TrainingJob", "before")
        bystander = asyncio.create_task(asyncio.sleep(3600))
        fake.faults["watch", "trainingjobs"] = Fault(in_stream=500)
        fake.store.hang_up()
        await until(lambda: watching.statistics().exits > 0)
        assert bell.interruptions == 1
        assert not bystander.done()
        bystander.cancel()

    play(story)


def test_kopf_is_started_again_also_when_it_exits_while_other_watches_wait_for_their_answer() -> None:
    async def story(fake: FakeAPI, bell: Bell, watching: Supervisor) -> None:
        fake.store.create(TRAINING_JOBS, ("ns", "before"), {})
        await bell.has(None, "TrainingJob", "before")
        for resource in (JOBS, PODS, ARTIFACT_STORES):
            fake.faults["watch", resource.plural] = Fault(times=20, hang=20)
        fake.faults["watch", "trainingjobs"] = Fault(in_stream=500)
        fake.store.hang_up()
        await until(lambda: watching.statistics().exits > 0)

    play(story)


def test_a_user_without_a_name_can_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 65532")

    monkeypatch.setattr("getpass.getuser", nameless)

    async def story(fake: FakeAPI, bell: Bell, watching: Supervisor) -> None:
        fake.store.create(TRAINING_JOBS, ("ns", "before"), {})
        await bell.has(None, "TrainingJob", "before")
        assert watching.statistics().exits == 0

    play(story)


def test_many_server_errors_on_a_list_do_not_end_the_watching() -> None:
    async def story(fake: FakeAPI, bell: Bell, watching: Supervisor) -> None:
        fake.faults["list", "trainingjobs"] = Fault(times=4, code=500)
        fake.store.create(TRAINING_JOBS, ("ns", "before"), {})
        await bell.has(None, "TrainingJob", "before")
        assert watching.statistics().exits == 0

    play(story)


def test_the_backoff_of_kopf_never_ends() -> None:
    seconds = iter(kopf_adapter.EndlessBackoff())
    assert [next(seconds) for _ in range(10)][-1] == 30.0
    assert not hasattr(kopf_adapter.EndlessBackoff(), "__len__")
