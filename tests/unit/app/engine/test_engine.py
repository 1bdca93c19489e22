from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from steadfit.app.engine.engine import Engine, EngineSettings
from steadfit.app.engine.reconcile import Planner
from steadfit.core.types import Apply, Create, Delete, Event, Plan, Platform
from steadfit.kube.client import Forbidden, NotFound, Unavailable
from steadfit.kube.key import Key
from steadfit.kube.resources import ARTIFACT_STORES, EVENTS, HTTP_ROUTES, JOBS, OWN, SERVICES, TRAINING_JOBS

from tests.support.memory_api import MemoryAPI
from tests.support.virtual_time import LoopClock, run

JOB = Key(TRAINING_JOBS, "ns", "flights")
CHILD = Key(JOBS, "ns", "flights-child")
PLATFORM = Platform("trainer:1", "server:1", "0.1.0", "https://steadfit-operator", "PEM")


def training_job(name: str = "flights", **status: Any) -> dict[str, Any]:
    obj = {
        "apiVersion": "steadfit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"image": "one"},
    }
    return {**obj, "status": status} if status else obj


def child_of(owner: dict[str, Any], uid: str | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "flights-child",
            "namespace": "ns",
            "labels": {"app.kubernetes.io/managed-by": "steadfit"},
            "ownerReferences": [
                {
                    "apiVersion": "steadfit.dev/v1alpha1",
                    "kind": "TrainingJob",
                    "name": "flights",
                    "uid": uid or owner["metadata"]["uid"],
                    "controller": True,
                }
            ],
        },
    }


def idle(obj: dict[str, Any], now: datetime) -> Plan:
    return Plan(status=obj.get("status", {}))


def wants_a_child(obj: dict[str, Any], now: datetime) -> Plan:
    """The smallest plan with an intent: name the child, then create it."""
    return Plan(
        status={"child": "flights-child"},
        actions=(Create(child_of(obj)),),
        events=(Event("Normal", "RunStarted", "a child is wanted"),),
    )


class Bench:
    """An engine with one real planner, on an API in memory whose watch reaches it at once."""

    def __init__(self, planner: Planner, **settings: Any) -> None:
        self.api = MemoryAPI()
        self.clock = LoopClock()
        self.seen: list[datetime] = []

        def noted(obj: dict[str, Any], now: datetime) -> Plan:
            self.seen.append(now)
            return planner(obj, now)

        self.engine = Engine(
            self.api,
            self.clock,
            Random(1),
            PLATFORM,
            EngineSettings(**settings),
            lambda observer: {resource: noted if resource == TRAINING_JOBS else idle for resource in OWN},
        )
        self.api.watch = self.engine.on_event

    def play(self, story: Callable[[Bench], Awaitable[None]]) -> None:
        async def main() -> None:
            await self.engine.prime()
            task = asyncio.create_task(self.engine.run())
            await story(self)
            self.statistics = self.engine.statistics()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        run(main())

    @property
    def effects(self) -> list[str]:
        return [write for write in self.api.writes if "Event" not in write]


def test_status_is_written_before_the_action_it_announces() -> None:
    bench = Bench(wants_a_child)

    async def story(bench: Bench) -> None:
        bench.api.add(training_job())
        await asyncio.sleep(1)

    bench.play(story)
    assert bench.effects == [f"status {JOB}", f"create {CHILD}"]
    assert bench.api.objects[JOB]["status"] == {"child": "flights-child"}


def test_nothing_is_written_when_nothing_changed() -> None:
    def only_once(obj: dict[str, Any], now: datetime) -> Plan:
        plan = wants_a_child(obj, now)
        return plan if CHILD not in bench.api.objects else Plan(plan.status)

    bench = Bench(only_once, resync_seconds=60)

    async def story(bench: Bench) -> None:
        bench.api.add(training_job())
        await asyncio.sleep(1)
        bench.api.writes.clear()
        bench.engine.on_event("MODIFIED", bench.api.objects[JOB])
        bench.api.edit(JOB, spec={"image": "two"})
        await asyncio.sleep(600)

    bench.play(story)
    assert bench.api.writes == []
    assert len(bench.seen) > 5


