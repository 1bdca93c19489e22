from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.core.training.builders import COMPLETE, FAILED, UNSCHEDULABLE, at, disruption, ended, running, waits
from tests.unit.core.training.training_cluster import World

RUN = "TrainingRun"


def started(**spec: Any) -> World:
    """Return a world whose first run has a Job."""
    world = World(**spec)
    world.settle()
    assert len(world.every("Job")) == 1
    return world


def ready(world: World) -> tuple[str, str, str]:
    return world.condition(RUN, world.run.name)


def test_a_run_goes_from_its_job_to_a_verified_version() -> None:
    world = started()
    assert ready(world)[1:] == (
        "Pending",
        f"attempt 1: waits for the pod of Job {world.run.name}-a1; its events say more",
    )
    world.train_runs()
    world.settle()
    assert (world.run.status.phase, ready(world)[1]) == ("Running", "Training")
    world.publish()
    run = world.run
    assert (run.status.phase, run.status.version, run.status.version_number) == ("Succeeded", "orders-v1", 1)
    assert ready(world) == ("True", "Succeeded", "produced version orders-v1")
    (version,) = world.versions()
    assert version.status.phase == "Verified"
    assert world.reasons(RUN) == ["AttemptStarted", "VersionCreated", "RunSucceeded"]


def test_a_run_waits_for_the_end_of_its_job_after_its_version_exists() -> None:
    world = started()
    world.train_runs()
    world.post()
    world.settle()
    assert (world.run.status.version, world.run.status.phase) == ("orders-v1", "Running")
    world.end_job(COMPLETE)
    world.settle()
    assert world.run.status.phase == "Succeeded"


@pytest.mark.parametrize("way", ["the Job failed", "the Job is gone", "the pod was taken away", "publish gave up"])
def test_a_result_counts_however_its_pod_ends(way: str) -> None:
    world = started()
    world.train_runs()
    world.settle()
    world.post()
    world.settle()
    if way == "the Job is gone":
        world.remove("Job", world.newest("Job")["metadata"]["name"])
    elif way == "the pod was taken away":
        world.pod(ended(0), ended(0), running(minutes=1), phase="Running", conditions=[disruption()])
    elif way == "publish gave up":
        world.fail(11, "the operator cannot be reached", step="publish")
    else:
        world.end_job(FAILED)
        world.settle()
        world.run_until_due()
    world.settle()
    assert world.run.status.phase == "Succeeded"
    assert world.run.status.failure is None
    assert len(world.run.status.attempts) == 1


def test_a_record_that_arrives_before_the_retry_makes_the_retry_needless() -> None:
    world = started()
    world.train_runs()
    world.pod(ended(0), ended(0), running(minutes=1), phase="Running", conditions=[disruption()])
    world.settle()
    assert world.run.status.next_attempt_at is not None
    world.post()
    world.advance(minutes=5)
    world.settle()
    assert (world.run.status.phase, len(world.run.status.attempts)) == ("Succeeded", 1)


@pytest.mark.parametrize(
    ("code", "step", "failure_class"), [(1, "train", "UserError"), (12, "publish", "UserError"), (10, "fetch", "Data")]
)
def test_a_failure_that_would_repeat_ends_the_run_with_the_pods_own_words(
    code: int, step: str, failure_class: str
) -> None:
    world = started()
    world.fail(code, "no such column: late", step)
    world.settle()
    run = world.run
    assert run.status.phase == "Failed"
    assert run.status.failure is not None
    assert run.status.failure.failure_class == failure_class
    message = f"{step} ended with exit code {code}: no such column: late"
    assert ready(world) == ("False", failure_class, message)
    assert world.reasons(RUN) == ["AttemptStarted", "AttemptFailed", "RunFailed"]
    assert len(world.every("Job")) == 1, "the Job stays with its log"


