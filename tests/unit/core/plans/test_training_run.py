from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from steadfit.core import names

from tests.oracles import kstatus
from tests.unit.core.training.builders import (
    COMPLETE,
    FAILED,
    PLATFORM,
    UNSCHEDULABLE,
    at,
    disruption,
    ended,
    running,
    waits,
)
from tests.unit.core.training.training_cluster import TrainingCluster

RUN = "TrainingRun"


def started(**spec: Any) -> TrainingCluster:
    """Return a cluster whose first run has a Job."""
    cluster = TrainingCluster(**spec)
    cluster.settle()
    assert len(cluster.every("Job")) == 1
    return cluster


def ready(cluster: TrainingCluster) -> tuple[str, str, str]:
    return cluster.condition(RUN, cluster.run.name)


def test_a_run_goes_from_its_job_to_a_verified_version() -> None:
    cluster = started()
    assert ready(cluster)[1:] == (
        "Pending",
        f"attempt 1: waits for the pod of Job {cluster.run.name}-a1; its events say more",
    )
    cluster.train_runs()
    cluster.settle()
    assert (cluster.run.status.phase, ready(cluster)[1]) == ("Running", "Training")
    cluster.publish()
    run = cluster.run
    assert (run.status.phase, run.status.version, run.status.version_number) == ("Succeeded", "orders-v1", 1)
    assert ready(cluster) == ("True", "Succeeded", "produced version orders-v1")
    assert cluster.condition(RUN, run.name, "Finished") == ready(cluster)
    (version,) = cluster.versions()
    assert version.status.phase == "Verified"
    assert cluster.reasons(RUN) == ["AttemptStarted", "VersionCreated", "RunSucceeded"]


def test_pods_in_flight_get_a_ca_that_was_replaced() -> None:
    cluster = started()
    cluster.train_runs()
    pod = cluster.pod(ended(0), running(seconds=0), phase="Running")

    def trusted(bundle: str) -> str:
        pod["metadata"]["annotations"] = {names.CA_ANNOTATION: bundle}
        cluster.settle()
        return str(pod["metadata"]["annotations"][names.CA_ANNOTATION])

    assert trusted(PLATFORM.ca_bundle) == PLATFORM.ca_bundle
    assert trusted("an older one") == PLATFORM.ca_bundle
    pod["status"]["phase"] = "Failed"
    assert trusted("an older one") == "an older one"


def test_a_run_waits_for_the_end_of_its_job_after_its_version_exists() -> None:
    cluster = started()
    cluster.train_runs()
    cluster.post()
    cluster.settle()
    assert (cluster.run.status.version, cluster.run.status.phase) == ("orders-v1", "Running")
    cluster.end_job(COMPLETE)
    cluster.settle()
    assert cluster.run.status.phase == "Succeeded"


@pytest.mark.parametrize("way", ["the Job failed", "the Job is gone", "the pod was taken away", "publish gave up"])
def test_a_result_counts_however_its_pod_ends(way: str) -> None:
    cluster = started()
    cluster.train_runs()
    cluster.settle()
    cluster.post()
    cluster.settle()
    if way == "the Job is gone":
        cluster.remove("Job", cluster.newest("Job")["metadata"]["name"])
    elif way == "the pod was taken away":
        cluster.pod(ended(0), ended(0), running(minutes=1), phase="Running", conditions=[disruption()])
    elif way == "publish gave up":
        cluster.fail(11, "the operator cannot be reached", step="publish")
    else:
        cluster.end_job(FAILED)
        cluster.settle()
        cluster.run_until_due()
    cluster.settle()
    assert cluster.run.status.phase == "Succeeded"
    assert cluster.run.status.failure is None
    assert len(cluster.run.status.attempts) == 1


def test_a_record_that_arrives_before_the_retry_makes_the_retry_needless() -> None:
    cluster = started()
    cluster.train_runs()
    cluster.pod(ended(0), ended(0), running(minutes=1), phase="Running", conditions=[disruption()])
    cluster.settle()
    assert cluster.run.status.next_attempt_at is not None
    cluster.post()
    cluster.advance(minutes=5)
    cluster.settle()
    assert (cluster.run.status.phase, len(cluster.run.status.attempts)) == ("Succeeded", 1)


