from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from steadfit.api.trainingjob import TrainingJob
from steadfit.core.plans import training_job

from tests.unit.core.training.builders import NOW, SPEC, finished_run, observed_job, retrain, training_run, version
from tests.unit.core.training.builders import training_job as recipe
from tests.unit.core.training.training_cluster import World

HOURLY = [{"name": "hourly", "schedule": {"cron": "0 * * * *"}}]
JOB = ("TrainingJob", "orders")
EVALUATION = SPEC["evaluation"]


def failed(world: World, code: int = 1) -> None:
    world.settle()
    world.fail(code, "no such column: late")
    world.settle()


def test_a_new_recipe_starts_a_run_that_is_decided_on_before_it_exists() -> None:
    world = World()
    assert world.step(*JOB)
    active = world.job.status.active_run
    assert active is not None
    assert active.cause.type == "SpecChange"
    assert active.cause.message == "the recipe has not been trained yet"
    assert world.runs() == []
    assert world.step(*JOB)
    (run,) = world.runs()
    assert run.name == active.name
    assert run.spec.input_hash == world.job.status.input_hash == active.cause.key
    assert run.spec.params == {"depth": 6}
    assert world.reasons("TrainingJob") == ["RunStarted"]


def test_a_run_belongs_to_its_recipe_and_carries_its_queue_and_git_revision() -> None:
    world = World()
    metadata = world.objects[JOB]["metadata"]
    metadata["labels"] = {"kueue.x-k8s.io/queue-name": "gpu"}
    metadata["annotations"] = {"steadfit.dev/git-revision": "main@c0ffee"}
    world.settle()
    run = world.newest("TrainingRun")
    assert run["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "steadfit",
        "steadfit.dev/training-job": "orders",
        "kueue.x-k8s.io/queue-name": "gpu",
    }
    assert run["metadata"]["ownerReferences"][0]["uid"] == metadata["uid"]
    assert run["spec"]["gitRevision"] == "main@c0ffee"
    assert world.newest("Job")["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpu"


def test_what_ended_is_shown_and_nothing_starts_without_a_cause() -> None:
    world = World()
    world.run_well()
    world.advance(days=10)
    world.settle()
    status = world.job.status
    assert status.active_run is None
    assert status.last_run is not None
    assert (status.last_run.phase, status.last_run.version) == ("Succeeded", "orders-v1")
    assert status.latest_version is not None
    assert status.latest_version.number == 1
    assert len(world.runs()) == 1
    assert world.reasons("TrainingJob") == ["RunStarted", "RunSucceeded"]


def test_a_change_of_the_inputs_starts_a_run_and_names_what_changed() -> None:
    world = World()
    world.run_well()
    world.edit(seed=3, params={"depth": 2})
    world.run_well()
    assert [run.status.version for run in world.runs()] == ["orders-v1", "orders-v2"]
    assert world.run.spec.cause.message == "the recipe changed: params, seed"


def test_going_back_to_older_inputs_trains_them_again() -> None:
    world = World()
    world.run_well()
    for depth in (9, 6):
        world.edit(params={"depth": depth})
        world.run_well()
    first, _, third = world.runs()
    assert first.spec.input_hash == third.spec.input_hash
    assert first.name != third.name
    assert third.spec.cause.key == f"{first.spec.cause.key}#2"
    assert third.status.version == "orders-v3"


def test_inputs_that_change_between_decision_and_creation_are_the_ones_that_are_trained() -> None:
    world = World()
    world.step(*JOB)
    name = world.job.status.active_run
    world.edit(seed=9)
    world.settle()
    (run,) = world.runs()
    assert name is not None
    assert run.name == name.name
    assert run.spec.seed == 9
    assert run.spec.input_hash == world.job.status.input_hash
    assert run.status.phase == "Pending"


def test_missed_times_do_not_pile_up_behind_a_run() -> None:
    world = World(triggers=HOURLY)
    world.settle()
    world.train_runs()
    world.advance(hours=5, minutes=30)
    world.settle()
    assert len(world.runs()) == 1
    world.publish()
    world.settle()
    assert len(world.runs()) == 2
    assert world.run.spec.cause.type == "Schedule"
    assert world.run.spec.cause.key == "2026-01-05T17:00:00Z"
    assert world.run.spec.cause.trigger == "hourly"
    assert world.job.status.next_run_at == NOW + timedelta(hours=6)
    world.run_well()
    assert len(world.runs()) == 2


def test_a_schedule_starts_a_run_when_its_time_has_come() -> None:
    world = World(triggers=HOURLY)
    world.run_well()
    assert world.job.status.next_run_at == NOW + timedelta(hours=1)
    world.run_until_due()
    assert world.now == NOW + timedelta(hours=1)
    assert world.run.spec.cause.message == "schedule hourly was due at 2026-01-05T13:00:00Z"


def test_all_causes_that_are_due_are_served_by_one_run() -> None:
    world = World(triggers=HOURLY)
    world.run_well()
    world.advance(hours=2)
    world.retrain("first")
    world.retrain("second")
    world.edit(seed=5)
    world.settle()
    assert len(world.runs()) == 2
    cause = world.run.spec.cause
    assert (cause.type, cause.action) == ("Action", "first")
    assert cause.message == (
        "Retrain by ada: the labels were corrected; Retrain by ada: the labels were corrected;"
        " the recipe changed: seed; schedule hourly was due at 2026-01-05T14:00:00Z"
    )
    assert {record.phase for record in world.job.status.actions} == {"Succeeded"}
    assert world.job.status.triggers[0].next_scheduled_at == NOW + timedelta(hours=3)


def test_a_retrain_action_waits_for_the_run_in_flight_and_says_so() -> None:
    world = World()
    world.settle()
    first = world.run.name
    world.retrain("again")
    world.settle()
    (record,) = world.job.status.actions
    assert (record.phase, record.message) == ("Pending", f"waits until run {first} has ended")
    world.run_well()
    assert len(world.runs()) == 2
    (record,) = world.job.status.actions
    assert (record.phase, record.message) == ("Succeeded", f"run {world.run.name} was started")


def test_a_retrain_action_is_carried_out_once() -> None:
    world = World()
    world.run_well()
    world.retrain("again")
    world.run_well()
    world.advance(days=1)
    world.settle()
    assert len(world.runs()) == 2


def test_a_retrain_action_that_is_deleted_while_it_waits_is_forgotten() -> None:
    world = World()
    world.settle()
    world.retrain("again")
    world.settle()
    world.remove("ModelAction", "again")
    world.settle()
    assert world.job.status.actions == []


def test_an_action_without_room_for_its_record_is_not_carried_out_yet() -> None:
    def record(index: int, phase: str) -> dict[str, Any]:
        return {
            "uid": f"old-{index}",
            "name": f"old-{index}",
            "verb": "Retrain",
            "requestedBy": "ada",
            "phase": phase,
            "message": "",
            "at": "2026-01-01T00:00:00Z",
        }

    hash_of = training_run().spec.input_hash
    unseen = [retrain(f"old-{index}") for index in range(20)]
    full = recipe({"inputHash": hash_of, "actions": [record(index, "Succeeded") for index in range(20)]})
    guarded = training_job.plan(observed_job(full, actions=[*unseen, retrain("new")]), NOW)
    assert "activeRun" not in guarded.status
    seen = training_job.plan(observed_job(full, actions=[*unseen[1:], retrain("new")]), NOW)
    assert seen.status["activeRun"]["cause"]["key"] == "new"
    assert [item["uid"] for item in seen.status["actions"]][-1] == "new"
    assert len(seen.status["actions"]) == 20


def test_a_suspended_recipe_starts_nothing_and_is_ready() -> None:
    world = World(suspend=True, triggers=HOURLY)
    world.retrain("again")
    world.settle()
    world.advance(days=3)
    world.settle()
    assert world.runs() == []
    assert world.condition(*JOB)[:2] == ("True", "Suspended")
    assert world.job.status.next_run_at is None
    assert world.job.status.actions[0].message == "waits until spec.suspend is false"
    world.edit(suspend=False)
    world.settle()
    (run,) = world.runs()
    assert run.spec.cause.message == (
        "Retrain by ada: the labels were corrected; the recipe has not been trained yet"
    ), "times that passed while it was suspended are not missed times"


def test_suspending_lets_the_run_in_flight_end() -> None:
    world = World()
    world.settle()
    world.edit(suspend=True)
    world.run_well()
    assert world.run.status.phase == "Succeeded"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"storeRef": {"name": "other"}}, "StoreNotUsable"),
        ({"params": {"grid": [1]}}, "InvalidParams"),
        ({"triggers": [{"name": "never", "schedule": {"cron": "0 0 31 2 *"}}]}, "InvalidSchedule"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_stalled_and_heals_by_an_edit(spec: dict[str, Any], reason: str) -> None:
    world = World(**spec)
    world.settle()
    assert world.condition(*JOB)[:2] == ("False", reason)
    assert world.condition(*JOB, "Stalled")[0] == "True"
    assert world.runs() == []
    assert world.reasons("TrainingJob") == [reason]
    world.edit(storeRef={"name": "default"}, params={}, triggers=[])
    world.settle()
    assert world.condition(*JOB)[:2] == ("True", "RunInFlight")


def test_a_missing_store_heals_by_itself_and_nothing_is_lost() -> None:
    world = World(triggers=HOURLY)
    world.run_well()
    stores, world.stores = world.stores, []
    world.settle()
    world.advance(hours=3)
    world.retrain("again")
    world.settle()
    assert world.condition(*JOB)[1] == "StoreNotUsable"
    assert len(world.runs()) == 1
    world.stores = stores
    world.settle()
    assert "schedule hourly was due at 2026-01-05T15:00:00Z" in world.run.spec.cause.message
    assert world.run.spec.cause.type == "Action"


def test_ready_stays_true_while_a_model_is_trained_again_and_when_that_fails() -> None:
    world = World(limits={"retries": 1})
    world.run_well()
    assert world.condition(*JOB)[:2] == ("True", "Trained")
    world.retrain("again")
    world.settle()
    assert world.condition(*JOB)[:2] == ("True", "RunInFlight")
    assert world.condition(*JOB, "Training")[:2] == ("True", "RunInFlight")
    failed(world)
    assert world.condition(*JOB)[:2] == ("True", "Trained")
    assert world.condition(*JOB, "Training")[:2] == ("False", "Idle")
    assert world.condition(*JOB, "LastRunSucceeded") == (
        "False",
        "UserError",
        f"run {world.run.name}: train ended with exit code 1: no such column: late",
    )
    assert world.job.status.last_run is not None
    assert world.job.status.last_run.failure is not None
    assert world.reasons("TrainingJob")[-1] == "RunFailed"


def test_a_failure_that_will_be_tried_again_is_told_and_turns_nothing() -> None:
    world = World()
    world.settle()
    world.fail(11, "s3://lake: connection refused", step="fetch")
    world.settle()
    assert world.condition(*JOB)[0] == "True"
    assert world.condition(*JOB, "LastRunSucceeded")[:2] == ("False", "Store")
    assert "attempt 2 starts at" in world.condition(*JOB, "Training")[2]
    world.run_until_due()
    world.run_well()
    assert world.condition(*JOB, "LastRunSucceeded")[:2] == ("True", "Succeeded")


@pytest.mark.parametrize("policy", ["Accepted", "FirstModel"])
def test_a_failure_for_good_stalls_only_while_there_is_no_version(policy: str) -> None:
    world = World(readyPolicy=policy)
    failed(world)
    assert world.condition(*JOB) == (
        "False",
        "UserError",
        f"run {world.run.name} failed: train ended with exit code 1: no such column: late",
    )
    assert world.condition(*JOB, "Stalled")[0] == "True"
    world.retrain("again")
    world.run_well()
    assert world.condition(*JOB)[:2] == ("True", "Trained")


def test_with_first_model_a_recipe_is_ready_once_a_version_is_verified() -> None:
    world = World(readyPolicy="FirstModel")
    world.settle()
    assert world.condition(*JOB)[:2] == ("False", "AwaitingFirstModel")
    assert world.condition(*JOB, "Reconciling")[0] == "True"
    world.run_well()
    assert world.condition(*JOB)[:2] == ("True", "Trained")


def test_with_first_model_a_rejected_version_waits_for_a_person() -> None:
    strict = {**EVALUATION, "metrics": [{"name": "roc_auc", "goal": "Maximize", "threshold": 0.9}]}
    world = World(readyPolicy="FirstModel", evaluation=strict)
    world.run_well()
    assert world.condition(*JOB)[:2] == ("False", "VersionRejected")
    world.edit(evaluation=EVALUATION)
    world.settle()
    assert world.condition(*JOB)[:2] == ("True", "Trained")
    assert len(world.runs()) == 1, "a threshold judges again and trains nothing"


def test_an_overtaken_run_is_neither_a_success_nor_a_failure() -> None:
    world = World()
    world.settle()
    world.edit(seed=1)
    world.settle()
    assert world.condition(*JOB, "LastRunSucceeded")[:2] == ("Unknown", "Superseded")
    assert "RunSuperseded" in world.reasons("TrainingJob")


def test_the_past_is_put_away_oldest_first() -> None:
    world = World(history={"runs": 2})
    world.run_well()
    for index in range(4):
        world.advance(hours=1)
        world.retrain(f"again-{index}")
        world.run_well()
    world.settle()
    assert [run.status.version for run in world.runs()] == ["orders-v4", "orders-v5"]
    assert len(world.versions()) == 5


def test_a_status_that_was_lost_is_found_again_in_the_runs() -> None:
    world = World(triggers=HOURLY)
    world.run_well()
    world.retrain("again")
    world.settle()
    world.remove("ModelAction", "again")
    before = world.job.status
    world.objects[JOB]["status"] = {"observedGeneration": -1}
    world.settle()
    after = world.job.status
    assert len(world.runs()) == 2
    for kept in ("active_run", "input_hash", "last_run", "latest_version"):
        assert getattr(after, kept) == getattr(before, kept)


def test_a_run_in_flight_that_somebody_deletes_is_made_again() -> None:
    world = World()
    world.settle()
    name = world.run.name
    world.remove("TrainingRun", name)
    world.settle()
    assert world.run.name == name


def test_a_number_is_not_taken_again_when_its_version_is_deleted() -> None:
    world = World()
    world.run_well()
    world.remove("ModelVersion", "orders-v1")
    world.remove("TrainingRun", world.run.name)
    world.retrain("again")
    world.run_well()
    assert world.run.status.version == "orders-v2"


def test_a_finished_run_is_known_by_its_end_not_by_its_place_in_the_list() -> None:
    runs = [
        finished_run("orders-bbbbbbbbbb", "Failed", 1, failure={"class": "Store", "message": "away"}),
        finished_run("orders-aaaaaaaaaa", "Succeeded", 2, version="orders-v1"),
    ]
    job = recipe({"inputHash": training_run().spec.input_hash})
    plan = training_job.plan(observed_job(job, runs, [version(1)]), NOW)
    assert plan.status["lastRun"]["name"] == "orders-bbbbbbbbbb"
    assert TrainingJob.model_validate({"metadata": {"name": "orders"}, "spec": SPEC, "status": plan.status})


def test_nothing_is_looked_at_again_while_nothing_can_start() -> None:
    world = World(triggers=HOURLY)
    world.settle()
    assert world.requeue[JOB] is None, "the run in flight wakes it"
    world.run_well()
    assert world.requeue[JOB] == NOW + timedelta(hours=1)