def test_the_store_being_away_is_tried_again_after_30_s_doubling_until_the_retries_are_used_up() -> None:
    world = started()
    pauses = []
    for _ in range(3):
        world.fail(11, "s3://lake: connection refused", step="fetch")
        world.settle()
        run = world.run
        assert run.status.phase == "Pending"
        assert run.status.next_attempt_at is not None
        pauses.append(run.status.next_attempt_at - world.now)
        assert ready(world)[1] == "WaitingForRetry"
        assert "connection refused" in ready(world)[2]
        world.run_until_due()
    assert pauses == [timedelta(seconds=30), timedelta(seconds=60), timedelta(seconds=120)]
    world.fail(11, "s3://lake: connection refused", step="fetch")
    world.settle()
    assert (world.run.status.phase, len(world.run.status.attempts)) == ("Failed", 4)
    assert world.run.status.next_attempt_at is None
    assert len(world.every("Job")) == 4


def test_pauses_never_exceed_ten_minutes() -> None:
    world = started(limits={"retries": 10})
    for _ in range(10):
        world.fail(11, "away", step="fetch")
        world.settle()
        at = world.run.status.next_attempt_at
        assert at is not None
        assert at - world.now <= timedelta(minutes=10)
        world.run_until_due()
    assert len(world.run.status.attempts) == 11


def test_without_retries_the_first_failure_is_the_last() -> None:
    world = started(limits={"retries": 0})
    world.fail(11, "away", step="fetch")
    world.settle()
    assert world.run.status.phase == "Failed"


def test_a_lost_node_is_tried_again_and_the_hanging_job_is_ended() -> None:
    world = started()
    world.train_runs()
    world.settle()
    world.pod(ended(0), running(minutes=9), phase="Running", conditions=[disruption()])
    world.settle()
    assert world.every("Job") == []
    world.run_until_due()
    assert [job["metadata"]["name"] for job in world.every("Job")] == [f"{world.run.name}-a2"]
    assert world.run.status.attempts[0].failure is not None


def test_an_attempt_that_ran_out_of_memory_with_exit_code_0_is_ended_by_the_operator() -> None:
    world = started()
    world.pod(ended(0), ended(0, reason="OOMKilled"), waits("PodInitializing"))
    world.settle()
    assert world.run.status.phase == "Failed"
    assert world.run.status.failure is not None
    assert world.run.status.failure.failure_class == "OutOfMemory"
    assert world.every("Job") == []


def test_class_and_message_are_stored_before_the_job_is_deleted() -> None:
    world = started()
    world.pod(ended(0), ended(0, reason="OOMKilled"), waits("PodInitializing"))
    assert world.step(RUN, world.run.name)
    assert world.run.status.failure is not None
    assert len(world.every("Job")) == 1


def test_a_job_that_was_deleted_is_a_lost_attempt_and_not_made_again() -> None:
    world = started()
    world.remove("Job", world.newest("Job")["metadata"]["name"])
    world.settle()
    (attempt,) = world.run.status.attempts
    assert attempt.failure is not None
    assert attempt.failure.failure_class == "Infrastructure"
    assert "was deleted" in attempt.failure.message
    assert world.every("Job") == []


def test_a_job_of_the_same_name_but_another_uid_is_not_the_attempts() -> None:
    world = started()
    world.newest("Job")["metadata"]["uid"] = "another"
    world.settle()
    (attempt,) = world.run.status.attempts
    assert attempt.failure is not None
    assert attempt.failure.failure_class == "Infrastructure"


def test_a_pod_that_vanishes_is_a_lost_attempt() -> None:
    world = started()
    world.train_runs()
    world.settle()
    world.remove("Pod", world.newest("Pod")["metadata"]["name"])
    world.settle()
    failure = world.run.status.attempts[0].failure
    assert failure is not None
    assert (failure.failure_class, "is gone" in failure.message) == ("Infrastructure", True)


def test_a_job_that_failed_waits_for_the_words_of_its_pod_because_their_news_travel_apart() -> None:
    world = started()
    world.train_runs()
    world.settle()
    world.end_job(FAILED)
    world.settle()
    assert world.run.status.attempts[0].failure is None
    world.fail(1, "no such column: late")
    world.settle()
    failure = world.run.status.attempts[0].failure
    assert failure is not None
    assert failure.failure_class == "UserError"


