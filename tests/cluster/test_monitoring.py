"""Real Prometheus and Alertmanager: what a monitor declares is evaluated, and fires all the way to the TrainingJob."""

from __future__ import annotations

import json
import os
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.recipes import model_deployment, training_job
from tests.support.kubectl import Kubectl, Manifest, TimedOut, ticks

SERVER = """
import http.server, sys, time
namespace, started = sys.argv[1], time.time()
SHARES = {"0": 0.8, "1": 0.2}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        rows = int(100 * (time.time() - started))
        of = f'namespace="{namespace}",model="model",version="7",revision="r"'
        lines = [
            f"steadfit_model_info{{{of}}} 1",
            f"steadfit_reference_samples{{{of}}} 10000",
            f"steadfit_predicted_rows_total{{{of}}} {rows}",
            f'steadfit_feature_importance_ratio{{{of},feature="x1"}} 1',
        ]
        for name, share in SHARES.items():
            lines.append(f'steadfit_feature_bin_total{{{of},feature="x1",bin="{name}"}} {int(rows * share)}')
            lines.append(f'steadfit_feature_reference_ratio{{{of},feature="x1",bin="{name}"}} 0.5')
        self.send_response(200)
        self.end_headers()
        self.wfile.write(("\\n".join(lines) + "\\n").encode())
http.server.ThreadingHTTPServer(("", 9090), Handler).serve_forever()
"""
"""The series of a server whose only feature has moved from halves to four fifths and one fifth."""

PSI = 0.3 * 1.3862943611198906
"""(0.8 - 0.5) * ln(0.8 / 0.5) + (0.2 - 0.5) * ln(0.2 / 0.5)."""


def prometheus(expression: str) -> list[dict[str, Any]]:
    """The instant vector of an expression."""
    query = urllib.parse.urlencode({"query": expression})
    found: list[dict[str, Any]] = _get("STEADFIT_PROMETHEUS_URL", f"/api/v1/query?{query}")["data"]["result"]
    return found


def alerts(namespace: str) -> list[dict[str, Any]]:
    """What Alertmanager has of a namespace."""
    query = urllib.parse.urlencode({"filter": f'namespace="{namespace}"', "active": "true"})
    found: list[dict[str, Any]] = _get("STEADFIT_ALERTMANAGER_URL", f"/api/v2/alerts?{query}")
    return found


def rule_groups() -> set[str]:
    """The names of the groups that Prometheus evaluates."""
    return {group["name"] for group in _get("STEADFIT_PROMETHEUS_URL", "/api/v1/rules")["data"]["groups"]}


def rules_of(namespace: str) -> list[dict[str, Any]]:
    """The rules of a namespace's only model, with what Prometheus found at their last evaluation."""
    groups = _get("STEADFIT_PROMETHEUS_URL", "/api/v1/rules")["data"]["groups"]
    return [rule for group in groups if group["name"] == f"steadfit:{namespace}/model" for rule in group["rules"]]


def eventually(what: str, ask: Callable[[], Any], timeout: float = 120, shown: Callable[[], Any] | None = None) -> Any:
    """Ask until there is something; a failure contains what `shown` returns."""
    for _ in ticks(timeout, 1.0):
        if found := ask():
            return found
    raise TimedOut(f"{what} did not come within {timeout:.0f} s{f': {shown()}' if shown else ''}")


def server(image: str, namespace: str) -> Manifest:
    """A pod that exports what a server exports."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "server",
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9090"},
        },
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "server",
                    "image": image,
                    "command": ["python3", "-c", SERVER, namespace],
                    "ports": [{"containerPort": 9090}],
                    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }


def test_the_operator_is_scraped_and_every_alertmanager_is_told() -> None:
    assert eventually("the operator's own series", lambda: prometheus("steadfit_operator_rules"))
    found = eventually(
        "two Alertmanagers",
        lambda: (
            known
            if len(known := _get("STEADFIT_PROMETHEUS_URL", "/api/v1/alertmanagers")["data"]["activeAlertmanagers"])
            == 2
            else None
        ),
    )
    assert len({one["url"] for one in found}) == 2
    assert len(_get("STEADFIT_ALERTMANAGER_URL", "/api/v2/status")["cluster"]["peers"]) == 2


def test_the_metric_source_named_default_answers(cluster: Kubectl) -> None:
    def ready(source: Manifest) -> bool:
        conditions = source.get("status", {}).get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    cluster.wait_for("metricsource", "default", ready, timeout=60)


@pytest.mark.timeout(400)
def test_a_monitor_becomes_a_rule_whose_alert_reaches_the_training_job_and_ends_with_its_cause(
    namespace: Kubectl, images: dict[str, str], store: str
) -> None:
    name = str(namespace.namespace)
    trigger = {"name": "drift", "alert": {"matchLabels": {"alertname": "ModelInputDrift"}}}
    namespace.apply(training_job(images["trainer"], store, triggers=[trigger], suspend=True))
    monitor = {"name": "inputs", "drift": {"max": 0.2}, "window": "1m", "minSamples": 1000}
    namespace.apply(model_deployment(monitors=[monitor]))
    namespace.apply(server(images["server"], name))

    series = f'steadfit:drift_psi:weighted{{namespace="{name}", model="model", version="7", window="1m"}}'
    value = eventually("the recorded series", lambda: _settled(series))
    assert value == pytest.approx(PSI, abs=0.02)

    (alert,) = eventually("the alert", lambda: alerts(name))
    labels = {"alertname": "ModelInputDrift", "namespace": name, "model": "model", "version": "7", "monitor": "inputs"}
    assert alert["labels"] == {**labels, "severity": "warning"}
    told = namespace.wait_for(
        "trainingjob", "model", lambda job: job.get("status", {}).get("alerts"), what="the alert is in the status"
    )
    assert [one["alertname"] for one in told["status"]["alerts"]] == ["ModelInputDrift"]

    namespace.apply(model_deployment(monitors=[{**monitor, "drift": {"max": 5}}]))
    eventually(
        "the end of the alert at another level",
        lambda: not alerts(name),
        shown=lambda: {"alertmanager": alerts(name), "prometheus": rules_of(name)},
    )
    namespace.wait_for(
        "trainingjob",
        "model",
        lambda job: [one["status"] for one in job["status"]["alerts"]] == ["resolved"],
        what="the end is in the status",
    )
    assert f"steadfit:{name}/model" in rule_groups()
    namespace.run("delete", "modeldeployment", "model")
    eventually("the end of the rules", lambda: f"steadfit:{name}/model" not in rule_groups())


def _settled(series: str) -> float | None:
    """The value of a series once a whole window lies behind it."""
    samples = prometheus(f"steadfit:predictions_count{{{series.partition('{')[2]}")
    found = prometheus(series)
    if not found or not samples or float(samples[0]["value"][1]) < 4000:
        return None
    return float(found[0]["value"][1])


def _get(variable: str, path: str) -> Any:
    with urllib.request.urlopen(f"{os.environ[variable]}{path}", timeout=10) as reply:
        return json.load(reply)
