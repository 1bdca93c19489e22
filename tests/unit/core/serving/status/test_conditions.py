"""What the conditions say in each situation."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from steadfit.core.conditions import READY, RECONCILING, STALLED

from tests.unit.core.serving.serving_cluster import START, ServingCluster, serving
from tests.unit.core.serving.serving_cluster_objects import job


def test_before_the_first_version_a_deployment_awaits_it() -> None:
    cluster = serving()
    assert cluster.condition(READY) == ("False", "AwaitingFirstModel")
    assert cluster.condition(RECONCILING) == ("True", "AwaitingFirstModel")
    assert cluster.message(READY) == "no version of TrainingJob flights is verified yet"


def test_rejected_versions_are_counted_while_the_first_good_one_is_awaited() -> None:
    cluster = ServingCluster()
    cluster.add(1, "Rejected")
    cluster.settle()
    assert cluster.message(READY) == "no version of TrainingJob flights is verified yet; 1 rejected"


def test_the_run_that_is_to_bring_the_first_version_is_named() -> None:
    cluster = ServingCluster()
    run = {"name": "flights-1f2e3d", "inputHash": "h", "cause": {"type": "SpecChange", "key": "h"}}
    cluster.job = job() | {"status": {"activeRun": run}}
    cluster.settle()
    assert cluster.message(READY).endswith("is verified yet; TrainingRun flights-1f2e3d is in flight")


def test_with_the_policy_accepted_a_deployment_is_ready_before_the_first_version() -> None:
    cluster = serving(readyPolicy="Accepted")
    assert cluster.condition(READY) == ("True", "Accepted")
    assert cluster.condition(RECONCILING) is None


DUE = START + timedelta(seconds=60)


@pytest.mark.parametrize("policy", ["FirstModel", "Accepted"])
@pytest.mark.parametrize(
    ("age", "kind", "reason", "requeue_at", "events"),
    [
        (0, RECONCILING, "AwaitingTrainingJob", DUE, []),
        (1, RECONCILING, "AwaitingTrainingJob", DUE, []),
        (59, RECONCILING, "AwaitingTrainingJob", DUE, []),
        (60, STALLED, "TrainingJobNotFound", None, ["TrainingJobNotFound"]),
        (3600, STALLED, "TrainingJobNotFound", None, ["TrainingJobNotFound"]),
    ],
)
def test_a_missing_training_job_is_awaited_for_a_minute_and_then_stalled(
    policy: str, age: int, kind: str, reason: str, requeue_at: datetime | None, events: list[str]
) -> None:
    cluster = ServingCluster(readyPolicy=policy)
    cluster.job, cluster.now = None, START + timedelta(seconds=age)
    plan = cluster.plan()
    assert plan.requeue_at == requeue_at
    assert [event.reason for event in plan.events] == events
    cluster.deployment["status"] = plan.status
    assert cluster.plan().status == plan.status
    assert cluster.condition(READY) == ("False", reason)
    assert cluster.condition(kind) == ("True", reason)
    assert {RECONCILING, STALLED} - {kind} == {
        other for other in (RECONCILING, STALLED) if not cluster.condition(other)
    }


def test_a_pin_awaits_the_missing_training_job_for_the_same_minute() -> None:
    cluster = ServingCluster(pin={"version": 1})
    cluster.job = None
    cluster.settle()
    assert cluster.condition(RECONCILING) == ("True", "AwaitingTrainingJob")
    cluster.now = DUE
    cluster.settle()
    assert cluster.condition(STALLED) == ("True", "VersionNotFound")


def test_while_a_missing_training_job_is_awaited_the_status_rests_until_its_time() -> None:
    cluster = ServingCluster()
    cluster.job = None
    cluster.settle()
    before = cluster.deployment["status"]
    assert cluster.message(RECONCILING) == "TrainingJob flights does not exist yet"
    cluster.now = DUE - timedelta(seconds=1)
    assert cluster.plan().status == before
    cluster.now = DUE
    cluster.settle()
    assert cluster.condition(STALLED) == ("True", "TrainingJobNotFound")
    assert cluster.seen("TrainingJobNotFound") == [cluster.message(STALLED)]


@pytest.mark.parametrize("there", ["job", "version"])
def test_nothing_is_due_when_there_is_a_training_job_or_a_version_of_it(there: str) -> None:
    cluster = ServingCluster()
    if there == "version":
        cluster.job = None
        cluster.add(1, "Rejected")
    assert cluster.plan().requeue_at is None


def test_a_training_job_that_comes_within_the_minute_was_never_missing() -> None:
    cluster = ServingCluster()
    cluster.job, job = None, cluster.job
    cluster.settle()
    cluster.job = job
    cluster.settle()
    assert cluster.condition(READY) == ("False", "AwaitingFirstModel")
    assert [event for event in cluster.events if event.type == "Warning"] == []


def test_a_missing_training_job_is_stalled_and_heals() -> None:
    cluster = ServingCluster()
    cluster.job, job = None, cluster.job
    cluster.now = DUE
    cluster.settle()
    assert cluster.condition(STALLED) == ("True", "TrainingJobNotFound")
    cluster.job = job
    cluster.settle()
    assert cluster.condition(READY) == ("False", "AwaitingFirstModel")


def test_versions_go_on_serving_when_their_training_job_is_deleted() -> None:
    cluster = serving(1)
    cluster.job = None
    cluster.settle()
    assert cluster.condition(READY) == ("True", "Serving")


def test_a_first_version_that_does_not_come_up_says_what_its_pods_say() -> None:
    cluster = ServingCluster()
    cluster.add(1)
    cluster.step()
    assert cluster.status.candidate is not None
    cluster.broken.add(cluster.status.candidate.revision)
    cluster.settle()
    assert cluster.condition(READY) == ("False", "FirstRollout")
    assert cluster.condition("Progressing") == ("True", "CandidateFailing")
    assert cluster.message(READY) == (
        "version 1 comes up: 0 of 2 pods are ready: the server ended with exit code 3: the digest does not match"
    )
    assert cluster.status.candidate.message in cluster.message(READY)


def test_a_rollout_leaves_a_deployment_ready() -> None:
    cluster = serving(1)
    cluster.add(2)
    seen = set()
    for _ in range(12):
        cluster.step()
        cluster.kubelet()
        seen.add(cluster.condition(READY))
    assert cluster.live() == 2
    assert seen == {("True", "Serving")}


def test_a_failing_candidate_leaves_a_deployment_ready_and_has_its_own_condition() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.step()
    assert cluster.status.candidate is not None
    cluster.broken.add(cluster.status.candidate.revision)
    cluster.settle()
    assert cluster.condition(READY) == ("True", "Serving")
    assert cluster.condition("Progressing") == ("True", "CandidateFailing")
    assert cluster.status.candidate.message.endswith("the digest does not match")


def test_without_a_ready_pod_a_deployment_is_not_ready_and_heals() -> None:
    cluster = serving(1)
    cluster.broken.update(cluster.moves)
    cluster.kubelet()
    cluster.settle()
    assert cluster.condition(READY) == ("False", "NoReadyPods")
    assert cluster.condition("Serving") == ("False", "NoReadyPods")
    assert cluster.message(READY).endswith("the digest does not match")
    cluster.broken.clear()
    cluster.kubelet()
    cluster.settle()
    assert cluster.condition(READY) == ("True", "Serving")


def test_with_fewer_ready_pods_than_wished_a_deployment_is_ready_and_says_so() -> None:
    cluster = serving(1)
    cluster.half.update(cluster.moves)
    cluster.kubelet()
    cluster.settle()
    assert cluster.condition(READY) == ("True", "Serving")
    assert cluster.condition("PodsReady") == ("False", "PodsNotReady")
    assert cluster.message("PodsReady").startswith("1 of 2 pods of version 1 are ready: ")


def test_a_service_of_someone_else_is_stalled_and_never_touched() -> None:
    cluster = ServingCluster()
    foreign = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "flights", "namespace": "shop", "uid": "foreign", "resourceVersion": "9"},
        "spec": {"selector": {"app": "theirs"}},
    }
    cluster.service = dict(foreign)
    cluster.add(1)
    cluster.settle()
    assert cluster.condition(STALLED) == ("True", "ServiceNotOwned")
    assert cluster.service == foreign
    cluster.service = None
    cluster.settle()
    assert cluster.condition(READY) == ("True", "Serving")


def test_every_condition_speaks_of_the_generation_that_was_seen() -> None:
    cluster = serving(1)
    cluster.edit(pin={"version": 1})
    cluster.settle()
    assert cluster.status.observed_generation == 2
    assert {condition.observed_generation for condition in cluster.status.conditions} == {2}


def test_status_shows_the_pods_of_the_live_revision_and_no_others() -> None:
    cluster = serving(1, replicas=3)
    cluster.add(2)
    for _ in range(2):
        cluster.step()
    cluster.kubelet()
    cluster.step()
    status = cluster.plan().status
    assert status["replicas"] == 3
    assert status["selector"] == (
        f"steadfit.dev/model-deployment=flights,steadfit.dev/revision={status['live']['revision']}"
    )
    assert status["url"] == "http://flights.shop.svc"


def test_before_the_first_version_the_selector_matches_no_pod_and_is_not_empty() -> None:
    cluster = ServingCluster()
    cluster.add(1)
    cluster.step()
    assert cluster.status.selector == "steadfit.dev/model-deployment=flights,steadfit.dev/revision=none"
    assert cluster.status.replicas == 0
    assert cluster.status.url is None


def test_transition_times_stay_while_the_status_of_a_condition_stays() -> None:
    cluster = serving(1)
    before = {condition.type: condition.last_transition_time for condition in cluster.status.conditions}
    cluster.add(2)
    cluster.settle()
    after = {condition.type: condition.last_transition_time for condition in cluster.status.conditions}
    assert before["Ready"] == after["Ready"]


def stalled_job(generation: int = 1, observed: int = 1) -> dict[str, object]:
    """Return a TrainingJob whose only run has failed."""
    stall = {
        "type": "Stalled",
        "status": "True",
        "reason": "UserError",
        "message": "run a failed: no such column: late",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": observed,
    }
    made = job()
    made["metadata"]["generation"] = generation
    return {**made, "status": {"conditions": [stall], "observedGeneration": observed}}


def test_a_run_that_failed_reaches_who_waits_for_the_deployment() -> None:
    cluster = ServingCluster()
    cluster.job = stalled_job()
    cluster.settle()
    assert cluster.condition(STALLED) == ("True", "TrainingJobStalled")
    assert cluster.message(READY) == "TrainingJob flights brings no version: run a failed: no such column: late"
    assert cluster.seen("TrainingJobStalled") == [cluster.message(READY)]
    cluster.job = stalled_job(generation=2)
    cluster.settle()
    assert cluster.condition(RECONCILING) == ("True", "AwaitingFirstModel"), "the recipe was corrected since"


def test_a_run_that_failed_does_not_touch_a_deployment_that_serves_or_need_not_wait() -> None:
    cluster = serving(1)
    cluster.job = stalled_job()
    cluster.settle()
    assert cluster.condition(READY) == ("True", "Serving")
    cluster = ServingCluster(readyPolicy="Accepted")
    cluster.job = stalled_job()
    cluster.settle()
    assert cluster.condition(READY) == ("True", "Accepted")