@pytest.mark.parametrize("has_pod", [True, False])
def test_a_failed_job_whose_pod_stays_silent_is_a_lost_attempt_after_a_minute(has_pod: bool) -> None:
    world = started()
    if has_pod:
        world.train_runs()
    world.end_job(FAILED)
    world.settle()
    world.run_until_due()
    failure = world.run.status.attempts[0].failure
    assert failure is not None
    assert failure.failure_class == "Infrastructure"
    assert failure.message.endswith("its pod reported no failure: Job has reached the specified backoff limit")


def test_a_job_that_ends_without_a_record_has_brought_nothing() -> None:
    world = started()
    world.pod(ended(0), ended(0), ended(0), phase="Succeeded")
    world.end_job(COMPLETE)
    world.settle()
    failure = world.run.status.attempts[0].failure
    assert failure is not None
    assert failure.message == "publish ended without posting a record"


def test_an_image_that_does_not_exist_fails_after_two_minutes_and_the_job_is_ended() -> None:
    world = started()
    world.pod(waits("ErrImagePull", "not found"), waits())
    world.settle()
    assert ready(world)[2] == "attempt 1: the image steadfit/trainer:1 of fetch cannot be pulled: not found"
    assert "AttemptWaiting" in world.reasons(RUN)
    world.advance(minutes=1)
    world.pod(
        waits("ImagePullBackOff", 'Back-off pulling image "steadfit/trainer:1": ErrImagePull: not found'), waits()
    )
    world.settle()
    assert world.run.status.phase == "Pending"
    world.run_until_due()
    assert world.run.status.failure is not None
    assert world.run.status.failure.failure_class == "Image"
    assert world.every("Job") == []


def test_a_pod_that_no_node_takes_fails_at_the_start_timeout() -> None:
    world = started()
    world.pod(conditions=[UNSCHEDULABLE])
    world.settle()
    world.run_until_due()
    assert world.run.status.failure is not None
    assert world.run.status.failure.failure_class == "Scheduling"
    assert "Insufficient memory" in world.run.status.failure.message


def test_training_that_takes_too_long_is_ended_with_the_name_of_the_clock() -> None:
    world = started()
    world.train_runs()
    world.settle()
    world.run_until_due()
    assert world.run.status.failure is not None
    assert world.run.status.failure.failure_class == "Deadline"
    assert world.run.status.failure.message == "runTimeout: train had not ended after 6h"
    assert world.every("Job") == []


def test_a_job_that_never_gets_a_pod_fails_at_the_queue_timeout() -> None:
    world = started()
    world.run_until_due()
    assert world.run.status.failure is not None
    assert world.run.status.failure.message.startswith("queueTimeout: the attempt had no pod after 24h")


def test_a_job_that_a_queue_took_from_its_node_goes_on_when_it_is_let_in_again() -> None:
    world = started()
    world.train_runs()
    world.settle()
    world.newest("Job")["spec"]["suspend"] = True
    world.remove("Pod", world.newest("Pod")["metadata"]["name"])
    world.settle()
    assert world.run.status.attempts[0].pod is None
    world.advance(hours=23)
    world.settle()
    assert len(world.run.status.attempts) == 1
    assert world.run.status.attempts[0].failure is None
    world.newest("Job")["spec"]["suspend"] = False
    world.run_well()
    assert world.run.status.phase == "Succeeded"


def test_a_store_that_went_away_holds_the_job_back_until_it_is_there_again() -> None:
    world = World()
    world.step("TrainingJob", "orders")
    world.step("TrainingJob", "orders")
    stores, world.stores = world.stores, []
    world.settle()
    assert world.every("Job") == []
    assert ready(world)[2] == "attempt 1: there is no ArtifactStore default"
    world.stores = stores
    world.settle()
    assert len(world.every("Job")) == 1


