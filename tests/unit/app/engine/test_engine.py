from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from steadfit.app.engine.engine import Engine, EngineSettings
from steadfit.app.engine.observe import Observer
from steadfit.app.engine.reconcile import Planner
from steadfit.core.types import Apply, Create, Delete, Event, Plan, Platform
from steadfit.kube.client import Forbidden, NotFound, Unavailable
from steadfit.kube.key import Key
from steadfit.kube.resources import ARTIFACT_STORES, EVENTS, HTTP_ROUTES, JOBS, OWN, SERVICES, TRAINING_JOBS
from steadfit.kube.workqueue import CHANGE_SECONDS, CHANGES_AT_ONCE, URGENT_CHANGES

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


class Fixture:
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

    def play(self, story: Callable[[Fixture], Awaitable[None]]) -> None:
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


def test_every_decision_is_a_line_in_the_log_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    fixture = Fixture(wants_a_child)

    async def story(fixture: Fixture) -> None:
        fixture.api.add(training_job())
        await asyncio.sleep(1)

    with caplog.at_level("INFO"):
        fixture.play(story)
    lines = [(record.message, vars(record)["decision"]) for record in caplog.records if "decision" in vars(record)]
    assert lines == [("a child is wanted", "RunStarted")]


def test_status_is_written_before_the_action_it_announces() -> None:
    fixture = Fixture(wants_a_child)

    async def story(fixture: Fixture) -> None:
        fixture.api.add(training_job())
        await asyncio.sleep(1)

    fixture.play(story)
    assert fixture.effects == [f"status {JOB}", f"create {CHILD}"]
    assert fixture.api.objects[JOB]["status"] == {"child": "flights-child"}


def test_a_report_of_refused_alerts_brings_a_pass_to_each_training_job_and_only_if_it_changes() -> None:
    fixture = Fixture(idle)

    async def story(fixture: Fixture) -> None:
        fixture.api.add(training_job())
        await asyncio.sleep(1)
        before = len(fixture.seen)
        for since, passes in ((fixture.clock.now(), 1), (None, 2), (None, 2)):
            fixture.engine.report_refused_alerts(since)
            await asyncio.sleep(1)
            assert len(fixture.seen) - before == passes

    fixture.play(story)


def test_nothing_is_written_when_nothing_changed() -> None:
    def only_once(obj: dict[str, Any], now: datetime) -> Plan:
        plan = wants_a_child(obj, now)
        return plan if CHILD not in fixture.api.objects else Plan(plan.status)

    fixture = Fixture(only_once, resync_seconds=60)

    async def story(fixture: Fixture) -> None:
        fixture.api.add(training_job())
        await asyncio.sleep(1)
        fixture.api.writes.clear()
        fixture.engine.on_event("MODIFIED", fixture.api.objects[JOB])
        fixture.api.edit(JOB, spec={"image": "two"})
        await asyncio.sleep(600)

    fixture.play(story)
    assert fixture.api.writes == []
    assert len(fixture.seen) > 5


def test_an_event_is_told_only_when_its_status_write_succeeded() -> None:
    fixture = Fixture(wants_a_child)
    refused = [True, True]

    def fail(verb: str, key: Key) -> Any:
        if verb == "patch_status" and refused:
            refused.pop()
            return Unavailable(500, "InternalError", "etcd")
        return None

    async def story(fixture: Fixture) -> None:
        fixture.api.fail = fail
        fixture.api.add(training_job())
        await asyncio.sleep(10)

    fixture.play(story)
    told = [key for key in fixture.api.objects if key.resource == EVENTS]
    assert len(told) == 1
    assert fixture.statistics.passes["TrainingJob", "unavailable"] == 2


