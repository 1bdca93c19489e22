"""The simulated cluster's own semantics: without them the simulation would prove nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest
from steadfit.kube.client import AlreadyExists, Conflict, Invalid, NotFound, Unavailable
from steadfit.kube.resources import SERVICES, TRAINING_JOBS

from .client import CrashPlan, Faults, SimClient
from .garbage import GarbageCollector
from .loop import EPOCH, SimLoop, Stuck, run
from .objects import JSON, Ref, ref_of
from .simulated_cluster import NAMESPACE, SimulatedCluster
from .starting_objects import action, installation, training_job
from .store import Change, Store
from .watch import Lag, Watches

JOB = Ref("steadfit.dev/v1alpha1", "TrainingJob", NAMESPACE, "flights")
SERVICE = Ref("v1", "Service", NAMESPACE, "flights")


def service(**spec: Any) -> JSON:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "flights", "namespace": NAMESPACE},
        "spec": {"selector": {"revision": "a"}, "ports": [{"name": "http", "port": 80}], **spec},
    }


def simulated(test: Callable[[SimulatedCluster], Coroutine[Any, Any, None]]) -> None:
    async def main(loop: SimLoop) -> None:
        cluster = SimulatedCluster(loop)
        installation(cluster)
        await test(cluster)

    run(main, 1)


def stored(cluster: SimulatedCluster) -> JSON:
    return cluster.store.get(JOB)


# The loop


def test_time_is_virtual_and_jumps() -> None:
    async def main(loop: SimLoop) -> float:
        await asyncio.sleep(86_400)
        assert (loop.now() - EPOCH).days == 1
        return loop.time()

    assert run(main, 1) == 86_400


def test_the_same_seed_gives_the_same_order_and_others_give_others() -> None:
    def order(seed: int) -> list[int]:
        seen: list[int] = []

        async def note(number: int) -> None:
            await asyncio.sleep(0)
            seen.append(number)

        async def main(loop: SimLoop) -> None:
            await asyncio.gather(*(note(number) for number in range(8)))

        run(main, seed)
        return seen

    assert order(3) == order(3)
    assert len({tuple(order(seed)) for seed in range(10)}) > 5


def test_waiting_for_nothing_is_an_error_and_not_a_hang() -> None:
    async def main(loop: SimLoop) -> None:
        await loop.create_future()

    with pytest.raises(Stuck):
        run(main, 1)


def test_an_exception_in_a_callback_fails_the_run() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    async def main(loop: SimLoop) -> None:
        loop.call_later(1, broken)
        await asyncio.sleep(2)

    with pytest.raises(ZeroDivisionError):
        run(main, 1)


# Objects


def test_the_crd_s_defaults_are_filled_in_and_unknown_fields_are_pruned() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        cluster.create(training_job(nonsense=1))
        job = stored(cluster)
        assert job["status"]["observedGeneration"] == -1
        assert job["status"]["conditions"] == []
        assert job["spec"]["limits"]["retries"] == 3
        assert "nonsense" not in job["spec"]

    simulated(main)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"data": []}, "fewer than 1"),
        ({"seed": -1}, "less than 0"),
        ({"readyPolicy": "Sometimes"}, "must be one of"),
        ({"image": 7}, "must be of type string"),
        ({"storeRef": {"name": "x" * 300}}, "longer than 253"),
        ({"triggers": [{"name": "a"}, {"name": "a"}]}, "duplicate"),
    ],
)
def test_what_the_schema_forbids_is_refused(spec: JSON, sentence: str) -> None:
    async def main(cluster: SimulatedCluster) -> None:
        with pytest.raises(Invalid, match=sentence):
            cluster.create(training_job(**spec))

    simulated(main)


def test_a_status_that_the_schema_forbids_is_refused() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        cluster.create(training_job())
        with pytest.raises(Invalid, match=r"lastRun\.phase"):
            cluster.store.patch_status(stored(cluster), {"lastRun": {"name": "a", "phase": "Lost"}}, "steadfit")

    simulated(main)


def test_an_immutable_spec_cannot_be_changed() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        cluster.create(action("again", "Retrain"))
        with pytest.raises(Invalid, match="immutable"):
            cluster.edit("ModelAction", "again", lambda obj: obj["spec"].update(reason="another"))

    simulated(main)


def test_a_status_is_lost_by_a_restore_and_not_by_an_edit() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        cluster.create(training_job())
        cluster.store.patch_status(stored(cluster), {"inputHash": "abc"}, "steadfit")
        with pytest.raises(ValueError, match="cannot change its status"):
            cluster.edit("TrainingJob", "flights", lambda job: job.pop("status"))
        cluster.lose_status("TrainingJob", "flights")
        assert "inputHash" not in stored(cluster)["status"]

    simulated(main)


def test_a_spec_change_raises_the_generation_and_labels_and_status_do_not() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        cluster.create(training_job())
        cluster.edit("TrainingJob", "flights", lambda job: job["metadata"].update(labels={"a": "b"}))
        cluster.store.patch_status(stored(cluster), {"observedGeneration": 1}, "steadfit")
        assert stored(cluster)["metadata"]["generation"] == 1
        cluster.edit("TrainingJob", "flights", lambda job: job["spec"].update(seed=1))
        assert stored(cluster)["metadata"]["generation"] == 2

    simulated(main)


def test_a_write_that_changes_nothing_leaves_the_resource_version() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        cluster.create(training_job())
        before = stored(cluster)
        cluster.edit("TrainingJob", "flights", lambda job: job["spec"].update(seed=0))
        cluster.store.patch_status(before, {"observedGeneration": -1}, "steadfit")
        assert stored(cluster) == before

    simulated(main)


def test_the_status_subresource_and_the_rest_do_not_touch_each_other() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        cluster.create({**training_job(), "status": {"observedGeneration": 7}})
        assert stored(cluster)["status"]["observedGeneration"] == -1
        cluster.store.patch_status(stored(cluster), {"inputHash": "abc"}, "steadfit")
        cluster.store.replace({**stored(cluster), "status": {}}, "somebody")
        assert stored(cluster)["status"]["inputHash"] == "abc"

    simulated(main)


def test_a_status_write_against_an_old_state_is_a_conflict() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        cluster.create(training_job())
        old = stored(cluster)
        cluster.edit("TrainingJob", "flights", lambda job: job["spec"].update(seed=1))
        with pytest.raises(Conflict):
            cluster.store.patch_status(old, {"inputHash": "abc"}, "steadfit")

    simulated(main)


def test_a_null_in_a_merge_patch_removes_a_field() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        cluster.create(training_job())
        cluster.store.patch_status(stored(cluster), {"inputHash": "abc"}, "steadfit")
        cluster.store.patch_status(stored(cluster), {"inputHash": None}, "steadfit")
        assert "inputHash" not in stored(cluster)["status"]

    simulated(main)


def test_names_are_taken_once_and_uids_tell_incarnations_apart() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        first = cluster.create(training_job())
        with pytest.raises(AlreadyExists):
            cluster.create(training_job())
        cluster.delete("TrainingJob", "flights")
        second = cluster.create(training_job())
        assert first["metadata"]["uid"] != second["metadata"]["uid"]
        with pytest.raises(Conflict):
            cluster.store.delete(JOB, "steadfit", preconditions={"uid": first["metadata"]["uid"]})

    simulated(main)


def test_the_owned_are_collected_when_the_owner_goes_and_the_others_stay() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        owner = cluster.create(training_job())
        reference = {"apiVersion": JOB.api_version, "kind": JOB.kind, "name": JOB.name, "uid": owner["metadata"]["uid"]}
        child = service()
        child["metadata"]["ownerReferences"] = [reference]
        cluster.create(child)
        other = service()
        other["metadata"]["name"] = "other"
        cluster.create(other)
        cluster.delete("TrainingJob", "flights")
        await asyncio.sleep(5)
        assert [obj["metadata"]["name"] for obj in cluster.objects("Service")] == ["other"]

    simulated(main)


def test_a_child_of_an_owner_that_is_gone_is_collected() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        child = service()
        child["metadata"]["ownerReferences"] = [
            {"apiVersion": JOB.api_version, "kind": JOB.kind, "name": JOB.name, "uid": "gone"}
        ]
        cluster.create(child)
        await asyncio.sleep(5)
        assert cluster.objects("Service") == []

    simulated(main)


def test_foreground_deletion_waits_for_the_dependents() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        owner = cluster.create(training_job())
        reference = {"apiVersion": JOB.api_version, "kind": JOB.kind, "name": JOB.name, "uid": owner["metadata"]["uid"]}
        child = service()
        child["metadata"]["ownerReferences"] = [reference]
        cluster.create(child)
        gone: list[str] = []
        cluster.store.listeners.append(
            lambda change: gone.append(change.ref.kind) if change.type == "DELETED" else None
        )
        cluster.store.delete(JOB, "somebody", propagation="Foreground")
        assert "deletionTimestamp" in stored(cluster)["metadata"]
        await asyncio.sleep(5)
        assert gone == ["Service", "TrainingJob"]

    simulated(main)


# Server-side apply


def test_an_apply_owns_its_fields_and_removes_those_it_leaves_out() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        wished = service()
        wished["metadata"]["labels"] = {"a": "1", "b": "2"}
        cluster.store.apply(wished, "first")
        del wished["metadata"]["labels"]["b"]
        cluster.store.apply(wished, "first")
        assert cluster.store.get(SERVICE)["metadata"]["labels"] == {"a": "1"}

    simulated(main)


def test_a_field_that_two_managers_own_stays_when_one_leaves_it_out() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        wished = service()
        wished["metadata"]["labels"] = {"a": "1"}
        cluster.store.apply(wished, "first")
        cluster.store.apply(wished, "second")
        cluster.store.apply(service(), "first")
        assert cluster.store.get(SERVICE)["metadata"]["labels"] == {"a": "1"}

    simulated(main)


def test_a_contested_field_is_a_conflict_unless_forced() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        cluster.store.apply(service(), "first")
        other = service(selector={"revision": "b"})
        with pytest.raises(Conflict, match=r"spec\.selector"):
            cluster.store.apply(other, "second", force=False)
        assert cluster.store.apply(other, "second")["spec"]["selector"] == {"revision": "b"}

    simulated(main)


def test_a_selector_is_replaced_as_a_whole() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        cluster.store.apply(service(selector={"traffic-a": "true"}), "steadfit")
        cluster.store.apply(service(selector={"revision": "b"}), "steadfit")
        assert cluster.store.get(SERVICE)["spec"]["selector"] == {"revision": "b"}

    simulated(main)


def test_entries_of_a_list_map_are_merged_by_key() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        cluster.store.apply(training_job(triggers=[{"name": "a", "schedule": {"cron": "0 * * * *"}}]), "first")
        cluster.store.apply(training_job(triggers=[{"name": "b", "schedule": {"cron": "5 * * * *"}}]), "second")
        assert [trigger["name"] for trigger in stored(cluster)["spec"]["triggers"]] == ["a", "b"]
        cluster.store.apply(training_job(), "first")
        assert [trigger["name"] for trigger in stored(cluster)["spec"]["triggers"]] == ["b"]

    simulated(main)


def test_a_fenced_apply_fails_when_the_object_changed_or_is_another() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        first = cluster.store.apply(service(), "steadfit")
        cluster.store.apply(service(selector={"revision": "b"}), "somebody")
        for fence in ("uid", "resourceVersion"):
            fenced = service(selector={"revision": "c"})
            fenced["metadata"] |= {fence: first["metadata"][fence] if fence == "resourceVersion" else "another"}
            with pytest.raises(Conflict):
                cluster.store.apply(fenced, "steadfit")

    simulated(main)


def test_a_fenced_apply_does_not_create() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        fenced = service()
        fenced["metadata"]["uid"] = "gone"
        with pytest.raises(Conflict):
            cluster.store.apply(fenced, "steadfit")

    simulated(main)


def test_an_apply_of_the_same_again_writes_nothing_and_leaves_status_alone() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        cluster.store.apply(training_job(), "flux")
        cluster.store.patch_status(stored(cluster), {"inputHash": "abc"}, "steadfit")
        before = stored(cluster)
        cluster.store.apply({**training_job(), "status": {}}, "flux")
        assert stored(cluster) == before

    simulated(main)


# Watches


def watched(cluster: SimulatedCluster, lag: Lag) -> list[tuple[str | None, int]]:
    seen: list[tuple[str | None, int]] = []

    def ring(type_: str | None, obj: JSON) -> None:
        if ref_of(obj) == JOB:
            seen.append((type_, int(obj["metadata"]["resourceVersion"])))

    Watches(cluster.loop, cluster.store, Random(1), lag, ring)
    return seen


def test_news_of_one_resource_arrives_late_and_in_order() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        seen = watched(cluster, Lag(seconds=10))
        cluster.create(training_job())
        for seed in range(1, 20):
            cluster.edit("TrainingJob", "flights", lambda job, seed=seed: job["spec"].update(seed=seed))  # type: ignore[misc]
        assert seen == []
        await asyncio.sleep(30)
        assert len(seen) == 20
        assert seen == sorted(seen, key=lambda event: event[1])

    simulated(main)


def test_a_watch_that_was_down_never_tells_of_a_deletion() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        seen = watched(cluster, Lag(down=1.0, down_seconds=5))
        cluster.create(training_job())
        await asyncio.sleep(10)
        assert [type_ for type_, _ in seen] == [None]
        cluster.delete("TrainingJob", "flights")
        await asyncio.sleep(10)
        assert len(seen) == 1

    simulated(main)


def test_an_object_that_loses_the_label_looks_deleted() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        seen: list[str | None] = []
        Watches(cluster.loop, cluster.store, Random(1), Lag(), lambda type_, obj: seen.append(type_))
        await asyncio.sleep(1)
        seen.clear()
        managed = service()
        managed["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "steadfit"}
        cluster.create(managed)
        cluster.edit("Service", "flights", lambda obj: obj["metadata"]["labels"].clear())
        await asyncio.sleep(1)
        assert seen == ["ADDED", "DELETED"]

    simulated(main)


# The client


def client(cluster: SimulatedCluster, faults: Faults, plan: CrashPlan | None = None) -> SimClient:
    return SimClient(cluster.store, Random(1), faults, plan or CrashPlan(), lambda: None, lambda: None)


def test_a_lost_answer_hides_a_write_that_happened() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        with pytest.raises(Unavailable):
            await client(cluster, Faults(lost=1.0)).create(training_job())
        assert stored(cluster)["metadata"]["name"] == "flights"

    simulated(main)


def test_an_unavailable_server_has_done_nothing() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        with pytest.raises(Unavailable):
            await client(cluster, Faults(unavailable=1.0)).create(training_job())
        with pytest.raises(NotFound):
            stored(cluster)

    simulated(main)


@pytest.mark.parametrize(("when", "done"), [("before", False), ("after", True)])
def test_a_crash_comes_before_or_after_the_write_and_is_final(when: Any, done: bool) -> None:
    async def main(cluster: SimulatedCluster) -> None:
        dying = client(cluster, Faults(), CrashPlan(1, when))
        with pytest.raises(asyncio.CancelledError):
            await dying.create(training_job())
        assert (cluster.store.find(JOB) is not None) is done
        with pytest.raises(asyncio.CancelledError):
            await dying.get(TRAINING_JOBS, "flights", NAMESPACE)

    simulated(main)


def test_a_write_is_at_once_when_nothing_has_changed_since_the_write_before() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        plan = CrashPlan()
        operator = client(cluster, Faults(), plan)
        await operator.create(training_job())
        await operator.create(service())
        cluster.edit("Service", "flights", lambda obj: obj["metadata"].update(labels={"team": "a"}))
        await operator.delete(stored(cluster))
        assert [write.at_once for write in plan.trace] == [False, True, False]

    simulated(main)


def test_a_story_sees_every_change_and_changes_nothing_by_looking() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        cluster.create(service())
        (seen,) = cluster.objects("Service")
        seen["spec"].clear()
        assert cluster.store.get(SERVICE)["spec"]["selector"] == {"revision": "a"}
        cluster.edit("Service", "flights", lambda obj: obj["spec"].update(selector={"revision": "b"}))
        found = cluster.find("Service", "flights")
        assert found is not None
        assert found["spec"]["selector"] == {"revision": "b"}
        cluster.delete("Service", "flights")
        assert cluster.find("Service", "flights") is None

    simulated(main)


def test_a_paused_client_writes_when_it_is_resumed() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        paused = client(cluster, Faults())
        paused.pause()
        task = asyncio.ensure_future(paused.apply(service(), "steadfit"))
        await asyncio.sleep(600)
        assert cluster.store.find(SERVICE) is None
        paused.resume()
        await task
        assert cluster.store.find(SERVICE) is not None

    simulated(main)


def test_a_list_carries_the_resource_version_of_its_moment() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        cluster.create(service())
        listing = await client(cluster, Faults()).list(SERVICES)
        assert int(listing.resource_version) >= int(listing.items[0]["metadata"]["resourceVersion"])

    simulated(main)


def test_an_unguarded_status_write_fails_the_test() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        with pytest.raises(AssertionError, match="without uid"):
            await client(cluster, Faults()).patch_status(training_job(), {})

    simulated(main)


def test_every_commit_is_told_in_order() -> None:
    async def main(loop: SimLoop) -> None:
        store = Store(loop.now, loop.time)
        GarbageCollector(loop, store)
        seen: list[Change] = []
        store.listeners.append(seen.append)
        store.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, "somebody")
        store.create(service(), "somebody")
        store.delete(SERVICE, "somebody")
        assert [change.type for change in seen] == ["ADDED", "ADDED", "DELETED"]
        versions = [int(change.new["metadata"]["resourceVersion"]) for change in seen]
        assert versions == sorted(set(versions))

    run(main, 1)
