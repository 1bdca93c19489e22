"""Prometheus goes away and comes back: no verdict follows from its silence."""

from __future__ import annotations

import time

import pytest

from tests.support.kubectl import Kubectl, Manifest, condition

from .recipes import live, model_deployment, trained, training_job

# In one worker, one after the other, with what asks Prometheus.
pytestmark = pytest.mark.xdist_group("prometheus")

MONITORING = Kubectl("monitoring")
SILENCE_SECONDS = 60


def scale_prometheus(replicas: int) -> None:
    """Take Prometheus away, or bring it back."""
    MONITORING.run("scale", "statefulset", "prometheus", f"--replicas={replicas}")
    if replicas:
        MONITORING.run("rollout", "status", "statefulset/prometheus", "--timeout=120s")
    else:
        MONITORING.run("wait", "pod/prometheus-0", "--for=delete", "--timeout=60s")


def phase(deployment: Manifest) -> str | None:
    """The phase of the only monitor."""
    found = deployment.get("status", {}).get("monitors")
    return str(found[0]["phase"]) if found else None


def test_nothing_is_trained_while_prometheus_is_gone_and_one_run_follows_when_it_is_back(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    image = images["flights-train"]
    trained(namespace, image, store, 1.0)
    # Over when Prometheus is back, and long enough to be seen after the run.
    namespace.apply(training_job(image, store, params={"C": 1.0}, limits={"cooldown": "2m"}))
    # Bad from the start, but it has to stay so for longer than Prometheus takes to go.
    monitor = {"name": "bad", "query": {"promQL": "vector(2)", "max": 1}, "for": "40s", "action": "Retrain"}
    namespace.apply(model_deployment(monitors=[monitor]))
    live(namespace, 1)
    namespace.wait_for("modeldeployment", "model", lambda d: phase(d) == "Pending", timeout=60)
    try:
        scale_prometheus(0)
        namespace.wait_for(
            "modeldeployment",
            "model",
            lambda d: phase(d) == "NoData" and condition(d, "MetricsAvailable").get("status") == "False",
            timeout=180,
            what="the monitor says that it has no data",
        )
        time.sleep(SILENCE_SECONDS)
        gone = namespace.get("modeldeployment", "model")
        assert gone is not None
        assert phase(gone) == "NoData"
        assert condition(gone, "Ready")["status"] == "True"
        assert len(namespace.list("trainingruns")) == 1
    finally:
        scale_prometheus(1)
    job = namespace.wait_for(
        "trainingjob", "model", lambda j: j["status"].get("automaticRuns"), timeout=180, what="the monitor starts a run"
    )
    namespace.wait_for("trainingjob", "model", lambda j: "activeRun" not in j["status"], timeout=180)
    runs = [run for run in namespace.list("trainingruns") if run["spec"]["cause"]["type"] == "Monitor"]
    assert [run["metadata"]["name"] for run in runs] == [job["status"]["automaticRuns"][0]["name"]]
    assert runs[0]["spec"]["cause"]["monitor"] == "model/bad"
    # Still bad, and within the cooldown: it waits, and says so.
    waits = namespace.wait_for("trainingjob", "model", lambda j: j["status"].get("waiting"), timeout=60)
    assert waits["status"]["waiting"]["reason"] == "Cooldown"
