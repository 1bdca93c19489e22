"""What the conditions say in each situation."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from steadfit.core.conditions import READY, RECONCILING, STALLED

from tests.unit.core.serving.serving_cluster import START, World, serving


def test_before_the_first_version_a_deployment_awaits_it() -> None:
    world = serving()
    assert world.condition(READY) == ("False", "AwaitingFirstModel")
    assert world.condition(RECONCILING) == ("True", "AwaitingFirstModel")
    assert world.message(READY) == "no version of TrainingJob flights is verified yet"


def test_rejected_versions_are_counted_while_the_first_good_one_is_awaited() -> None:
    world = World()
    world.add(1, "Rejected")
    world.settle()
    assert world.message(READY) == "no version of TrainingJob flights is verified yet; 1 rejected"


def test_with_the_policy_accepted_a_deployment_is_ready_before_the_first_version() -> None:
    world = serving(readyPolicy="Accepted")
    assert world.condition(READY) == ("True", "Accepted")
    assert world.condition(RECONCILING) is None


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
    world = World(readyPolicy=policy)
    world.job, world.now = None, START + timedelta(seconds=age)
    plan = world.plan()
    assert plan.requeue_at == requeue_at
    assert [event.reason for event in plan.events] == events
    world.deployment["status"] = plan.status
    assert world.plan().status == plan.status
    assert world.condition(READY) == ("False", reason)
    assert world.condition(kind) == ("True", reason)
    assert {RECONCILING, STALLED} - {kind} == {other for other in (RECONCILING, STALLED) if not world.condition(other)}


def test_a_pin_awaits_the_missing_training_job_for_the_same_minute() -> None:
    world = World(pin={"version": 1})
    world.job = None
    world.settle()
    assert world.condition(RECONCILING) == ("True", "AwaitingTrainingJob")
    world.now = DUE
    world.settle()
    assert world.condition(STALLED) == ("True", "VersionNotFound")


def test_while_a_missing_training_job_is_awaited_the_status_rests_until_its_time() -> None:
    world = World()
    world.job = None
    world.settle()
    before = world.deployment["status"]
    assert world.message(RECONCILING) == "TrainingJob flights does not exist yet"
    world.now = DUE - timedelta(seconds=1)
    assert world.plan().status == before
    world.now = DUE
    world.settle()
    assert world.condition(STALLED) == ("True", "TrainingJobNotFound")
    assert world.seen("TrainingJobNotFound") == [world.message(STALLED)]


@pytest.mark.parametrize("there", ["job", "version"])
def test_nothing_is_due_when_there_is_a_training_job_or_a_version_of_it(there: str) -> None:
    world = World()
    if there == "version":
        world.job = None
        world.add(1, "Rejected")
    assert world.plan().requeue_at is None


def test_a_training_job_that_comes_within_the_minute_was_never_missing() -> None:
    world = World()
    world.job, job = None, world.job
    world.settle()
    world.job = job
    world.settle()
    assert world.condition(READY) == ("False", "AwaitingFirstModel")
    assert [event for event in world.events if event.type == "Warning"] == []


def test_a_missing_training_job_is_stalled_and_heals() -> None:
    world = World()
    world.job, job = None, world.job
    world.now = DUE
    world.settle()
    assert world.condition(STALLED) == ("True", "TrainingJobNotFound")
    world.job = job
    world.settle()
    assert world.condition(READY) == ("False", "AwaitingFirstModel")


def test_versions_go_on_serving_when_their_training_job_is_deleted() -> None:
    world = serving(1)
    world.job = None
    world.settle()
    assert world.condition(READY) == ("True", "Serving")


def test_a_first_version_that_does_not_come_up_says_what_its_pods_say() -> None:
    world = World()
    world.add(1)
    world.step()
    assert world.status.candidate is not None
    world.broken.add(world.status.candidate.revision)
    world.settle()
    assert world.condition(READY) == ("False", "FirstRollout")
    assert world.condition("Progressing") == ("True", "CandidateFailing")
    assert world.message(READY) == (
        "version 1 comes up: 0 of 2 pods are ready: the server ended with exit code 3: the digest does not match"
    )
    assert world.status.candidate.message in world.message(READY)


def test_a_rollout_leaves_a_deployment_ready() -> None:
    world = serving(1)
    world.add(2)
    seen = set()
    for _ in range(12):
        world.step()
        world.kubelet()
        seen.add(world.condition(READY))
    assert world.live() == 2
    assert seen == {("True", "Serving")}


def test_a_failing_candidate_leaves_a_deployment_ready_and_has_its_own_condition() -> None:
    world = serving(1)
    world.add(2)
    world.step()
    assert world.status.candidate is not None
    world.broken.add(world.status.candidate.revision)
    world.settle()
    assert world.condition(READY) == ("True", "Serving")
    assert world.condition("Progressing") == ("True", "CandidateFailing")
    assert world.status.candidate.message.endswith("the digest does not match")


def test_without_a_ready_pod_a_deployment_is_not_ready_and_heals() -> None:
    world = serving(1)
    world.broken.update(world.moves)
    world.kubelet()
    world.settle()
    assert world.condition(READY) == ("False", "NoReadyPods")
    assert world.condition("Serving") == ("False", "NoReadyPods")
    assert world.message(READY).endswith("the digest does not match")
    world.broken.clear()
    world.kubelet()
    world.settle()
    assert world.condition(READY) == ("True", "Serving")


def test_with_fewer_ready_pods_than_wished_a_deployment_is_ready_and_says_so() -> None:
    world = serving(1)
    world.half.update(world.moves)
    world.kubelet()
    world.settle()
    assert world.condition(READY) == ("True", "Serving")
    assert world.condition("PodsReady") == ("False", "PodsNotReady")
    assert world.message("PodsReady").startswith("1 of 2 pods of version 1 are ready: ")


def test_a_service_of_someone_else_is_stalled_and_never_touched() -> None:
    world = World()
    foreign = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "flights", "namespace": "shop", "uid": "foreign", "resourceVersion": "9"},
        "spec": {"selector": {"app": "theirs"}},
    }
    world.service = dict(foreign)
    world.add(1)
    world.settle()
    assert world.condition(STALLED) == ("True", "ServiceNotOwned")
    assert world.service == foreign
    world.service = None
    world.settle()
    assert world.condition(READY) == ("True", "Serving")


def test_every_condition_speaks_of_the_generation_that_was_seen() -> None:
    world = serving(1)
    world.edit(pin={"version": 1})
    world.settle()
    assert world.status.observed_generation == 2
    assert {condition.observed_generation for condition in world.status.conditions} == {2}


def test_status_shows_the_pods_of_the_live_revision_and_no_others() -> None:
    world = serving(1, replicas=3)
    world.add(2)
    for _ in range(2):
        world.step()
    world.kubelet()
    world.step()
    status = world.plan().status
    assert status["replicas"] == 3
    assert status["selector"] == (
        f"steadfit.dev/model-deployment=flights,steadfit.dev/revision={status['live']['revision']}"
    )
    assert status["url"] == "http://flights.shop.svc"


def test_before_the_first_version_the_selector_matches_no_pod_and_is_not_empty() -> None:
    world = World()
    world.add(1)
    world.step()
    assert world.status.selector == "steadfit.dev/model-deployment=flights,steadfit.dev/revision=none"
    assert world.status.replicas == 0
    assert world.status.url is None


def test_transition_times_stay_while_the_status_of_a_condition_stays() -> None:
    world = serving(1)
    before = {condition.type: condition.last_transition_time for condition in world.status.conditions}
    world.add(2)
    world.settle()
    after = {condition.type: condition.last_transition_time for condition in world.status.conditions}
    assert before["Ready"] == after["Ready"]


def test_before_the_first_model_it_says_how_many_versions_wait_for_a_person() -> None:
    world = World()
    world.add(1, "Rejected")
    world.add(2, "Held")
    world.settle()
    assert world.message("Ready").endswith("is verified yet; 1 rejected; 1 held until somebody pins or promotes one")