def test_an_event_is_told_only_when_its_status_write_succeeded() -> None:
    bench = Bench(wants_a_child)
    refused = [True, True]

    def fail(verb: str, key: Key) -> Any:
        if verb == "patch_status" and refused:
            refused.pop()
            return Unavailable(500, "InternalError", "etcd")
        return None

    async def story(bench: Bench) -> None:
        bench.api.fail = fail
        bench.api.add(training_job())
        await asyncio.sleep(10)

    bench.play(story)
    told = [key for key in bench.api.objects if key.resource == EVENTS]
    assert len(told) == 1
    assert bench.statistics.passes["TrainingJob", "unavailable"] == 2


def test_a_child_of_the_same_owner_is_adopted() -> None:
    bench = Bench(wants_a_child)

    async def story(bench: Bench) -> None:
        owner = bench.api.add(training_job(child="flights-child"))
        bench.api.watch = lambda event, obj: None
        bench.api.add(child_of(owner))
        await asyncio.sleep(5)

    bench.play(story)
    assert bench.effects == []
    assert bench.statistics.passes["TrainingJob", "acted"] >= 1
    assert bench.statistics.cache.objects["Job"] == 1


def test_a_child_of_another_owner_is_refused_with_a_warning() -> None:
    bench = Bench(wants_a_child)

    async def story(bench: Bench) -> None:
        bench.api.add(child_of({}, uid="somebody"))
        bench.api.add(training_job(child="flights-child"))
        await asyncio.sleep(30)

    bench.play(story)
    warnings = [obj for key, obj in bench.api.objects.items() if key.resource == EVENTS]
    assert [warning["reason"] for warning in warnings] == ["WriteRefused"]
    assert "Job ns/flights-child exists" in warnings[0]["note"]
    assert bench.effects == []


def test_a_lost_reply_of_a_create_does_no_harm() -> None:
    bench = Bench(wants_a_child)

    async def story(bench: Bench) -> None:
        create = bench.api.create
        lose = [True]

        async def create_and_lose_the_reply(manifest: Any) -> dict[str, Any]:
            reply = await create(manifest)
            if manifest["kind"] == "Job" and lose:
                lose.pop()
                raise Unavailable(0, "Timeout", "no answer")
            return reply

        bench.api.create = create_and_lose_the_reply  # type: ignore[method-assign]
        bench.api.watch = lambda event, obj: bench.engine.on_event(event, obj) if obj["kind"] != "Job" else None
        bench.api.add(training_job())
        await asyncio.sleep(5)

    bench.play(story)
    assert bench.effects.count(f"create {CHILD}") == 1
    assert bench.statistics.cache.objects["Job"] == 1


def test_a_conflict_reads_the_object_live_and_tries_again() -> None:
    bench = Bench(wants_a_child)

    async def story(bench: Bench) -> None:
        bench.api.add(training_job())
        bench.api.watch = lambda event, obj: None
        bench.api.edit(JOB, spec={"image": "two"})
        await asyncio.sleep(2)

    bench.play(story)
    assert bench.statistics.passes["TrainingJob", "conflict"] == 1
    assert bench.effects == [f"status {JOB}", f"create {CHILD}"]


def test_an_unfenced_apply_never_overwrites_what_stands_there() -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "flights", "namespace": "ns"},
        "spec": {"selector": {"app": "ours"}},
    }
    bench = Bench(lambda obj, now: Plan(obj.get("status", {}), (Apply({**service, "metadata": _owned(service, obj)}),)))

    async def story(bench: Bench) -> None:
        bench.api.add({**service, "spec": {"selector": {"app": "theirs"}}})
        bench.api.add(training_job())
        await asyncio.sleep(5)

    bench.play(story)
    assert bench.api.objects[Key(SERVICES, "ns", "flights")]["spec"] == {"selector": {"app": "theirs"}}
    assert bench.statistics.passes["TrainingJob", "refused"] >= 1


def _owned(service: dict[str, Any], owner: dict[str, Any]) -> dict[str, Any]:
    return {**service["metadata"], "ownerReferences": child_of(owner)["metadata"]["ownerReferences"]}


def test_a_fenced_apply_against_a_newer_object_is_a_conflict() -> None:
    stale: dict[str, Any] = {}

    def planner(obj: dict[str, Any], now: datetime) -> Plan:
        return Plan(obj.get("status", {}), (Apply({**stale, "spec": {"selector": {"app": "old"}}}),) if stale else ())

    bench = Bench(planner)

    async def story(bench: Bench) -> None:
        service = bench.api.add(
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "flights", "namespace": "ns"}, "spec": {}}
        )
        stale.update({**service, "metadata": dict(service["metadata"])})
        bench.api.edit(Key(SERVICES, "ns", "flights"), spec={"selector": {"app": "new"}})
        bench.api.add(training_job())
        await asyncio.sleep(3)

    bench.play(story)
    assert bench.api.objects[Key(SERVICES, "ns", "flights")]["spec"] == {"selector": {"app": "new"}}
    assert bench.statistics.passes["TrainingJob", "conflict"] >= 1