@pytest.mark.parametrize(
    ("code", "step", "failure_class"), [(1, "train", "UserError"), (12, "publish", "UserError"), (10, "fetch", "Data")]
)
def test_a_failure_that_would_repeat_ends_the_run_with_the_pods_own_words(
    code: int, step: str, failure_class: str
) -> None:
    cluster = started()
    cluster.fail(code, "no such column: late", step)
    cluster.settle()
    run = cluster.run
    assert run.status.phase == "Failed"
    assert run.status.failure is not None
    assert run.status.failure.failure_class == failure_class
    message = f"{step} ended with exit code {code}: no such column: late"
    assert ready(cluster) == ("False", failure_class, message)
    assert cluster.reasons(RUN) == ["AttemptStarted", "AttemptFailed", "RunFailed"]
    assert len(cluster.every("Job")) == 1, "the Job stays with its log"


def test_the_store_being_away_is_tried_again_after_30_s_doubling_until_the_retries_are_used_up() -> None:
    cluster = started()
    pauses = []
    for _ in range(3):
        cluster.fail(11, "s3://lake: connection refused", step="fetch")
        cluster.settle()
        run = cluster.run
        assert run.status.phase == "Pending"
        assert run.status.next_attempt_at is not None
        pauses.append(run.status.next_attempt_at - cluster.now)
        assert ready(cluster)[1] == "WaitingForRetry"
        assert "connection refused" in ready(cluster)[2]
        cluster.run_until_due()
    assert pauses == [timedelta(seconds=30), timedelta(seconds=60), timedelta(seconds=120)]
    cluster.fail(11, "s3://lake: connection refused", step="fetch")
    cluster.settle()
    assert (cluster.run.status.phase, len(cluster.run.status.attempts)) == ("Failed", 4)
    assert cluster.run.status.next_attempt_at is None
    assert len(cluster.every("Job")) == 4


def test_pauses_never_exceed_ten_minutes() -> None:
    cluster = started(limits={"retries": 10})
    for _ in range(10):
        cluster.fail(11, "away", step="fetch")
        cluster.settle()
        at = cluster.run.status.next_attempt_at
        assert at is not None
        assert at - cluster.now <= timedelta(minutes=10)
        cluster.run_until_due()
    assert len(cluster.run.status.attempts) == 11


def test_without_retries_the_first_failure_is_the_last() -> None:
    cluster = started(limits={"retries": 0})
    cluster.fail(11, "away", step="fetch")
    cluster.settle()
    assert cluster.run.status.phase == "Failed"


def test_a_lost_node_is_tried_again_and_the_hanging_job_is_ended() -> None:
    cluster = started()
    cluster.train_runs()
    cluster.settle()
    cluster.pod(ended(0), running(minutes=9), phase="Running", conditions=[disruption()])
    cluster.settle()
    assert cluster.every("Job") == []
    cluster.run_until_due()
    assert [job["metadata"]["name"] for job in cluster.every("Job")] == [f"{cluster.run.name}-a2"]
    assert cluster.run.status.attempts[0].failure is not None


def test_an_attempt_that_ran_out_of_memory_with_exit_code_0_is_ended_by_the_operator() -> None:
    cluster = started()
    cluster.pod(ended(0), ended(0, reason="OOMKilled"), waits("PodInitializing"))
    cluster.settle()
    assert cluster.run.status.phase == "Failed"
    assert cluster.run.status.failure is not None
    assert cluster.run.status.failure.failure_class == "OutOfMemory"
    assert cluster.every("Job") == []


def test_class_and_message_are_stored_before_the_job_is_deleted() -> None:
    cluster = started()
    cluster.pod(ended(0), ended(0, reason="OOMKilled"), waits("PodInitializing"))
    assert cluster.step(RUN, cluster.run.name)
    assert cluster.run.status.failure is not None
    assert len(cluster.every("Job")) == 1


def test_a_job_that_was_deleted_is_a_lost_attempt_and_not_made_again() -> None:
    cluster = started()
    cluster.remove("Job", cluster.newest("Job")["metadata"]["name"])
    cluster.settle()
    (attempt,) = cluster.run.status.attempts
    assert attempt.failure is not None
    assert attempt.failure.failure_class == "Infrastructure"
    assert "was deleted" in attempt.failure.message
    assert cluster.every("Job") == []


def test_a_job_of_the_same_name_but_another_uid_is_not_the_attempts() -> None:
    cluster = started()
    cluster.newest("Job")["metadata"]["uid"] = "another"
    cluster.settle()
    (attempt,) = cluster.run.status.attempts
    assert attempt.failure is not None
    assert attempt.failure.failure_class == "Infrastructure"


def test_a_pod_that_vanishes_is_a_lost_attempt() -> None:
    cluster = started()
    cluster.train_runs()
    cluster.settle()
    cluster.remove("Pod", cluster.newest("Pod")["metadata"]["name"])
    cluster.settle()
    failure = cluster.run.status.attempts[0].failure
    assert failure is not None
    assert (failure.failure_class, "is gone" in failure.message) == ("Infrastructure", True)