def test_a_child_of_the_same_owner_is_adopted() -> None:
    fixture = Fixture(wants_a_child)

    async def story(fixture: Fixture) -> None:
        owner = fixture.api.add(training_job(child="flights-child"))
        fixture.api.watch = lambda event, obj: None
        fixture.api.add(child_of(owner))
        await asyncio.sleep(5)

    fixture.play(story)
    assert fixture.effects == []
    assert fixture.statistics.passes["TrainingJob", "acted"] >= 1
    assert fixture.statistics.cache.objects["Job"] == 1


def test_a_child_of_another_owner_is_refused_with_a_warning() -> None:
    fixture = Fixture(wants_a_child)

    async def story(fixture: Fixture) -> None:
        fixture.api.add(child_of({}, uid="somebody"))
        fixture.api.add(training_job(child="flights-child"))
        await asyncio.sleep(30)

    fixture.play(story)
    warnings = [obj for key, obj in fixture.api.objects.items() if key.resource == EVENTS]
    assert [warning["reason"] for warning in warnings] == ["WriteRefused"]
    assert "Job ns/flights-child exists" in warnings[0]["note"]
    assert fixture.effects == []


def test_a_lost_reply_of_a_create_does_no_harm() -> None:
    fixture = Fixture(wants_a_child)

    async def story(fixture: Fixture) -> None:
        create = fixture.api.create
        lose = [True]

        async def create_and_lose_the_reply(manifest: Any) -> dict[str, Any]:
            reply = await create(manifest)
            if manifest["kind"] == "Job" and lose:
                lose.pop()
                raise Unavailable(0, "Timeout", "no answer")
            return reply

        fixture.api.create = create_and_lose_the_reply  # type: ignore[method-assign]
        fixture.api.watch = lambda event, obj: fixture.engine.on_event(event, obj) if obj["kind"] != "Job" else None
        fixture.api.add(training_job())
        await asyncio.sleep(5)

    fixture.play(story)
    assert fixture.effects.count(f"create {CHILD}") == 1
    assert fixture.statistics.cache.objects["Job"] == 1


def test_a_conflict_reads_the_object_live_and_tries_again() -> None:
    fixture = Fixture(wants_a_child)

    async def story(fixture: Fixture) -> None:
        fixture.api.add(training_job())
        fixture.api.watch = lambda event, obj: None
        fixture.api.edit(JOB, spec={"image": "two"})
        await asyncio.sleep(2)

    fixture.play(story)
    assert fixture.statistics.passes["TrainingJob", "conflict"] == 1
    assert fixture.effects == [f"status {JOB}", f"create {CHILD}"]


def test_an_unfenced_apply_never_overwrites_what_stands_there() -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "flights", "namespace": "ns"},
        "spec": {"selector": {"app": "ours"}},
    }
    fixture = Fixture(
        lambda obj, now: Plan(obj.get("status", {}), (Apply({**service, "metadata": _owned(service, obj)}),))
    )

    async def story(fixture: Fixture) -> None:
        fixture.api.add({**service, "spec": {"selector": {"app": "theirs"}}})
        fixture.api.add(training_job())
        await asyncio.sleep(5)

    fixture.play(story)
    assert fixture.api.objects[Key(SERVICES, "ns", "flights")]["spec"] == {"selector": {"app": "theirs"}}
    assert fixture.statistics.passes["TrainingJob", "refused"] >= 1


def _owned(service: dict[str, Any], owner: dict[str, Any]) -> dict[str, Any]:
    return {**service["metadata"], "ownerReferences": child_of(owner)["metadata"]["ownerReferences"]}


def test_a_fenced_apply_against_a_newer_object_is_a_conflict() -> None:
    stale: dict[str, Any] = {}

    def planner(obj: dict[str, Any], now: datetime) -> Plan:
        return Plan(obj.get("status", {}), (Apply({**stale, "spec": {"selector": {"app": "old"}}}),) if stale else ())

    fixture = Fixture(planner)

    async def story(fixture: Fixture) -> None:
        service = fixture.api.add(
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "flights", "namespace": "ns"}, "spec": {}}
        )
        stale.update({**service, "metadata": dict(service["metadata"])})
        fixture.api.edit(Key(SERVICES, "ns", "flights"), spec={"selector": {"app": "new"}})
        fixture.api.add(training_job())
        await asyncio.sleep(3)

    fixture.play(story)
    assert fixture.api.objects[Key(SERVICES, "ns", "flights")]["spec"] == {"selector": {"app": "new"}}
    assert fixture.statistics.passes["TrainingJob", "conflict"] >= 1


