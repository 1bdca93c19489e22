from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from steadfit.api.trainingjob import TrainingJob
from steadfit.core.action_records import MAX_RECORDS
from steadfit.core.plans import training_job

from tests.unit.core.training.builders import NOW, SPEC, finished_run, observed_job, retrain, training_run, version
from tests.unit.core.training.builders import training_job as recipe
from tests.unit.core.training.training_cluster import TrainingCluster

HOURLY = [{"name": "hourly", "schedule": {"cron": "0 * * * *"}}]
JOB = ("TrainingJob", "orders")
EVALUATION = SPEC["evaluation"]


def failed(cluster: TrainingCluster, code: int = 1) -> None:
    cluster.settle()
    cluster.fail(code, "no such column: late")
    cluster.settle()


def test_a_new_recipe_starts_a_run_that_is_decided_on_before_it_exists() -> None:
    cluster = TrainingCluster()
    assert cluster.step(*JOB)
    active = cluster.job.status.active_run
    assert active is not None
    assert active.cause.type == "SpecChange"
    assert active.cause.message == "the recipe has not been trained yet"
    assert cluster.runs() == []
    assert cluster.step(*JOB)
    (run,) = cluster.runs()
    assert run.name == active.name
    assert run.spec.input_hash == cluster.job.status.input_hash == active.cause.key
    assert run.spec.params == {"depth": 6}
    assert cluster.reasons("TrainingJob") == ["RunStarted"]


