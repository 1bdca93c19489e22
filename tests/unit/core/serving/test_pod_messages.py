"""What pods that are not ready say."""

from __future__ import annotations

from typing import Any

import pytest
from steadfit.core.serving.pod_messages import PodMessage, worst_message


def pod(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p"},
        "spec": {
            "volumes": [{"name": "c", "secret": {"secretName": "store-credentials"}}, {"name": "t", "emptyDir": {}}]
        },
        "status": status,
    }


def with_container(conditions: list[dict[str, str]] | None = None, **status: Any) -> dict[str, Any]:
    return pod(
        phase="Pending",
        conditions=conditions or [],
        containerStatuses=[{"name": "server", "ready": False, "image": "mine:1", **status}],
    )


SANDBOX = [{"type": "PodReadyToStartContainers", "status": "False"}]

CASES = [
    ("starts", pod(phase="Pending"), PodMessage("the pod is being started", False)),
    (
        "unschedulable",
        pod(
            phase="Pending",
            conditions=[{"type": "PodScheduled", "status": "False", "message": "0/2 nodes: Insufficient cpu"}],
        ),
        PodMessage("the pod cannot be scheduled: 0/2 nodes: Insufficient cpu", True),
    ),
    (
        "image missing",
        with_container(state={"waiting": {"reason": "ErrImagePull", "message": "not found"}}),
        PodMessage("image mine:1 cannot be pulled: not found", True),
    ),
    (
        "image missing, between tries",
        with_container(
            state={
                "waiting": {
                    "reason": "ImagePullBackOff",
                    "message": 'Back-off pulling image "mine:1": ErrImagePull: not found',
                }
            }
        ),
        PodMessage("image mine:1 cannot be pulled: not found", True),
    ),
    (
        "image missing, as older kubelets say it",
        with_container(state={"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "mine:1"'}}),
        PodMessage("image mine:1 cannot be pulled", True),
    ),
    (
        "Secret missing",
        with_container(SANDBOX, state={"waiting": {"reason": "ContainerCreating"}}),
        PodMessage(
            "the pod's volumes are being mounted; if this lasts, `kubectl describe pod` says whether Secret"
            " store-credentials is missing",
            False,
        ),
    ),
    (
        "container is created",
        with_container(state={"waiting": {"reason": "ContainerCreating"}}),
        PodMessage("the pod's container is being created", False),
    ),
    (
        "cannot be configured",
        with_container(state={"waiting": {"reason": "CreateContainerConfigError", "message": "no key x"}}),
        PodMessage("CreateContainerConfigError: no key x", True),
    ),
    (
        "loads",
        with_container(state={"running": {}}),
        PodMessage("the server loads its model", False),
    ),
    (
        "ended",
        with_container(state={"terminated": {"exitCode": 3, "message": "the digest does not match\n"}}),
        PodMessage("the server ended with exit code 3: the digest does not match", True),
    ),
    (
        "crashes again and again",
        with_container(
            state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting"}},
            lastState={"terminated": {"exitCode": 3, "message": "the digest does not match"}},
        ),
        PodMessage("the server ended with exit code 3: the digest does not match", True),
    ),
    (
        "runs again after a crash",
        with_container(state={"running": {}}, lastState={"terminated": {"exitCode": 1}}),
        PodMessage("the server ended with exit code 1", True),
    ),
    (
        "runs again after it gave up its store",
        with_container(
            state={"running": {}},
            lastState={
                "terminated": {"exitCode": 1, "message": "The store s3://m at http://s did not give the model."}
            },
        ),
        PodMessage("the server ended with exit code 1: The store s3://m at http://s did not give the model.", True),
    ),
    (
        "too much memory",
        with_container(state={"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
        PodMessage("the server was killed because it used more memory than resources.limits.memory", True),
    ),
    (
        "evicted",
        pod(phase="Failed", reason="Evicted", message="the node was low on memory"),
        PodMessage("the pod failed: Evicted: the node was low on memory", True),
    ),
    ("ready", pod(phase="Running", containerStatuses=[{"name": "server", "ready": True}]), None),
]


@pytest.mark.parametrize(("one", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_pod_says_why_it_is_not_ready(one: dict[str, Any], said: PodMessage | None) -> None:
    assert worst_message(None, [one]) == said


def test_a_failure_is_said_before_a_start() -> None:
    loads = with_container(state={"running": {}})
    ended = with_container(state={"terminated": {"exitCode": 3}})
    assert worst_message(None, [loads, ended]) == PodMessage("the server ended with exit code 3", True)


def test_a_deployment_that_cannot_make_pods_says_why() -> None:
    condition = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: compute"}
    said = worst_message({"status": {"conditions": [condition]}}, [])
    assert said == PodMessage("pods cannot be created: exceeded quota: compute", True)


def test_long_words_are_cut_to_their_end_where_a_traceback_has_its_cause() -> None:
    said = worst_message(
        None, [with_container(state={"terminated": {"exitCode": 1, "message": "x" * 2000 + " cause"}})]
    )
    assert said is not None
    assert len(said.text) < 600
    assert said.text.endswith("cause")


def test_the_exit_of_a_container_that_a_webhook_added_is_not_called_the_servers() -> None:
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    proxy = {"name": "proxy", "ready": False, "state": {"running": {}}, "lastState": ended}
    server = {"name": "server", "ready": True, "state": {"running": {}}}
    assert worst_message(None, [pod(containerStatuses=[proxy, server])]) == PodMessage(
        "container proxy was killed because it used more memory than its limit", True
    )
    starting = {"name": "proxy", "ready": False, "state": {"running": {}}}
    assert worst_message(None, [pod(containerStatuses=[starting, server])]) == PodMessage(
        "container proxy is not ready", False
    )


def test_the_exit_of_the_server_is_named_whatever_container_comes_first() -> None:
    proxy = {"name": "proxy", "ready": False, "state": {"running": {}}}
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    server = {"name": "server", "ready": False, "state": {"running": {}}, "lastState": ended}
    assert worst_message(None, [pod(containerStatuses=[proxy, server])]) == PodMessage(
        "the server was killed because it used more memory than resources.limits.memory", True
    )
