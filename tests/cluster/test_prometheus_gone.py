"""Prometheus goes away and comes back: no verdict follows from its silence."""

from __future__ import annotations

import time

import pytest

from tests.support.kubectl import Kubectl, Manifest, condition

from .recipes import act, live, model_deployment, trained, training_job
from .test_canary import another, canary, candidate, selector, traffic
from .test_monitoring import alerts, eventually

pytestmark = pytest.mark.disruptive

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
    """The phase of the monitor that retrains."""
    found = deployment.get("status", {}).get("monitors")
    return str(found[0]["phase"]) if found else None


def canary_of_the_same_versions(value: str) -> Manifest:
    """A second ModelDeployment, so that one outage shows both; one of its metrics needs Prometheus."""
    metrics = [
        {"name": "error-rate", "errorRate": {}},
        {"name": "told", "query": {"promQL": "vector(1)", "max": 1}},
    ]
    analysis = {"minSamples": 100, "maxDuration": "10m", "metrics": metrics}
    return canary("canary", another(value), trainingJobRef={"name": "model"}, analysis=analysis)


def verdicts(deployment: Manifest) -> dict[str, str]:
    """The verdict of each metric of the candidate."""
    return {one["name"]: one["verdict"] for one in deployment["status"]["candidate"].get("verdicts", [])}


@pytest.mark.timeout(600)
def test_while_prometheus_is_gone_nothing_is_trained_promoted_or_rolled_back_and_one_run_follows_when_it_is_back(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    image, name = images["flights-train"], str(namespace.namespace)
    trained(namespace, image, store, 1.0)
    # Over when Prometheus is back, and long enough to be seen after the run.
    namespace.apply(training_job(image, store, params={"C": 1.0}, limits={"cooldown": "2m"}))
    namespace.apply(canary_of_the_same_versions("a"))
    before = live(namespace, 1, "canary")["status"]["live"]["revision"]
    clients = traffic(namespace, images, "canary")
    # Bad from the start, but it has to stay so for longer than Prometheus takes to go.
    monitor = {"name": "bad", "query": {"promQL": "vector(2)", "max": 1}, "for": "40s", "action": "Retrain"}
    told = {"name": "told", "query": {"promQL": "vector(3)", "max": 1}, "action": "Alert"}
    namespace.apply(model_deployment(monitors=[monitor, told]))
    live(namespace, 1)
    namespace.wait_for("modeldeployment", "model", lambda d: phase(d) == "Pending", timeout=60)
    try:
        namespace.apply(canary_of_the_same_versions("b"))
        scale_prometheus(0)
        coming = candidate(namespace, "Analysing", "canary")["revision"]
        namespace.wait_for(
            "modeldeployment",
            "model",
            lambda d: phase(d) == "NoData" and condition(d, "MetricsAvailable").get("status") == "False",
            timeout=180,
            what="the monitor says that it has no data",
        )
        namespace.wait_for(
            "modeldeployment",
            "canary",
            lambda d: condition(d, "MetricsAvailable").get("status") == "False" and verdicts(d).get("told") == "NoData",
            timeout=180,
            what="the analysis says that a metric has no data",
        )
        time.sleep(SILENCE_SECONDS)
        gone, held = (namespace.get("modeldeployment", name) for name in ("model", "canary"))
        assert gone is not None
        assert held is not None
        assert phase(gone) == "NoData"
        assert condition(gone, "Ready")["status"] == "True"
        assert len(namespace.list("trainingruns")) == 1
        assert held["status"]["candidate"]["revision"] == coming
        # The servers' own counts need no Prometheus.
        assert verdicts(held)["error-rate"] in ("Pass", "Inconclusive")
        assert held["status"]["live"]["revision"] == before
        assert held["status"].get("quarantine", []) == []
        assert condition(held, "Ready")["status"] == "True"
        # People's words need no Prometheus.
        act(namespace, "Abort", "canary")
        after = namespace.wait_for(
            "modeldeployment", "canary", lambda d: "candidate" not in d["status"], timeout=60, what="it is aborted"
        )
        assert [one["revision"] for one in after["status"]["abandoned"]] == [coming]
        assert after["status"].get("quarantine", []) == []
    finally:
        scale_prometheus(1)
    assert selector(namespace, "canary")["steadfit.dev/revision"] == before
    report = clients.stop()
    assert report["failed"] == 0, report
    job = namespace.wait_for(
        "trainingjob", "model", lambda j: j["status"].get("automaticRuns"), timeout=180, what="the monitor starts a run"
    )
    namespace.wait_for("trainingjob", "model", lambda j: "activeRun" not in j["status"], timeout=180)
    runs = [run for run in namespace.list("trainingruns") if run["spec"]["cause"]["type"] == "Monitor"]
    assert [run["metadata"]["name"] for run in runs] == [job["status"]["automaticRuns"][0]["name"]]
    assert runs[0]["spec"]["cause"]["monitor"] == "model/bad"
    # Still bad, and there is nothing new to learn from: it waits, and says so.
    waits = namespace.wait_for("trainingjob", "model", lambda j: j["status"].get("waiting"), timeout=60)
    assert waits["status"]["waiting"]["reason"] == "DataUnchanged"
    # What the operator measured goes by its own metrics to Prometheus, and as an alert to whoever is on call.
    (alert,) = eventually(
        "the alert of the query", lambda: [each for each in alerts(name) if each["labels"]["monitor"] == "told"]
    )
    assert alert["labels"]["alertname"] == "ModelQuery"
    assert alert["labels"]["version"] == "1"