def test_a_job_that_failed_waits_for_the_words_of_its_pod_because_their_news_travel_apart() -> None:
    cluster = started()
    cluster.train_runs()
    cluster.settle()
    cluster.end_job(FAILED)
    cluster.settle()
    assert cluster.run.status.attempts[0].failure is None
    cluster.fail(1, "no such column: late")
    cluster.settle()
    failure = cluster.run.status.attempts[0].failure
    assert failure is not None
    assert failure.failure_class == "UserError"


@pytest.mark.parametrize("has_pod", [True, False])
def test_a_failed_job_whose_pod_stays_silent_is_a_lost_attempt_after_a_minute(has_pod: bool) -> None:
    cluster = started()
    if has_pod:
        cluster.train_runs()
    cluster.end_job(FAILED)
    cluster.settle()
    cluster.run_until_due()
    failure = cluster.run.status.attempts[0].failure
    assert failure is not None
    assert failure.failure_class == "Infrastructure"
    assert failure.message.endswith("its pod reported no failure: Job has reached the specified backoff limit")


def test_a_job_that_ends_without_a_record_has_brought_nothing() -> None:
    cluster = started()
    cluster.pod(ended(0), ended(0), ended(0), phase="Succeeded")
    cluster.end_job(COMPLETE)
    cluster.settle()
    failure = cluster.run.status.attempts[0].failure
    assert failure is not None
    assert failure.message == "publish ended without posting a record"


def test_an_image_that_does_not_exist_fails_after_two_minutes_and_the_job_is_ended() -> None:
    cluster = started()
    cluster.pod(waits("ErrImagePull", "not found"), waits())
    cluster.settle()
    assert ready(cluster)[2] == "attempt 1: the image steadfit/trainer:1 of fetch cannot be pulled: not found"
    assert "AttemptWaiting" in cluster.reasons(RUN)
    cluster.advance(minutes=1)
    cluster.pod(
        waits("ImagePullBackOff", 'Back-off pulling image "steadfit/trainer:1": ErrImagePull: not found'), waits()
    )
    cluster.settle()
    assert cluster.run.status.phase == "Pending"
    cluster.run_until_due()
    assert cluster.run.status.failure is not None
    assert cluster.run.status.failure.failure_class == "Image"
    assert cluster.every("Job") == []


def test_a_pod_that_no_node_takes_fails_at_the_start_timeout() -> None:
    cluster = started()
    cluster.pod(conditions=[UNSCHEDULABLE])
    cluster.settle()
    cluster.run_until_due()
    assert cluster.run.status.failure is not None
    assert cluster.run.status.failure.failure_class == "Scheduling"
    assert "Insufficient memory" in cluster.run.status.failure.message


def test_training_that_takes_too_long_is_ended_with_the_name_of_the_clock() -> None:
    cluster = started()
    cluster.train_runs()
    cluster.settle()
    cluster.run_until_due()
    assert cluster.run.status.failure is not None
    assert cluster.run.status.failure.failure_class == "Deadline"
    assert cluster.run.status.failure.message == "runTimeout: train had not ended after 6h"
    assert cluster.every("Job") == []


def test_a_job_that_never_gets_a_pod_fails_at_the_queue_timeout() -> None:
    cluster = started()
    cluster.run_until_due()
    assert cluster.run.status.failure is not None
    assert cluster.run.status.failure.message.startswith("queueTimeout: the attempt had no pod after 24h")


def test_a_job_that_a_queue_took_from_its_node_goes_on_when_it_is_let_in_again() -> None:
    cluster = started()
    cluster.train_runs()
    cluster.settle()
    cluster.newest("Job")["spec"]["suspend"] = True
    cluster.remove("Pod", cluster.newest("Pod")["metadata"]["name"])
    cluster.settle()
    assert cluster.run.status.attempts[0].pod is None
    cluster.advance(hours=23)
    cluster.settle()
    assert len(cluster.run.status.attempts) == 1
    assert cluster.run.status.attempts[0].failure is None
    cluster.newest("Job")["spec"]["suspend"] = False
    cluster.run_well()
    assert cluster.run.status.phase == "Succeeded"


def test_a_store_that_went_away_holds_the_job_back_until_it_is_there_again() -> None:
    cluster = TrainingCluster()
    cluster.step("TrainingJob", "orders")
    cluster.step("TrainingJob", "orders")
    stores, cluster.stores = cluster.stores, []
    cluster.settle()
    assert cluster.every("Job") == []
    assert ready(cluster)[2] == "attempt 1: there is no ArtifactStore default"
    cluster.stores = stores
    cluster.settle()
    assert len(cluster.every("Job")) == 1