def test_a_run_belongs_to_its_recipe_and_carries_its_queue_and_git_revision() -> None:
    cluster = TrainingCluster()
    metadata = cluster.objects[JOB]["metadata"]
    metadata["labels"] = {"kueue.x-k8s.io/queue-name": "gpu"}
    metadata["annotations"] = {"steadfit.dev/git-revision": "main@c0ffee"}
    cluster.settle()
    run = cluster.newest("TrainingRun")
    assert run["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "steadfit",
        "steadfit.dev/training-job": "orders",
        "kueue.x-k8s.io/queue-name": "gpu",
    }
    assert run["metadata"]["ownerReferences"][0]["uid"] == metadata["uid"]
    assert run["spec"]["gitRevision"] == "main@c0ffee"
    assert cluster.newest("Job")["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpu"


def test_what_ended_is_shown_and_nothing_starts_without_a_cause() -> None:
    cluster = TrainingCluster()
    cluster.run_well()
    cluster.advance(days=10)
    cluster.settle()
    status = cluster.job.status
    assert status.active_run is None
    assert status.last_run is not None
    assert (status.last_run.phase, status.last_run.version) == ("Succeeded", "orders-v1")
    assert status.latest_version is not None
    assert status.latest_version.number == 1
    assert len(cluster.runs()) == 1
    assert cluster.reasons("TrainingJob") == ["RunStarted", "RunSucceeded"]


def test_a_change_of_the_inputs_starts_a_run_and_names_what_changed() -> None:
    cluster = TrainingCluster()
    cluster.run_well()
    cluster.edit(seed=3, params={"depth": 2})
    cluster.run_well()
    assert [run.status.version for run in cluster.runs()] == ["orders-v1", "orders-v2"]
    assert cluster.run.spec.cause.message == "the recipe changed: params, seed"


def test_going_back_to_older_inputs_trains_them_again() -> None:
    cluster = TrainingCluster()
    cluster.run_well()
    for depth in (9, 6):
        cluster.edit(params={"depth": depth})
        cluster.run_well()
    first, _, third = cluster.runs()
    assert first.spec.input_hash == third.spec.input_hash
    assert first.name != third.name
    assert third.spec.cause.key == f"{first.spec.cause.key}#2"
    assert third.status.version == "orders-v3"


def test_inputs_that_change_between_decision_and_creation_are_the_ones_that_are_trained() -> None:
    cluster = TrainingCluster()
    cluster.step(*JOB)
    name = cluster.job.status.active_run
    cluster.edit(seed=9)
    cluster.settle()
    (run,) = cluster.runs()
    assert name is not None
    assert run.name == name.name
    assert run.spec.seed == 9
    assert run.spec.input_hash == cluster.job.status.input_hash
    assert run.status.phase == "Pending"


def test_missed_times_do_not_pile_up_behind_a_run() -> None:
    cluster = TrainingCluster(triggers=HOURLY)
    cluster.settle()
    cluster.train_runs()
    cluster.advance(hours=5, minutes=30)
    cluster.settle()
    assert len(cluster.runs()) == 1
    cluster.publish()
    cluster.settle()
    assert len(cluster.runs()) == 2
    assert cluster.run.spec.cause.type == "Schedule"
    assert cluster.run.spec.cause.key == "2026-01-05T17:00:00Z"
    assert cluster.run.spec.cause.trigger == "hourly"
    assert cluster.job.status.next_run_at == NOW + timedelta(hours=6)
    cluster.run_well()
    assert len(cluster.runs()) == 2


def test_a_schedule_starts_a_run_when_its_time_has_come() -> None:
    cluster = TrainingCluster(triggers=HOURLY)
    cluster.run_well()
    assert cluster.job.status.next_run_at == NOW + timedelta(hours=1)
    cluster.run_until_due()
    assert cluster.now == NOW + timedelta(hours=1)
    assert cluster.run.spec.cause.message == "schedule hourly was due at 2026-01-05T13:00:00Z"


def test_all_causes_that_are_due_are_served_by_one_run() -> None:
    cluster = TrainingCluster(triggers=HOURLY)
    cluster.run_well()
    cluster.advance(hours=2)
    cluster.retrain("first")
    cluster.retrain("second")
    cluster.edit(seed=5)
    cluster.settle()
    assert len(cluster.runs()) == 2
    cause = cluster.run.spec.cause
    assert (cause.type, cause.action) == ("Action", "first")
    assert cause.message == (
        "Retrain by ada: the labels were corrected; Retrain by ada: the labels were corrected;"
        " the recipe changed: seed; schedule hourly was due at 2026-01-05T14:00:00Z"
    )
    assert {record.phase for record in cluster.job.status.actions} == {"Succeeded"}
    assert cluster.job.status.triggers[0].next_scheduled_at == NOW + timedelta(hours=3)


def test_a_retrain_action_waits_for_the_run_in_flight_and_says_so() -> None:
    cluster = TrainingCluster()
    cluster.settle()
    first = cluster.run.name
    cluster.retrain("again")
    cluster.settle()
    (record,) = cluster.job.status.actions
    assert (record.phase, record.message) == ("Pending", f"waits until run {first} has ended")
    cluster.run_well()
    assert len(cluster.runs()) == 2
    (record,) = cluster.job.status.actions
    assert (record.phase, record.message) == ("Succeeded", f"run {cluster.run.name} was started")


def test_a_retrain_action_is_carried_out_once() -> None:
    cluster = TrainingCluster()
    cluster.run_well()
    cluster.retrain("again")
    cluster.run_well()
    cluster.advance(days=1)
    cluster.settle()
    assert len(cluster.runs()) == 2


def test_a_retrain_action_that_is_deleted_while_it_waits_is_forgotten() -> None:
    cluster = TrainingCluster()
    cluster.settle()
    cluster.retrain("again")
    cluster.settle()
    cluster.remove("ModelAction", "again")
    cluster.settle()
    assert cluster.job.status.actions == []


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
    unseen = [retrain(f"old-{index}") for index in range(MAX_RECORDS)]
    full = recipe({"inputHash": hash_of, "actions": [record(index, "Succeeded") for index in range(MAX_RECORDS)]})
    guarded = training_job.plan(observed_job(full, actions=[*unseen, retrain("new")]), NOW)
    assert "activeRun" not in guarded.status
    seen = training_job.plan(observed_job(full, actions=[*unseen[1:], retrain("new")]), NOW)
    assert seen.status["activeRun"]["cause"]["key"] == "new"
    assert [item["uid"] for item in seen.status["actions"]][-1] == "new"
    assert len(seen.status["actions"]) == MAX_RECORDS


def test_a_suspended_recipe_starts_nothing_and_is_ready() -> None:
    cluster = TrainingCluster(suspend=True, triggers=HOURLY)
    cluster.retrain("again")
    cluster.settle()
    cluster.advance(days=3)
    cluster.settle()
    assert cluster.runs() == []
    assert cluster.condition(*JOB)[:2] == ("True", "Suspended")
    assert cluster.job.status.next_run_at is None
    assert cluster.job.status.actions[0].message == "waits until spec.suspend is false"
    cluster.edit(suspend=False)
    cluster.settle()
    (run,) = cluster.runs()
    assert run.spec.cause.message == (
        "Retrain by ada: the labels were corrected; the recipe has not been trained yet"
    ), "times that passed while it was suspended are not missed times"


def test_suspending_lets_the_run_in_flight_end() -> None:
    cluster = TrainingCluster()
    cluster.settle()
    cluster.edit(suspend=True)
    cluster.run_well()
    assert cluster.run.status.phase == "Succeeded"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"storeRef": {"name": "other"}}, "StoreNotUsable"),
        ({"params": {"grid": [1]}}, "InvalidParams"),
        ({"triggers": [{"name": "never", "schedule": {"cron": "0 0 31 2 *"}}]}, "InvalidSchedule"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_stalled_and_heals_by_an_edit(spec: dict[str, Any], reason: str) -> None:
    cluster = TrainingCluster(**spec)
    cluster.settle()
    assert cluster.condition(*JOB)[:2] == ("False", reason)
    assert cluster.condition(*JOB, "Stalled")[0] == "True"
    assert cluster.runs() == []
    assert cluster.reasons("TrainingJob") == [reason]
    cluster.edit(storeRef={"name": "default"}, params={}, triggers=[])
    cluster.settle()
    assert cluster.condition(*JOB)[:2] == ("True", "RunInFlight")


def test_a_missing_store_heals_by_itself_and_nothing_is_lost() -> None:
    cluster = TrainingCluster(triggers=HOURLY)
    cluster.run_well()
    stores, cluster.stores = cluster.stores, []
    cluster.settle()
    cluster.advance(hours=3)
    cluster.retrain("again")
    cluster.settle()
    assert cluster.condition(*JOB)[1] == "StoreNotUsable"
    assert len(cluster.runs()) == 1
    cluster.stores = stores
    cluster.settle()
    assert "schedule hourly was due at 2026-01-05T15:00:00Z" in cluster.run.spec.cause.message
    assert cluster.run.spec.cause.type == "Action"


def test_ready_stays_true_while_a_model_is_trained_again_and_when_that_fails() -> None:
    cluster = TrainingCluster(limits={"retries": 1})
    cluster.run_well()
    assert cluster.condition(*JOB)[:2] == ("True", "Trained")
    cluster.retrain("again")
    cluster.settle()
    assert cluster.condition(*JOB)[:2] == ("True", "RunInFlight")
    assert cluster.condition(*JOB, "Training")[:2] == ("True", "RunInFlight")
    failed(cluster)
    assert cluster.condition(*JOB)[:2] == ("True", "Trained")
    assert cluster.condition(*JOB, "Training")[:2] == ("False", "Idle")
    assert cluster.condition(*JOB, "LastRunSucceeded") == (
        "False",
        "UserError",
        f"run {cluster.run.name}: train ended with exit code 1: no such column: late",
    )
    assert cluster.job.status.last_run is not None
    assert cluster.job.status.last_run.failure is not None
    assert cluster.reasons("TrainingJob")[-1] == "RunFailed"


def test_a_failure_that_will_be_tried_again_is_told_and_turns_nothing() -> None:
    cluster = TrainingCluster()
    cluster.settle()
    cluster.fail(11, "s3://lake: connection refused", step="fetch")
    cluster.settle()
    assert cluster.condition(*JOB)[0] == "True"
    assert cluster.condition(*JOB, "LastRunSucceeded")[:2] == ("False", "Store")
    assert "attempt 2 starts at" in cluster.condition(*JOB, "Training")[2]
    cluster.run_until_due()
    cluster.run_well()
    assert cluster.condition(*JOB, "LastRunSucceeded")[:2] == ("True", "Succeeded")


@pytest.mark.parametrize("policy", ["Accepted", "FirstModel"])
def test_a_failure_for_good_stalls_only_while_there_is_no_version(policy: str) -> None:
    cluster = TrainingCluster(readyPolicy=policy)
    failed(cluster)
    assert cluster.condition(*JOB) == (
        "False",
        "UserError",
        f"run {cluster.run.name} failed: train ended with exit code 1: no such column: late",
    )
    assert cluster.condition(*JOB, "Stalled")[0] == "True"
    cluster.retrain("again")
    cluster.run_well()
    assert cluster.condition(*JOB)[:2] == ("True", "Trained")


def test_with_first_model_a_recipe_is_ready_once_a_version_is_verified() -> None:
    cluster = TrainingCluster(readyPolicy="FirstModel")
    cluster.settle()
    assert cluster.condition(*JOB)[:2] == ("False", "AwaitingFirstModel")
    assert cluster.condition(*JOB, "Reconciling")[0] == "True"
    cluster.run_well()
    assert cluster.condition(*JOB)[:2] == ("True", "Trained")


def test_with_first_model_a_rejected_version_waits_for_a_person() -> None:
    strict = {**EVALUATION, "metrics": [{"name": "roc_auc", "goal": "Maximize", "threshold": 0.9}]}
    cluster = TrainingCluster(readyPolicy="FirstModel", evaluation=strict)
    cluster.run_well()
    assert cluster.condition(*JOB)[:2] == ("False", "VersionRejected")
    cluster.edit(evaluation=EVALUATION)
    cluster.settle()
    assert cluster.condition(*JOB)[:2] == ("True", "Trained")
    assert len(cluster.runs()) == 1, "a threshold judges again and trains nothing"


@pytest.mark.parametrize(
    ("evaluation", "reason", "words"),
    [
        (
            {**EVALUATION, "metrics": [{"name": "roc_auc", "goal": "Maximize", "threshold": 0.9}]},
            "VersionRejected",
            "roc_auc 0.71 does not meet the threshold 0.9",
        ),
        ({**EVALUATION, "bootstrap": "Manual"}, "VersionHeld", "a Promote of version 1 serves it"),
    ],
)
def test_a_recipe_says_what_its_gate_says_of_the_newest_version(evaluation: Any, reason: str, words: str) -> None:
    cluster = TrainingCluster(evaluation=evaluation)
    cluster.run_well()
    assert cluster.condition(*JOB)[:2] == ("True", reason), "the recipe is as valid as before"
    assert words in cluster.condition(*JOB)[2]


def test_an_overtaken_run_is_neither_a_success_nor_a_failure() -> None:
    cluster = TrainingCluster()
    cluster.settle()
    cluster.edit(seed=1)
    cluster.settle()
    assert cluster.condition(*JOB, "LastRunSucceeded")[:2] == ("Unknown", "Superseded")
    assert "RunSuperseded" in cluster.reasons("TrainingJob")


def test_the_past_is_put_away_oldest_first() -> None:
    cluster = TrainingCluster(history={"runs": 2})
    cluster.run_well()
    for index in range(4):
        cluster.advance(hours=1)
        cluster.retrain(f"again-{index}")
        cluster.run_well()
    cluster.settle()
    assert [run.status.version for run in cluster.runs()] == ["orders-v4", "orders-v5"]
    assert len(cluster.versions()) == 5


def test_a_status_that_was_lost_is_found_again_in_the_runs() -> None:
    cluster = TrainingCluster(triggers=HOURLY)
    cluster.run_well()
    cluster.retrain("again")
    cluster.settle()
    cluster.remove("ModelAction", "again")
    before = cluster.job.status
    cluster.objects[JOB]["status"] = {"observedGeneration": -1}
    cluster.settle()
    after = cluster.job.status
    assert len(cluster.runs()) == 2
    for kept in ("active_run", "input_hash", "last_run", "latest_version"):
        assert getattr(after, kept) == getattr(before, kept)


def test_a_run_in_flight_that_somebody_deletes_is_cancelled_and_not_made_again() -> None:
    cluster = TrainingCluster()
    cluster.settle()
    name = cluster.run.name
    cluster.remove("TrainingRun", name)
    cluster.settle()
    assert cluster.runs() == []
    last = cluster.job.status.last_run
    assert last is not None
    assert (last.name, last.phase, cluster.job.status.active_run) == (name, "Cancelled", None)
    assert "RunCancelled" in cluster.reasons("TrainingJob")
    cluster.edit(params={"depth": 7})
    cluster.settle()
    assert cluster.run.name != name


def test_a_number_is_not_taken_again_when_its_version_is_deleted() -> None:
    cluster = TrainingCluster()
    cluster.run_well()
    cluster.remove("ModelVersion", "orders-v1")
    cluster.remove("TrainingRun", cluster.run.name)
    cluster.retrain("again")
    cluster.run_well()
    assert cluster.run.status.version == "orders-v2"


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
    cluster = TrainingCluster(triggers=HOURLY)
    cluster.settle()
    assert cluster.requeue[JOB] is None, "the run in flight wakes it"
    cluster.run_well()
    assert cluster.requeue[JOB] == NOW + timedelta(hours=1)


def test_senders_that_refuse_the_certificate_are_a_condition_of_jobs_that_wait_for_alerts() -> None:
    alert = {"name": "drift", "alert": {"matchLabels": {"alertname": "ModelInputDrift"}}}
    for triggers, expected in (([alert], ("False", "CertificateNotTrusted")), ([], ("True", "CertificateTrusted"))):
        observed = observed_job(recipe(triggers=triggers))
        observed = replace(observed, alerts_refused_since=datetime(2026, 1, 1, tzinfo=UTC))
        conditions = training_job.plan(observed, NOW).status["conditions"]
        found = [one for one in conditions if one["type"] == "AlertsReachable"]
        assert [(one["status"], one["reason"]) for one in found] == [expected]
        late = "since 2026-01-01T00:00:00Z, and no alert has arrived since, so trigger drift" in found[0]["message"]
        assert late == (expected[0] == "False")
