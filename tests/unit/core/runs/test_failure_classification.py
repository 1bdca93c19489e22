from __future__ import annotations

from typing import Any

import pytest
from steadfit.core.runs.failure_classification import RETRYABLE, classify
from steadfit.core.runs.runtime.pod_view import parse

from tests.unit.core.training.builders import UNSCHEDULABLE, at, disruption, ended, pod, running, waits

TRACEBACK = """Traceback (most recent call last):
  File "/app/train.py", line 12, in <module>
    raise ValueError("no such column: late")
ValueError: no such column: late
"""

JSON = dict[str, Any]


def verdict(manifest: JSON) -> tuple[str, str]:
    found = classify(parse(manifest))
    assert found is not None
    return found.failure_class, found.message


OOM = "OOMKilled"

CASES: dict[str, tuple[JSON, str, str]] = {
    "train was killed for memory": (
        pod(ended(0), ended(137, reason=OOM), phase="Failed"),
        "OutOfMemory",
        "train ran out of memory: the kernel killed a process of it (exit code 137)",
    ),
    "a child of train was killed for memory and train exited with 1": (
        pod(ended(0), ended(1, reason=OOM), phase="Failed"),
        "OutOfMemory",
        "(exit code 1)",
    ),
    "a child of train was killed for memory, train exited with 0 and the pod stays PodInitializing": (
        pod(ended(0), ended(0, reason=OOM), waits("PodInitializing"), phase="Pending"),
        "OutOfMemory",
        "(exit code 0)",
    ),
    "publish was killed for memory": (
        pod(ended(0), ended(0), ended(137, reason=OOM), phase="Failed"),
        "OutOfMemory",
        "publish ran out of memory",
    ),
    "train raised": (
        pod(ended(0), ended(1, TRACEBACK), phase="Failed"),
        "UserError",
        "train ended with exit code 1:",
    ),
    "train left no words": (
        pod(ended(0), ended(3), phase="Failed"),
        "UserError",
        "train ended with exit code 3 and left no message",
    ),
    "train's command does not exist": (
        pod(
            ended(0),
            ended(128, 'exec: "trian": executable file not found in $PATH: unknown', reason="StartError"),
            phase="Failed",
        ),
        "UserError",
        'exec: "trian": executable file not found',
    ),
    "train wrote no model": (
        pod(ended(0), ended(0), ended(12, "there is no model in /steadfit/output"), phase="Failed"),
        "UserError",
        "publish ended with exit code 12: there is no model in /steadfit/output",
    ),
    "the workspace is full, which is no disruption": (
        pod(
            ended(0),
            ended(137),
            phase="Failed",
            reason="Evicted",
            message='Usage of EmptyDir volume "workspace" exceeds the limit "10Gi". ',
        ),
        "UserError",
        'the pod was evicted: Usage of EmptyDir volume "workspace" exceeds the limit "10Gi".',
    ),
    "the data is not what it should be": (
        pod(ended(10, "orders: the digest is sha256:bb, not sha256:aa"), waits(), phase="Failed"),
        "Data",
        "fetch ended with exit code 10: orders: the digest is",
    ),
    "the store refuses fetch": (
        pod(ended(11, "s3://lake: access denied"), waits(), phase="Failed"),
        "Store",
        "s3://lake: access denied",
    ),
    "the store is gone when publish writes": (
        pod(ended(0), ended(0), ended(11, "s3://models: connection refused"), phase="Failed"),
        "Store",
        "connection refused",
    ),
    "an image name that can never be one": (
        pod(waits("InvalidImageName", "couldn't parse image name: invalid reference format"), waits()),
        "Image",
        "is not the name of an image: couldn't parse image name",
    ),
    "the node is drained while train runs, and train exits by the signal": (
        pod(
            ended(0),
            ended(143, finished={"minutes": 4}),
            phase="Failed",
            conditions=[disruption("EvictionByEvictionAPI", {"minutes": 5})],
        ),
        "Infrastructure",
        "the pod was disrupted: EvictionByEvictionAPI",
    ),
    "the node is lost and the pod hangs": (
        pod(
            ended(0),
            running(minutes=20),
            phase="Running",
            conditions=[disruption()],
            deletionTimestamp=at(minutes=4),
            deletionGracePeriodSeconds=30,
        ),
        "Infrastructure",
        "DeletionByTaintManager",
    ),
    "somebody deletes the pod and train exits by the signal": (
        pod(
            ended(0),
            ended(143, finished={"minutes": 4}),
            phase="Failed",
            deletionTimestamp=at(minutes=4),
            deletionGracePeriodSeconds=30,
        ),
        "Infrastructure",
        "the pod was deleted",
    ),
    "the pod is deleted after train had failed of itself": (
        pod(
            ended(0),
            ended(1, "boom", finished={"minutes": 9}),
            phase="Failed",
            deletionTimestamp=at(minutes=4),
            deletionGracePeriodSeconds=30,
        ),
        "UserError",
        "boom",
    ),
    "the node restarted and its kubelet lost the container": (
        pod(ended(0), ended(137, "The container could not be located", "ContainerStatusUnknown"), phase="Failed"),
        "Infrastructure",
        "The container could not be located",
    ),
    "the kubelet refuses the pod": (
        pod(phase="Failed", reason="UnexpectedAdmissionError", message="Allocate failed due to no devices"),
        "Infrastructure",
        "the pod failed: UnexpectedAdmissionError: Allocate failed due to no devices",
    ),
    "the node controller calls the pod lost": (
        pod(ended(0), running(minutes=20), phase="Unknown", reason="NodeLost"),
        "Infrastructure",
        "NodeLost",
    ),
    "fetch is killed by a signal": (pod(ended(139), waits(), phase="Failed"), "Infrastructure", "fetch ended"),
    "fetch can't be started": (pod(ended(128, reason="StartError"), waits()), "Infrastructure", "fetch ended"),
    "fetch raises": (pod(ended(1, "KeyError: 'x'"), waits(), phase="Failed"), "Internal", "fetch ended"),
    "publish raises": (
        pod(ended(0), ended(0), ended(1, "Internal: ValueError: greater than 1"), phase="Failed"),
        "Internal",
        "publish ended with exit code 1: Internal: ValueError: greater than 1",
    ),
    "publish raises because its node is drained": (
        pod(
            ended(0),
            ended(0),
            ended(1, "KeyboardInterrupt", finished={"minutes": 4}),
            phase="Failed",
            conditions=[disruption("EvictionByEvictionAPI", {"minutes": 5})],
        ),
        "Infrastructure",
        "the pod was disrupted",
    ),
    "fetch uses a code of publish": (pod(ended(12), waits(), phase="Failed"), "Internal", "fetch ended"),
    "publish uses a code of fetch": (
        pod(ended(0), ended(0), ended(10), phase="Failed"),
        "Internal",
        "publish ended",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_failure_has_the_class_of_the_table_and_the_pods_own_words(case: str) -> None:
    manifest, expected, words = CASES[case]
    failure_class, message = verdict(manifest)
    assert failure_class == expected
    assert words in message


def test_memory_comes_before_every_other_line_of_the_table() -> None:
    killed = pod(ended(11, "no store", reason=OOM), waits(), phase="Failed", conditions=[disruption()])
    assert verdict(killed)[0] == "OutOfMemory"


@pytest.mark.parametrize(
    "manifest",
    [
        pod(),
        pod(conditions=[UNSCHEDULABLE]),
        pod(waits("ContainerCreating"), waits()),
        pod(waits("ErrImagePull", "not found"), waits()),
        pod(waits("CreateContainerConfigError", 'secret "keys" not found'), waits()),
        pod(running(minutes=1), waits()),
        pod(ended(0), waits()),
        pod(ended(0), running(minutes=1)),
        pod(ended(0), ended(0), running(minutes=1), phase="Running"),
        pod(ended(0), ended(0), ended(0), phase="Succeeded"),
    ],
)
def test_a_pod_that_may_still_succeed_has_not_failed(manifest: JSON) -> None:
    assert classify(parse(manifest)) is None


def test_a_pod_that_succeeded_does_not_fail_by_being_cleaned_up() -> None:
    done = pod(ended(0), ended(0), ended(0), phase="Succeeded", deletionTimestamp=at(minutes=1))
    assert classify(parse(done)) is None


def test_only_failures_of_the_surroundings_are_tried_again() -> None:
    assert {"Store", "Infrastructure"} == RETRYABLE


def test_a_traceback_is_told_by_its_last_lines() -> None:
    _, message = verdict(pod(ended(0), ended(1, TRACEBACK), phase="Failed"))
    assert message.endswith('raise ValueError("no such column: late") | ValueError: no such column: late')
    assert "Traceback" not in message