def _applied_by_uid(uid: str) -> Bench:
    """Return a bench in which a Service has changed since it was observed, and is applied by the uid given."""
    applied = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "flights", "namespace": "ns", "uid": uid},
        "spec": {"selector": {"app": "applied"}},
    }
    bench = Bench(lambda obj, now: Plan(obj.get("status", {}), (Apply(applied),)))

    async def story(bench: Bench) -> None:
        metadata = {"name": "flights", "namespace": "ns"}
        observed = bench.api.add({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {}})
        assert observed["metadata"]["uid"] == "uid-1"
        bench.api.edit(Key(SERVICES, "ns", "flights"), spec={"ports": [{"port": 80}]})
        bench.api.add(training_job())
        await asyncio.sleep(3)

    bench.play(story)
    return bench


def test_an_apply_that_names_only_the_uid_meets_the_object_whatever_has_changed_in_it() -> None:
    bench = _applied_by_uid("uid-1")
    spec = bench.api.objects[Key(SERVICES, "ns", "flights")]["spec"]
    assert spec == {"ports": [{"port": 80}], "selector": {"app": "applied"}}


def test_an_apply_that_names_the_uid_of_another_object_of_the_name_is_a_conflict() -> None:
    bench = _applied_by_uid("uid-of-another")
    assert bench.api.objects[Key(SERVICES, "ns", "flights")]["spec"] == {"ports": [{"port": 80}]}
    assert bench.statistics.passes["TrainingJob", "conflict"] >= 1


def test_a_delete_of_another_object_of_the_name_is_refused() -> None:
    bench = Bench(
        lambda obj, now: Plan(
            obj.get("status", {}),
            (Delete({**child_of(obj), "metadata": {"name": "flights-child", "namespace": "ns", "uid": "former"}}),),
        )
    )

    async def story(bench: Bench) -> None:
        owner = bench.api.add(training_job())
        bench.api.add(child_of(owner))
        await asyncio.sleep(3)

    bench.play(story)
    assert CHILD in bench.api.objects