def _applied_by_uid(uid: str) -> Fixture:
    """Return a fixture in which a Service has changed since it was observed, and is applied by the uid given."""
    applied = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "flights", "namespace": "ns", "uid": uid},
        "spec": {"selector": {"app": "applied"}},
    }
    fixture = Fixture(lambda obj, now: Plan(obj.get("status", {}), (Apply(applied),)))

    async def story(fixture: Fixture) -> None:
        metadata = {"name": "flights", "namespace": "ns"}
        observed = fixture.api.add({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {}})
        assert observed["metadata"]["uid"] == "uid-1"
        fixture.api.edit(Key(SERVICES, "ns", "flights"), spec={"ports": [{"port": 80}]})
        fixture.api.add(training_job())
        await asyncio.sleep(3)

    fixture.play(story)
    return fixture


def test_an_apply_that_names_only_the_uid_meets_the_object_whatever_has_changed_in_it() -> None:
    fixture = _applied_by_uid("uid-1")
    spec = fixture.api.objects[Key(SERVICES, "ns", "flights")]["spec"]
    assert spec == {"ports": [{"port": 80}], "selector": {"app": "applied"}}


def test_an_apply_that_names_the_uid_of_another_object_of_the_name_is_a_conflict() -> None:
    fixture = _applied_by_uid("uid-of-another")
    assert fixture.api.objects[Key(SERVICES, "ns", "flights")]["spec"] == {"ports": [{"port": 80}]}
    assert fixture.statistics.passes["TrainingJob", "conflict"] >= 1


def test_a_delete_of_another_object_of_the_name_is_refused() -> None:
    fixture = Fixture(
        lambda obj, now: Plan(
            obj.get("status", {}),
            (Delete({**child_of(obj), "metadata": {"name": "flights-child", "namespace": "ns", "uid": "former"}}),),
        )
    )

    async def story(fixture: Fixture) -> None:
        owner = fixture.api.add(training_job())
        fixture.api.add(child_of(owner))
        await asyncio.sleep(3)

    fixture.play(story)
    assert CHILD in fixture.api.objects


