from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from steadfit.api.trainingrun import Attempt
from steadfit.core.runs import progress
from steadfit.core.runs.runtime import pods
from steadfit.core.runs.runtime.pod_view import parse

from tests.unit.core.training.builders import NOW, UNSCHEDULABLE, at, attempt_job, ended, pod, running, waits

JSON = dict[str, Any]

NOT_FOUND = 'failed to resolve reference "shop/train:1": not found'
BACK_OFF = f'Back-off pulling image "shop/train:1": ErrImagePull: {NOT_FOUND}'


def attempt(**fields: Any) -> Attempt:
    return Attempt(**{"number": 1, "job": "orders-0123456789-a1", "decided_at": NOW - timedelta(minutes=40), **fields})


def follow(
    manifest: JSON | None, before: Attempt | None = None, minutes: float = 0, refusal: str = "", **spec: Any
) -> Attempt:
    job = {**attempt_job(), "spec": spec}
    seen = parse(manifest) if manifest else None
    return progress.follow(before or attempt(), job, seen, refusal, NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("manifest", "phase"),
    [
        (None, "Pending"),
        (pod(), "Pending"),
        (pod(waits("PodInitializing"), waits()), "Pending"),
        (pod(running(minutes=1), waits()), "Fetching"),
        (pod(ended(0), waits()), "Fetching"),
        (pod(ended(0), running(minutes=1)), "Training"),
        (pod(ended(0), ended(0), running(minutes=1), phase="Running"), "Publishing"),
    ],
)
def test_the_phase_is_the_step_at_work(manifest: JSON | None, phase: str) -> None:
    assert follow(manifest).phase == phase


def test_times_and_the_resolved_image_are_kept_from_the_pod() -> None:
    seen = follow(pod(ended(0), ended(0, finished={"minutes": 7}), running(minutes=6), phase="Running"))
    assert seen.job_uid == "job-1"
    assert seen.pod == "orders-0123456789-a1-x7k2p"
    assert seen.pod_created_at == NOW - timedelta(minutes=35)
    assert seen.started_at == NOW - timedelta(minutes=30)
    assert seen.train_started_at == NOW - timedelta(minutes=30)
    assert seen.train_finished_at == NOW - timedelta(minutes=7)
    assert seen.image_id == "registry/shop/train@sha256:aa"


def test_a_container_that_never_started_has_no_time_of_1970() -> None:
    never = ended(128, "exec failed", reason="StartError")
    never["state"]["terminated"]["startedAt"] = "1970-01-01T00:00:00Z"
    assert follow(pod(ended(0), never, phase="Failed")).train_started_at is None


def test_the_image_clock_goes_on_while_the_two_reasons_take_turns() -> None:
    first = follow(pod(ended(0), waits("ErrImagePull", NOT_FOUND)))
    second = follow(pod(ended(0), waits("ImagePullBackOff", BACK_OFF)), first, minutes=1)
    third = follow(pod(ended(0), waits("ErrImagePull", NOT_FOUND)), second, minutes=2)
    assert first == second == third
    assert first.waiting_since == NOW
    assert first.message == f"the image shop/train:1 of train cannot be pulled: {NOT_FOUND}"


def test_a_back_off_that_does_not_repeat_the_cause_does_not_make_us_forget_it() -> None:
    first = follow(pod(ended(0), waits("ErrImagePull", NOT_FOUND)))
    second = follow(pod(ended(0), waits("ImagePullBackOff", 'Back-off pulling image "shop/train:1"')), first, minutes=1)
    assert second.message == first.message


def test_an_image_that_is_pulled_in_the_end_is_no_trouble_any_more() -> None:
    first = follow(pod(ended(0), waits("ErrImagePull", NOT_FOUND)))
    healed = follow(pod(ended(0), running(seconds=1)), first, minutes=1)
    assert healed.waiting_since is None
    assert healed.message == ""


def test_the_image_of_train_has_its_own_clock_after_that_of_fetch() -> None:
    fetching = follow(pod(waits("ErrImagePull", "x"), waits()), minutes=-10)
    training = follow(pod(ended(0, finished={"minutes": 1}), waits("ErrImagePull", NOT_FOUND)), fetching)
    assert fetching.waiting_since == NOW - timedelta(minutes=10)
    assert training.waiting_since == NOW


def test_time_without_a_node_is_not_time_of_the_image() -> None:
    homeless = follow(pod(conditions=[UNSCHEDULABLE]), minutes=-10)
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": at(minutes=1)}
    pulling = follow(pod(waits("ErrImagePull", "x"), waits(), conditions=[scheduled]), homeless)
    assert homeless.waiting_since == NOW - timedelta(minutes=10)
    assert pulling.waiting_since == NOW


def test_a_missing_secret_is_told_in_the_kubelets_words_and_heals() -> None:
    missing = follow(pod(waits("CreateContainerConfigError", 'secret "keys" not found'), waits()))
    assert missing.message == 'fetch cannot start: CreateContainerConfigError: secret "keys" not found'
    assert follow(pod(running(seconds=1), waits()), missing).message == ""


def test_an_attempt_without_a_pod_says_so() -> None:
    assert follow(None).message == "waits for the pod of Job orders-0123456789-a1; its events say more"


def test_a_job_that_a_queue_suspends_queues_anew() -> None:
    trained = follow(pod(ended(0), running(minutes=5)))
    job = {**attempt_job(), "spec": {"suspend": True}}
    assert pods.pod_of(job, [pod(ended(0), running(minutes=5))]) is None
    queued = progress.follow(trained, job, None, "", NOW)
    assert (queued.phase, queued.pod, queued.decided_at, queued.job_uid) == ("Pending", None, NOW, "job-1")
    assert "waits in its queue" in queued.message
    assert progress.follow(queued, job, None, "", NOW + timedelta(hours=1)) == queued


def test_the_newest_pod_of_a_job_counts_and_no_others() -> None:
    old = pod(created={"minutes": 50}, name="old")
    foreign = pod(attempt=2, created={"minutes": 1})
    found = pods.pod_of(attempt_job(), [pod(), old, foreign])
    assert found is not None
    assert found.created_at == NOW - timedelta(minutes=35)


def test_a_refused_pod_keeps_its_words_and_since_when_until_it_exists() -> None:
    refused = follow(None, refusal="no PriorityClass with name gpu was found")
    assert refused.message == "the pod of Job orders-0123456789-a1 is refused: no PriorityClass with name gpu was found"
    assert refused.waiting_since == NOW
    assert follow(None, refused, minutes=5) == refused, "a new leader has not read the cause yet"
    later = follow(None, refused, minutes=6, refusal="exceeded quota: compute")
    assert (later.waiting_since, later.message[-23:]) == (NOW, "exceeded quota: compute")
    created = follow(pod(), later, minutes=7)
    assert (created.waiting_since, created.message) == (None, "")