def test_an_object_that_is_being_deleted_is_left_alone() -> None:
    bench = Bench(wants_a_child)

    async def story(bench: Bench) -> None:
        obj = training_job()
        obj["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
        bench.api.add(obj)
        await asyncio.sleep(5)

    bench.play(story)
    assert bench.api.writes == []
    assert bench.seen == []


def test_a_pass_is_made_when_its_time_has_come() -> None:
    due = timedelta(hours=3)

    def planner(obj: dict[str, Any], now: datetime) -> Plan:
        start = LoopClock().start
        return Plan({"done": True} if now >= start + due else {}, requeue_at=start + due if now < start + due else None)

    bench = Bench(planner, resync_seconds=10**6)

    async def story(bench: Bench) -> None:
        bench.api.add(training_job())
        await asyncio.sleep(due.total_seconds() + 2)

    bench.play(story)
    assert bench.api.objects[JOB]["status"] == {"done": True}
    assert len(bench.seen) <= 5


def test_a_refused_write_is_warned_about_once_and_tried_slowly() -> None:
    bench = Bench(wants_a_child)

    async def story(bench: Bench) -> None:
        bench.api.fail = lambda verb, key: (
            Forbidden(403, "Forbidden", "quota") if verb == "create" and key == CHILD else None
        )
        bench.api.add(training_job())
        await asyncio.sleep(600)

    bench.play(story)
    assert 3 <= bench.statistics.passes["TrainingJob", "refused"] <= 12
    warnings = [obj for key, obj in bench.api.objects.items() if key.resource == EVENTS and obj["type"] == "Warning"]
    assert len(warnings) == 1


def test_a_status_that_the_server_prunes_ends_in_no_endless_loop() -> None:
    bench = Bench(lambda obj, now: Plan({"unknown": "field"}, (Create(child_of(obj)),)))

    async def story(bench: Bench) -> None:
        async def prune(manifest: Any, patch: Any) -> dict[str, Any]:
            bench.api.writes.append("status")
            return dict(bench.api.objects[JOB])

        bench.api.patch_status = prune  # type: ignore[method-assign]
        bench.api.add(training_job())
        await asyncio.sleep(60)

    bench.play(story)
    assert bench.effects == ["status"]
    assert bench.statistics.passes["TrainingJob", "unstored"] == 1


def test_a_plan_that_raises_does_not_stop_the_others() -> None:
    def planner(obj: dict[str, Any], now: datetime) -> Plan:
        if obj["metadata"]["name"] == "broken":
            raise RuntimeError("a bug")
        return Plan({"fine": True})

    bench = Bench(planner, workers=1)

    async def story(bench: Bench) -> None:
        bench.api.add(training_job("broken"))
        bench.api.add(training_job("sound"))
        await asyncio.sleep(5)

    bench.play(story)
    assert bench.api.objects[Key(TRAINING_JOBS, "ns", "sound")]["status"] == {"fine": True}
    assert bench.statistics.passes["TrainingJob", "failed"] > 2


def test_priming_waits_for_the_api_server_and_then_everything_is_looked_at() -> None:
    bench = Bench(wants_a_child)
    failures = [Unavailable(0, "Refused", "the API server is down")] * 5

    async def story(bench: Bench) -> None:
        await asyncio.sleep(1)

    bench.api.watch = lambda event, obj: None
    bench.api.add(training_job())
    bench.api.fail = lambda verb, key: failures.pop() if failures and verb == "list" else None
    bench.play(story)
    assert bench.effects == [f"status {JOB}", f"create {CHILD}"]
    assert bench.statistics.resync.failed == 5


def test_a_deletion_that_no_watch_told_is_repaired_by_the_next_resync() -> None:
    bench = Bench(wants_a_child, resync_seconds=600)

    async def story(bench: Bench) -> None:
        bench.api.add(training_job())
        await asyncio.sleep(1)
        bench.api.remove(CHILD, silently=True)
        await asyncio.sleep(400)
        assert CHILD not in bench.api.objects
        await asyncio.sleep(400)

    bench.play(story)
    assert CHILD in bench.api.objects
    assert bench.statistics.resync.repaired_deletions == 1


def test_a_vanished_object_is_forgotten_when_its_status_cannot_be_written() -> None:
    bench = Bench(wants_a_child)

    async def story(bench: Bench) -> None:
        bench.api.watch = lambda event, obj: None
        gone = bench.api.add(training_job())
        bench.api.remove(JOB)
        bench.engine.on_event("ADDED", gone)
        await asyncio.sleep(5)

    bench.play(story)
    assert bench.statistics.cache.objects["TrainingJob"] == 0
    assert bench.statistics.passes == {("TrainingJob", "gone"): bench.statistics.passes["TrainingJob", "gone"]}


def test_a_store_that_changes_wakes_the_training_jobs() -> None:
    bench = Bench(idle)

    async def story(bench: Bench) -> None:
        bench.api.add(training_job())
        await asyncio.sleep(1)
        bench.seen.clear()
        bench.api.add(
            {
                "apiVersion": "steadfit.dev/v1alpha1",
                "kind": "ArtifactStore",
                "metadata": {"name": "default"},
                "spec": {},
            }
        )
        await asyncio.sleep(1)

    bench.play(story)
    assert len(bench.seen) == 1
    assert Key(ARTIFACT_STORES, None, "default") in bench.api.objects


def test_a_cluster_that_gets_the_gateway_api_while_a_deployment_wants_it_is_watched_anew() -> None:
    bench = Bench(idle)
    lacking, found = True, []
    bench.engine.on_found = lambda: found.append(True)

    def fail(verb: str, key: Key) -> NotFound | None:
        return NotFound(404, "NotFound", "404 page not found") if lacking and key.resource == HTTP_ROUTES else None

    bench.api.fail = fail

    async def story(bench: Bench) -> None:
        nonlocal lacking
        deployment = {"apiVersion": "steadfit.dev/v1alpha1", "kind": "ModelDeployment"}
        metadata = {"name": "flights", "namespace": "ns"}
        lacking = False
        await asyncio.sleep(300)
        assert not found, "nobody wants it"
        traffic = {"gatewayAPI": {"parentRefs": [{"name": "public"}]}}
        bench.api.add({**deployment, "metadata": metadata, "spec": {"traffic": traffic}})
        await asyncio.sleep(60)
        assert found == [True]

    bench.play(story)