def test_an_object_that_is_being_deleted_is_left_alone() -> None:
    fixture = Fixture(wants_a_child)

    async def story(fixture: Fixture) -> None:
        obj = training_job()
        obj["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
        fixture.api.add(obj)
        await asyncio.sleep(5)

    fixture.play(story)
    assert fixture.api.writes == []
    assert fixture.seen == []


def test_a_pass_is_made_when_its_time_has_come() -> None:
    due = timedelta(hours=3)

    def planner(obj: dict[str, Any], now: datetime) -> Plan:
        start = LoopClock().start
        return Plan({"done": True} if now >= start + due else {}, requeue_at=start + due if now < start + due else None)

    fixture = Fixture(planner, resync_seconds=10**6)

    async def story(fixture: Fixture) -> None:
        fixture.api.add(training_job())
        await asyncio.sleep(due.total_seconds() + 2)

    fixture.play(story)
    assert fixture.api.objects[JOB]["status"] == {"done": True}
    assert len(fixture.seen) <= 5


def test_a_refused_write_is_warned_about_once_and_tried_slowly() -> None:
    fixture = Fixture(wants_a_child)

    async def story(fixture: Fixture) -> None:
        fixture.api.fail = lambda verb, key: (
            Forbidden(403, "Forbidden", "quota") if verb == "create" and key == CHILD else None
        )
        fixture.api.add(training_job())
        await asyncio.sleep(600)

    fixture.play(story)
    assert 3 <= fixture.statistics.passes["TrainingJob", "refused"] <= 12
    warnings = [obj for key, obj in fixture.api.objects.items() if key.resource == EVENTS and obj["type"] == "Warning"]
    assert len(warnings) == 1


def test_a_status_that_the_server_prunes_ends_in_no_endless_loop() -> None:
    fixture = Fixture(lambda obj, now: Plan({"unknown": "field"}, (Create(child_of(obj)),)))

    async def story(fixture: Fixture) -> None:
        async def prune(manifest: Any, patch: Any) -> dict[str, Any]:
            fixture.api.writes.append("status")
            return dict(fixture.api.objects[JOB])

        fixture.api.patch_status = prune  # type: ignore[method-assign]
        fixture.api.add(training_job())
        await asyncio.sleep(60)

    fixture.play(story)
    assert fixture.effects == ["status"]
    assert fixture.statistics.passes["TrainingJob", "unstored"] == 1


def test_a_plan_that_raises_does_not_stop_the_others() -> None:
    def planner(obj: dict[str, Any], now: datetime) -> Plan:
        if obj["metadata"]["name"] == "broken":
            raise RuntimeError("a bug")
        return Plan({"fine": True})

    fixture = Fixture(planner, workers=1)

    async def story(fixture: Fixture) -> None:
        fixture.api.add(training_job("broken"))
        fixture.api.add(training_job("sound"))
        await asyncio.sleep(5)

    fixture.play(story)
    assert fixture.api.objects[Key(TRAINING_JOBS, "ns", "sound")]["status"] == {"fine": True}
    assert fixture.statistics.passes["TrainingJob", "failed"] > 2


def test_priming_waits_for_the_api_server_and_then_everything_is_looked_at() -> None:
    fixture = Fixture(wants_a_child)
    failures = [Unavailable(0, "Refused", "the API server is down")] * 5

    async def story(fixture: Fixture) -> None:
        await asyncio.sleep(1)

    fixture.api.watch = lambda event, obj: None
    fixture.api.add(training_job())
    fixture.api.fail = lambda verb, key: failures.pop() if failures and verb == "list" else None
    fixture.play(story)
    assert fixture.effects == [f"status {JOB}", f"create {CHILD}"]
    assert fixture.statistics.resync.failed == 5


def test_a_deletion_that_no_watch_told_is_repaired_by_the_next_resync() -> None:
    fixture = Fixture(wants_a_child, resync_seconds=600)

    async def story(fixture: Fixture) -> None:
        fixture.api.add(training_job())
        await asyncio.sleep(1)
        fixture.api.remove(CHILD, silently=True)
        await asyncio.sleep(400)
        assert CHILD not in fixture.api.objects
        await asyncio.sleep(400)

    fixture.play(story)
    assert CHILD in fixture.api.objects
    assert fixture.statistics.resync.repaired_deletions == 1


def test_a_vanished_object_is_forgotten_when_its_status_cannot_be_written() -> None:
    fixture = Fixture(wants_a_child)

    async def story(fixture: Fixture) -> None:
        fixture.api.watch = lambda event, obj: None
        gone = fixture.api.add(training_job())
        fixture.api.remove(JOB)
        fixture.engine.on_event("ADDED", gone)
        await asyncio.sleep(5)

    fixture.play(story)
    assert fixture.statistics.cache.objects["TrainingJob"] == 0
    assert fixture.statistics.passes == {("TrainingJob", "gone"): fixture.statistics.passes["TrainingJob", "gone"]}


def test_a_store_that_changes_wakes_the_training_jobs() -> None:
    fixture = Fixture(idle)

    async def story(fixture: Fixture) -> None:
        fixture.api.add(training_job())
        await asyncio.sleep(1)
        fixture.seen.clear()
        fixture.api.add(
            {
                "apiVersion": "steadfit.dev/v1alpha1",
                "kind": "ArtifactStore",
                "metadata": {"name": "default"},
                "spec": {},
            }
        )
        await asyncio.sleep(1)

    fixture.play(story)
    assert len(fixture.seen) == 1
    assert Key(ARTIFACT_STORES, None, "default") in fixture.api.objects


def test_a_cluster_that_gets_the_gateway_api_while_a_deployment_wants_it_is_watched_anew() -> None:
    fixture = Fixture(idle)
    lacking, found = True, []
    fixture.engine.on_found = lambda: found.append(True)

    def fail(verb: str, key: Key) -> NotFound | None:
        return NotFound(404, "NotFound", "404 page not found") if lacking and key.resource == HTTP_ROUTES else None

    fixture.api.fail = fail

    async def story(fixture: Fixture) -> None:
        nonlocal lacking
        deployment = {"apiVersion": "steadfit.dev/v1alpha1", "kind": "ModelDeployment"}
        metadata = {"name": "flights", "namespace": "ns"}
        lacking = False
        await asyncio.sleep(300)
        assert not found, "nobody wants it"
        traffic = {"gatewayAPI": {"parentRefs": [{"name": "public"}]}}
        fixture.api.add({**deployment, "metadata": metadata, "spec": {"traffic": traffic}})
        await asyncio.sleep(60)
        assert found == [True]

    fixture.play(story)


def test_a_pod_that_is_gone_keeps_no_other_action_of_the_pass_from_being_carried_out() -> None:
    metadata = {"name": "gone", "namespace": "ns", "uid": "uid-9", "labels": {"a": "b"}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
    fixture = Fixture(lambda obj, now: Plan(obj.get("status", {}), (Apply(pod), Create(child_of(obj)))))

    async def story(fixture: Fixture) -> None:
        fixture.api.fail = lambda verb, key: (
            NotFound(404, "NotFound", 'pods "gone" not found') if verb == "apply" and key.name == "gone" else None
        )
        fixture.api.add(training_job())
        await asyncio.sleep(3)

    fixture.play(story)
    assert CHILD in fixture.api.objects


def test_a_refused_job_is_told_to_the_next_plan_at_once_and_forgotten_once_it_is_created() -> None:
    told: list[str] = []

    def planner(observer: Observer) -> Planner:
        def plan(obj: dict[str, Any], now: datetime) -> Plan:
            cause = observer.refused("ns", JOBS).get("flights-child", "")
            told.append(cause)
            return Plan(status={"cause": cause}, actions=(Create(child_of(obj)),))

        return plan

    fixture = Fixture(idle)
    fixture.engine = Engine(
        fixture.api,
        fixture.clock,
        Random(1),
        PLATFORM,
        EngineSettings(),
        lambda observer: {resource: planner(observer) if resource == TRAINING_JOBS else idle for resource in OWN},
    )
    fixture.api.watch = fixture.engine.on_event
    refusing = [True]

    async def story(fixture: Fixture) -> None:
        fixture.api.fail = lambda verb, key: (
            Forbidden(403, "Forbidden", 'jobs.batch "flights-child" is forbidden: require-team-label: add a label')
            if verb == "create" and key == CHILD and refusing
            else None
        )
        fixture.api.add(training_job())
        await asyncio.sleep(2)
        assert fixture.api.objects[JOB]["status"] == {"cause": "require-team-label: add a label"}
        refusing.clear()
        await asyncio.sleep(120)
        assert CHILD in fixture.api.objects

    fixture.play(story)
    assert told[-1] == ""


@pytest.mark.parametrize("models", [1, 300])
def test_models_whose_pods_are_refused_make_no_request_while_they_wait_however_many_they_are(models: int) -> None:
    fixture = Fixture(idle)
    requests: list[str] = []

    async def story(fixture: Fixture) -> None:
        jobs = []
        for number in range(models):
            manifest = child_of(fixture.api.add(training_job(f"model-{number}")))
            manifest["metadata"]["name"] = f"model-{number}-a1"
            jobs.append(fixture.api.add(manifest))
        await asyncio.sleep(1)
        fixture.api.fail = lambda verb, key: requests.append(f"{verb} {key}")
        for job in jobs:
            fixture.engine.on_event("ADDED", refused_pod(job))
        await asyncio.sleep(120)

    fixture.play(story)
    assert requests == []


def refused_pod(job: dict[str, Any]) -> dict[str, Any]:
    """An Event of the Job controller."""
    name = job["metadata"]["name"]
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.1", "namespace": "ns", "uid": "1", "resourceVersion": "1"},
        "reason": "FailedCreate",
        "note": 'pods "x" is forbidden: no account',
        "regarding": {"kind": "Job", "namespace": "ns", "name": name, "uid": job["metadata"]["uid"]},
    }


def test_an_event_of_a_refused_pod_brings_a_pass_to_its_owner_and_its_expiry_does_not() -> None:
    fixture = Fixture(idle)

    async def story(fixture: Fixture) -> None:
        job = fixture.api.add(child_of(fixture.api.add(training_job())))
        await asyncio.sleep(1)
        before = len(fixture.seen)
        for event_type, passes in (("ADDED", 1), ("MODIFIED", 1), ("DELETED", 1)):
            fixture.engine.on_event(event_type, refused_pod(job))
            await asyncio.sleep(1)
            assert len(fixture.seen) - before == passes

    fixture.play(story)


def counts(obj: dict[str, Any], now: datetime) -> Plan:
    """A plan that never rests: its status differs from the stored one in every pass."""
    passes = obj.get("status", {}).get("passes", 0) + 1
    assert passes < 500, "the loop would never end"
    return Plan(status={"passes": passes})


def test_a_plan_that_never_rests_makes_a_bounded_number_of_writes_and_the_first_ones_at_once() -> None:
    fixture = Fixture(counts)

    async def story(fixture: Fixture) -> None:
        fixture.api.add(training_job())
        await asyncio.sleep(1)
        assert len(fixture.api.writes) == CHANGES_AT_ONCE + 1
        await asyncio.sleep(600)

    fixture.play(story)
    assert len(fixture.api.writes) <= CHANGES_AT_ONCE + 600 / CHANGE_SECONDS + 2


def test_a_plan_whose_actions_never_end_is_held_too() -> None:
    numbers = iter(range(500))

    def creates_another_child(obj: dict[str, Any], now: datetime) -> Plan:
        child = child_of(obj)
        return Plan(
            status={}, actions=(Create({**child, "metadata": {**child["metadata"], "name": f"child-{next(numbers)}"}}),)
        )

    fixture = Fixture(creates_another_child)

    async def story(fixture: Fixture) -> None:
        fixture.api.add(training_job())
        await asyncio.sleep(600)

    fixture.play(story)
    assert len(fixture.api.writes) <= CHANGES_AT_ONCE + 600 / CHANGE_SECONDS + 2


def test_an_object_that_never_rests_delays_no_other_and_changes_by_an_action_come_at_once() -> None:
    fixture = Fixture(counts)
    pending = {
        "apiVersion": "steadfit.dev/v1alpha1",
        "kind": "ModelAction",
        "metadata": {"name": "stop", "namespace": "ns"},
        "spec": {"target": {"kind": "TrainingJob", "name": "flights"}, "verb": "Cancel"},
    }

    async def story(fixture: Fixture) -> None:
        fixture.api.add(training_job())
        await asyncio.sleep(60.5)
        before = len(fixture.seen)
        fixture.api.add(pending)
        await asyncio.sleep(0.1)
        assert len(fixture.seen) == before + URGENT_CHANGES + 1, "and then it is throttled again"

    fixture.play(story)