def test_a_recipe_that_changes_overtakes_the_run_and_its_job_is_ended() -> None:
    world = started()
    world.train_runs()
    world.settle()
    first = world.run.name
    world.edit(params={"depth": 9})
    world.settle()
    assert world.condition(RUN, first)[:2] == ("False", "Superseded")
    assert world.run.name != first
    assert world.run.spec.params == {"depth": 9}
    assert [job["metadata"]["name"] for job in world.every("Job")] == [f"{world.run.name}-a1"]


def test_a_run_that_is_overtaken_while_it_waits_for_a_retry_waits_no_more() -> None:
    world = started()
    world.fail(11, "away", step="fetch")
    world.settle()
    world.edit(seed=2)
    world.settle()
    first = world.runs()[0]
    assert (first.status.phase, first.status.next_attempt_at) == ("Superseded", None)
    assert len(first.status.attempts) == 1


def test_a_run_that_has_a_record_is_not_overtaken() -> None:
    world = started()
    world.train_runs()
    world.settle()
    world.post()
    world.edit(params={"depth": 9})
    world.settle()
    assert world.runs()[0].status.version == "orders-v1"
    world.end_job(COMPLETE)
    world.settle()
    assert [run.status.phase for run in world.runs()] == ["Succeeded", "Pending"]


def test_an_edit_that_is_no_input_leaves_the_run_alone() -> None:
    world = started()
    world.edit(history={"runs": 3})
    world.settle()
    assert len(world.runs()) == 1
    assert world.run.status.phase == "Pending"


def test_a_run_whose_recipe_is_gone_starts_no_further_attempt() -> None:
    world = started()
    world.fail(11, "away", step="fetch")
    world.settle()
    del world.objects["TrainingJob", "orders"]
    world.advance(minutes=5)
    world.settle()
    assert len(world.run.status.attempts) == 1


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Superseded"])
def test_a_finished_run_never_gets_a_job_again(phase: str) -> None:
    world = started()
    if phase == "Succeeded":
        world.run_well()
    elif phase == "Failed":
        world.fail(1)
    else:
        world.edit(seed=4)
    world.settle()
    run = world.runs()[0]
    assert run.status.phase == phase
    for job in world.every("Job"):
        world.remove("Job", job["metadata"]["name"])
    before = copy.deepcopy(world.objects[RUN, run.name])
    world.advance(days=30)
    world.step(RUN, run.name)
    assert world.objects[RUN, run.name] == before
    assert not [job for job in world.every("Job") if job["metadata"]["name"].startswith(run.name)]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"schemaVersion": 1}, "no version can be created from the record"),
        ({"artifact": "nothing"}, "no version can be created from the record"),
        ([], "no version can be created from the record"),
    ],
)
def test_a_record_that_fits_no_version_ends_the_run_in_a_sentence(record: Any, words: str) -> None:
    world = started()
    world.train_runs()
    world.settle()
    world.newest(RUN)["status"]["record"] = record if isinstance(record, dict) else {"data": record}
    world.settle()
    assert world.run.status.phase == "Failed"
    assert words in ready(world)[2]
    assert world.versions() == []
    assert world.every("Job") == []


def test_a_record_of_another_run_or_place_is_refused() -> None:
    for change in ({"run": {"namespace": "a", "name": "b", "uid": "c", "attempt": 1, "trainingJob": "d"}}, {}):
        world = started()
        world.train_runs()
        world.settle()
        world.post()
        posted = world.newest(RUN)["status"]["record"]
        posted.update(change)
        if not change:
            posted["artifact"]["uri"] = posted["artifact"]["uri"].replace("/orders/", "/others/")
        world.settle()
        assert world.run.status.phase == "Failed"
        assert world.versions() == []


def test_statuses_are_written_as_the_api_server_stores_them() -> None:
    world = started()
    world.train_runs()
    world.settle()
    attempt = world.newest(RUN)["status"]["attempts"][0]
    assert attempt["decidedAt"] == at()
    assert attempt["jobUid"] == world.newest("Job")["metadata"]["uid"]
    assert "failure" not in attempt