def test_a_recipe_that_changes_overtakes_the_run_and_its_job_is_ended() -> None:
    cluster = started()
    cluster.train_runs()
    cluster.settle()
    first = cluster.run.name
    cluster.edit(params={"depth": 9})
    cluster.settle()
    assert cluster.condition(RUN, first)[:2] == ("False", "Superseded")
    assert cluster.run.name != first
    assert cluster.run.spec.params == {"depth": 9}
    assert [job["metadata"]["name"] for job in cluster.every("Job")] == [f"{cluster.run.name}-a1"]


def test_a_run_that_is_overtaken_while_it_waits_for_a_retry_waits_no_more() -> None:
    cluster = started()
    cluster.fail(11, "away", step="fetch")
    cluster.settle()
    cluster.edit(seed=2)
    cluster.settle()
    first = cluster.runs()[0]
    assert (first.status.phase, first.status.next_attempt_at) == ("Superseded", None)
    assert len(first.status.attempts) == 1


def test_a_run_that_has_a_record_is_not_overtaken() -> None:
    cluster = started()
    cluster.train_runs()
    cluster.settle()
    cluster.post()
    cluster.edit(params={"depth": 9})
    cluster.settle()
    assert cluster.runs()[0].status.version == "orders-v1"
    cluster.end_job(COMPLETE)
    cluster.settle()
    assert [run.status.phase for run in cluster.runs()] == ["Succeeded", "Pending"]


def test_an_edit_that_is_no_input_leaves_the_run_alone() -> None:
    cluster = started()
    cluster.edit(history={"runs": 3})
    cluster.settle()
    assert len(cluster.runs()) == 1
    assert cluster.run.status.phase == "Pending"


def test_a_run_whose_recipe_is_gone_starts_no_further_attempt() -> None:
    cluster = started()
    cluster.fail(11, "away", step="fetch")
    cluster.settle()
    del cluster.objects["TrainingJob", "orders"]
    cluster.advance(minutes=5)
    cluster.settle()
    assert len(cluster.run.status.attempts) == 1


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Superseded"])
def test_a_finished_run_never_gets_a_job_again(phase: str) -> None:
    cluster = started()
    if phase == "Succeeded":
        cluster.run_well()
    elif phase == "Failed":
        cluster.fail(1)
    else:
        cluster.edit(seed=4)
    cluster.settle()
    run = cluster.runs()[0]
    assert run.status.phase == phase
    for job in cluster.every("Job"):
        cluster.remove("Job", job["metadata"]["name"])
    before = copy.deepcopy(cluster.objects[RUN, run.name])
    cluster.advance(days=30)
    cluster.step(RUN, run.name)
    assert cluster.objects[RUN, run.name] == before
    assert not [job for job in cluster.every("Job") if job["metadata"]["name"].startswith(run.name)]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"schemaVersion": 1}, "no version can be created from the record"),
        ({"artifact": "nothing"}, "no version can be created from the record"),
        ([], "no version can be created from the record"),
    ],
)
def test_a_record_that_fits_no_version_ends_the_run_in_a_sentence(record: Any, words: str) -> None:
    cluster = started()
    cluster.train_runs()
    cluster.settle()
    cluster.newest(RUN)["status"]["record"] = record if isinstance(record, dict) else {"data": record}
    cluster.settle()
    assert cluster.run.status.phase == "Failed"
    assert words in ready(cluster)[2]
    assert cluster.versions() == []
    assert cluster.every("Job") == []


def test_a_record_of_another_run_or_place_is_refused() -> None:
    for change in ({"run": {"namespace": "a", "name": "b", "uid": "c", "attempt": 1, "trainingJob": "d"}}, {}):
        cluster = started()
        cluster.train_runs()
        cluster.settle()
        cluster.post()
        posted = cluster.newest(RUN)["status"]["record"]
        posted.update(change)
        if not change:
            posted["artifact"]["uri"] = posted["artifact"]["uri"].replace("/orders/", "/others/")
        cluster.settle()
        assert cluster.run.status.phase == "Failed"
        assert cluster.versions() == []


def test_statuses_are_written_as_the_api_server_stores_them() -> None:
    cluster = started()
    cluster.train_runs()
    cluster.settle()
    attempt = cluster.newest(RUN)["status"]["attempts"][0]
    assert attempt["decidedAt"] == at()
    assert attempt["jobUid"] == cluster.newest("Job")["metadata"]["uid"]
    assert "failure" not in attempt


