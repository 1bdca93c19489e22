"""What happens when something that everything stands on goes away: the operator, a node, the store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.kubectl import Kubectl, Manifest, condition, ticks
from tests.support.traffic import Traffic

from .recipes import (
    SLEEP,
    act,
    ended,
    infer,
    live,
    model_deployment,
    put_rows,
    request,
    trained,
    training_job,
)

pytestmark = pytest.mark.disruptive

OPERATOR = Kubectl("steadfit-system")
SELECTOR = "app.kubernetes.io/name=steadfit,app.kubernetes.io/component=operator"
WORKER = "steadfit-worker"


def kill_operator() -> None:
    """Kill every pod of the operator without a chance to say goodbye."""
    OPERATOR.run("delete", "pod", "-l", SELECTOR, "--grace-period=0", "--force")


@pytest.fixture(autouse=True)
def _operator_is_back() -> Iterator[None]:
    yield
    OPERATOR.run("rollout", "status", "deployment/steadfit-operator", "--timeout=120s")


@contextmanager
def scaled_down(kubectl: Kubectl, deployment: str) -> Iterator[None]:
    """Take a Deployment of one pod away for a while."""
    kubectl.run("scale", "deployment", deployment, "--replicas=0")
    kubectl.run("wait", "pod", "--for=delete", "--all", "--timeout=60s")
    try:
        yield
    finally:
        kubectl.run("scale", "deployment", deployment, "--replicas=1")
        kubectl.run("rollout", "status", f"deployment/{deployment}", "--timeout=120s")


Step = Callable[[Kubectl, Manifest, int], bool]


def selected(kubectl: Kubectl) -> str:
    service = kubectl.get("service", "model")
    assert service is not None
    revision: str = service["spec"]["selector"]["steadfit.dev/revision"]
    return revision


def _replicas(kubectl: Kubectl, revision: str) -> int:
    workload = kubectl.get("deployment", f"model-{revision}")
    return int(workload["spec"]["replicas"]) if workload else 0


STEPS: dict[str, Step] = {
    "the action is there": lambda k, d, n: True,
    "the candidate is decided": lambda k, d, n: "candidate" in d["status"] or d["status"]["live"]["number"] == n,
    "its Deployment is there": lambda k, d, n: (
        d["status"]["live"]["number"] == n or _replicas(k, d["status"].get("candidate", {}).get("revision", "")) > 0
    ),
    "it is live": lambda k, d, n: d["status"]["live"]["number"] == n,
    "the Service points at it": lambda k, d, n: (
        d["status"]["live"]["number"] == n and selected(k) == d["status"]["live"]["revision"]
    ),
}


@pytest.mark.timeout(600)
def test_a_swap_completes_without_a_failed_request_wherever_the_operator_is_killed(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0, 0.1)
    namespace.apply(model_deployment(replicas=1))
    live(namespace, 2)
    url = f"http://model.{namespace.namespace}.svc/v2/models/model/infer"
    traffic = Traffic.start(namespace, images["server"], url, request(), rate=50)
    moves: list[tuple[str, float]] = []
    for number, (name, step) in enumerate(STEPS.items()):
        target = number % 2 + 1
        act(namespace, "Pin", version=target)
        for _ in ticks(60, interval=0.05):
            deployment = namespace.get("modeldeployment", "model")
            assert deployment is not None
            if step(namespace, deployment, target):
                break
        moves.append((name, time.time()))
        kill_operator()
        moved = live(namespace, target, timeout=120)
        for _ in ticks(30):
            if selected(namespace) == moved["status"]["live"]["revision"]:
                break
        assert selected(namespace) == moved["status"]["live"]["revision"]
    failures = [record for record in traffic.records() if record.error]
    report = traffic.stop()
    assert failures == [], moves
    assert report["failed"] == 0, report


def test_serving_goes_on_while_the_operator_is_away(namespace: Kubectl, store: str, images: dict[str, str]) -> None:
    trained(namespace, images["flights-train"], store, 1.0)
    namespace.apply(model_deployment())
    live(namespace, 1)
    with scaled_down(OPERATOR, "steadfit-operator"):
        for _ in ticks(5):
            assert infer(namespace)["model_version"] == "1"


@pytest.mark.timeout(400)
def test_a_drained_node_is_no_fault_of_the_run_and_it_is_tried_again(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    put_rows(store)
    on_worker = {"nodeSelector": {"kubernetes.io/hostname": WORKER}}
    namespace.apply(training_job(images["flights-train"], store, SLEEP, pod=on_worker))
    run = namespace.wait_for("trainingjob", "model", lambda j: j["status"].get("activeRun"))["status"]["activeRun"]
    namespace.wait_for(
        "trainingrun", run["name"], lambda r: r["status"]["attempts"][-1]["phase"] == "Training", timeout=120
    )
    try:
        Kubectl().run("drain", WORKER, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=90s")
        failed = namespace.wait_for(
            "trainingrun", run["name"], lambda r: "failure" in r["status"]["attempts"][0], timeout=90
        )
        assert failed["status"]["attempts"][0]["failure"]["class"] == "Infrastructure", failed["status"]
        assert failed["status"]["phase"] != "Failed"
    finally:
        Kubectl().run("uncordon", WORKER)
    namespace.wait_for(
        "trainingrun",
        run["name"],
        lambda r: len(r["status"]["attempts"]) == 2 and r["status"]["attempts"][1]["phase"] == "Training",
        timeout=120,
        what="the second attempt trains",
    )


@pytest.mark.timeout(600)
def test_a_store_that_is_gone_is_named_by_run_and_server_and_both_go_on_when_it_is_back(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0)
    with scaled_down(Kubectl("steadfit-store"), "store"):
        namespace.apply(training_job(images["flights-train"], store, params={"C": 0.1}))
        run = namespace.wait_for("trainingjob", "model", lambda j: j["status"].get("activeRun"))["status"]["activeRun"]
        namespace.apply(model_deployment(pin={"version": 1}))
        failed = namespace.wait_for(
            "trainingrun",
            run["name"],
            lambda r: any("failure" in attempt for attempt in r.get("status", {}).get("attempts", [])),
            timeout=240,
        )
        failure = failed["status"]["attempts"][0]["failure"]
        assert failure["class"] == "Store", failure
        assert "store.steadfit-store.svc" in json.dumps(failed["status"])
        assert failed["status"]["phase"] != "Failed"
        waiting = namespace.wait_for(
            "modeldeployment",
            "model",
            lambda d: "store.steadfit-store.svc" in condition(d, "Progressing").get("message", ""),
            timeout=150,
            what="Progressing names the store",
        )
        assert condition(waiting, "Progressing")["reason"] == "CandidateFailing"
        assert condition(waiting, "Ready")["status"] == "False"
    assert ended(namespace, run["name"], timeout=240)["status"]["phase"] == "Succeeded"
    live(namespace, 1, timeout=200)
