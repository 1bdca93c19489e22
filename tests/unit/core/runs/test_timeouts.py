from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from steadfit.api.runinputs import Limits
from steadfit.api.trainingrun import Attempt
from steadfit.core.runs import timeouts
from steadfit.core.runs.runtime.pod_view import parse

from tests.unit.core.training.builders import NOW, UNSCHEDULABLE, ended, pod, running, waits

LIMITS = Limits(queue_timeout="24h", start_timeout="10m", run_timeout="1h")


def attempt(**fields: Any) -> Attempt:
    return Attempt(number=1, job="orders-0123456789-a1", decided_at=NOW - timedelta(minutes=40), **fields)


def due(manifest: dict[str, Any] | None, **fields: Any) -> list[tuple[float, str, str]]:
    """Return (minutes from NOW, class, message) of each clock that runs."""
    found = timeouts.running(attempt(**fields), parse(manifest) if manifest else None, LIMITS)
    return [
        ((clock.due - NOW).total_seconds() / 60, clock.failure.failure_class, clock.failure.message) for clock in found
    ]


def test_the_queue_clock_runs_from_the_decision_until_there_is_a_pod() -> None:
    assert due(None, message="Job a is suspended: it waits in its queue") == [
        (
            24 * 60 - 40,
            "Deadline",
            "queueTimeout: the attempt had no pod after 24h: Job a is suspended: it waits in its queue",
        )
    ]


def test_the_start_clock_runs_from_the_pod_until_its_first_step_starts() -> None:
    assert due(pod(waits("ContainerCreating"), waits(), created={"minutes": 4})) == [
        (6, "Deadline", "startTimeout: fetch did not start within 10m")
    ]


def test_the_start_clock_names_the_secrets_of_a_pod_without_volumes() -> None:
    without = pod(
        waits("PodInitializing"),
        waits(),
        created={"minutes": 4},
        conditions=[{"type": "PodReadyToStartContainers", "status": "False"}],
    )
    ((_, failure_class, message),) = due(without)
    assert failure_class == "Deadline"
    assert message == (
        "startTimeout: fetch did not start within 10m: the pod's volumes are being mounted; if this lasts,"
        " `kubectl describe pod` says whether Secret model-keys or Secret lake-keys is missing"
    )


def test_a_pod_that_no_node_takes_fails_as_scheduling() -> None:
    assert due(pod(conditions=[UNSCHEDULABLE], created={"minutes": 4})) == [
        (
            6,
            "Scheduling",
            "the pod cannot be scheduled: 0/2 nodes are available: 2 Insufficient memory. (for 10m, startTimeout)",
        )
    ]


def test_an_image_that_cannot_be_pulled_has_two_minutes() -> None:
    pulling = pod(waits("ImagePullBackOff", "not found"), waits(), created={"minutes": 4})
    first, second = due(pulling, waiting_since=NOW - timedelta(minutes=1), message="the image cannot be pulled")
    assert first == (1, "Image", "the image cannot be pulled")
    assert second[:2] == (6, "Deadline")


def test_each_step_has_the_start_clock_from_the_end_of_the_one_before() -> None:
    fetched = pod(ended(0, finished={"minutes": 3}), waits("PodInitializing"), created={"minutes": 300})
    assert due(fetched) == [(7, "Deadline", "startTimeout: train did not start within 10m")]


def test_a_step_that_cannot_be_created_ends_with_the_kubelets_words() -> None:
    stuck = pod(waits("CreateContainerConfigError", 'secret "keys" not found'), waits(), created={"minutes": 3})
    ((_, _, message),) = due(stuck)
    assert message.endswith('fetch cannot start: CreateContainerConfigError: secret "keys" not found')


def test_the_run_clock_runs_while_train_does() -> None:
    assert due(pod(ended(0), running(minutes=50))) == [(10, "Deadline", "runTimeout: train had not ended after 1h")]


@pytest.mark.parametrize(
    "manifest",
    [
        pod(running(minutes=500), waits()),
        pod(ended(0), ended(0), running(minutes=500), phase="Running"),
        pod(ended(0), ended(0), ended(0), phase="Succeeded"),
    ],
)
def test_fetch_and_publish_keep_their_own_time(manifest: dict[str, Any]) -> None:
    assert due(manifest) == []


def test_the_first_clock_whose_time_is_up_is_the_failure() -> None:
    times = timeouts.running(attempt(), parse(pod(created={"minutes": 4})), LIMITS)
    assert timeouts.expired(times, NOW) is None
    late = timeouts.expired(times, NOW + timedelta(minutes=6))
    assert late is not None
    assert late.failure_class == "Deadline"