def test_a_refused_job_is_named_by_the_run_and_fails_the_attempt_after_the_start_timeout() -> None:
    cluster = TrainingCluster(limits={"startTimeout": "10m"})
    cluster.step("TrainingJob", "orders")
    cluster.step("TrainingJob", "orders")
    name = f"{cluster.run.name}-a1"
    cluster.refusals[name] = "require-team-label: add the label team"
    cluster.settle()
    assert ready(cluster)[1:] == (
        "Pending",
        f"attempt 1: Job {name} is refused: require-team-label: add the label team",
    )
    assert "require-team-label" in cluster.condition("TrainingJob", "orders", "Training")[2]
    cluster.advance(minutes=9)
    cluster.settle()
    assert cluster.run.status.phase == "Pending"
    cluster.advance(minutes=1)
    cluster.settle()
    failure = cluster.run.status.failure
    assert failure is not None
    assert failure.failure_class == "Admission"
    assert failure.message == f"Job {name} is refused: require-team-label: add the label team (for 10m, startTimeout)"


def test_a_job_that_is_created_after_all_waits_for_its_pod_anew() -> None:
    cluster = TrainingCluster()
    cluster.step("TrainingJob", "orders")
    cluster.step("TrainingJob", "orders")
    name = f"{cluster.run.name}-a1"
    cluster.refusals[name] = "require-team-label: add the label team"
    cluster.settle()
    cluster.refusals.clear()
    cluster.settle()
    assert ready(cluster)[2] == f"attempt 1: waits for the pod of Job {name}; its events say more"
    assert cluster.run.status.attempts[-1].waiting_since is None


def test_a_refused_run_is_named_by_its_job_and_can_be_given_up() -> None:
    cluster = TrainingCluster()
    cluster.step("TrainingJob", "orders")
    active = cluster.job.status.active_run
    assert active is not None
    cluster.refusals[active.name] = "exceeded quota: objects, requested: count/trainingruns.steadfit.dev=1"
    cluster.settle()
    said = cluster.condition("TrainingJob", "orders", "Training")
    assert said[1] == "RunStarting"
    assert f"run {active.name} is refused: exceeded quota: objects" in said[2]
    cluster.cancel("stop")
    cluster.settle()
    assert cluster.job.status.active_run is None
    assert cluster.runs() == []


def test_a_refused_version_is_named_by_its_run_until_it_is_created() -> None:
    cluster = started()
    cluster.pod(ended(0), ended(0), running(seconds=0), phase="Running")
    cluster.refusals["orders-v1"] = "require-owner-label: add the label owner"
    cluster.post()
    cluster.settle()
    assert ready(cluster)[1] == "Recording"
    assert "its version 1 is refused: require-owner-label: add the label owner" in ready(cluster)[2]
    cluster.refusals.clear()
    cluster.settle()
    assert [item.name for item in cluster.versions()] == ["orders-v1"]


def test_one_wait_returns_whichever_way_a_run_ends_and_kstatus_reads_a_failed_one_as_failed() -> None:
    cluster = started()
    cluster.fail(11, "s3://lake: connection refused", "fetch")
    cluster.settle()
    types = {condition.type for condition in cluster.run.status.conditions}
    assert types == {"Ready", "Reconciling"}, "it is tried again"
    cluster.run_until_due()
    cluster.fail(1, "no such column: late", "train")
    cluster.settle()
    message = "train ended with exit code 1: no such column: late"
    assert cluster.run.status.phase == "Failed"
    assert cluster.condition(RUN, cluster.run.name, "Finished") == ("True", "UserError", message)
    assert kstatus.compute(cluster.objects[RUN, cluster.run.name]).status == "Failed"


def test_a_run_that_ended_before_the_condition_finished_existed_gets_it() -> None:
    cluster = started()
    cluster.train_runs()
    cluster.settle()
    cluster.publish()
    stored = cluster.objects[RUN, cluster.run.name]["status"]
    stored["conditions"] = [one for one in stored["conditions"] if one["type"] != "Finished"]
    cluster.settle()
    assert cluster.condition(RUN, cluster.run.name, "Finished")[:2] == ("True", "Succeeded")


def test_one_wait_on_a_training_job_returns_when_its_run_has_ended_whichever_way() -> None:
    cluster = started()
    assert cluster.condition("TrainingJob", "orders", "Training")[0] == "True"
    cluster.fail(1, "no such column: late", "train")
    cluster.settle()
    assert cluster.condition("TrainingJob", "orders", "Training")[0] == "False"
    assert cluster.condition("TrainingJob", "orders", "LastRunSucceeded")[:2] == ("False", "UserError")
