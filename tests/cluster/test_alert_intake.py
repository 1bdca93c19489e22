"""Alerts on the real cluster: a pod posts as Alertmanager does, with its service account's token, over TLS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.kubectl import Kubectl, Manifest

from .recipes import trained, training_job

SYSTEM = "steadfit-system"
URL = f"https://steadfit-operator.{SYSTEM}.svc:8443/v1/alerts"
TRIGGERS = [{"name": "drift", "alert": {"matchLabels": {"alertname": "ModelInputDrift"}}}]

POST = """
import json, os, ssl, sys, time, urllib.error, urllib.request
context = ssl.create_default_context(cafile="/ca/ca.crt")
token = open("/var/run/secrets/kubernetes.io/serviceaccount/token").read()
headers = {"Content-Type": "application/json"}
if os.environ["WITH_TOKEN"] == "yes":
    headers["Authorization"] = "Bearer " + token
for _ in range(int(os.environ["TIMES"])):
    request = urllib.request.Request(os.environ["URL"], os.environ["BODY"].encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:
            print(answer.status, answer.read().decode(), flush=True)
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode(), flush=True)
"""


def message(kubectl: Kubectl, *fingerprints: str, status: str = "firing") -> Manifest:
    labels = {"alertname": "ModelInputDrift", "namespace": str(kubectl.namespace), "model": "model"}
    alerts = [
        {"status": status, "labels": labels, "startsAt": "2026-03-01T12:00:00Z", "fingerprint": fingerprint}
        for fingerprint in fingerprints
    ]
    return {"version": "4", "status": status, "alerts": alerts}


@pytest.fixture
def sender(cluster: Kubectl, namespace: Kubectl) -> Iterator[Kubectl]:
    """The namespace, with a service account `alertmanager` that may post alerts, and the operator's CA."""
    secret = Kubectl(SYSTEM).get("secret", "steadfit-intake-tls")
    assert secret is not None
    namespace.run("create", "serviceaccount", "alertmanager")
    namespace.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "steadfit-ca"},
            "data": {"ca.crt": secret["data"]["ca.crt"]},
        }
    )
    binding = f"{namespace.namespace}-alerts"
    account = f"{namespace.namespace}:alertmanager"
    cluster.run(
        "create", "clusterrolebinding", binding, "--clusterrole=steadfit-alert-sender", f"--serviceaccount={account}"
    )
    yield namespace
    cluster.run("delete", "clusterrolebinding", binding, "--wait=false")


def post(
    kubectl: Kubectl,
    image: str,
    name: str,
    body: Manifest,
    account: str = "alertmanager",
    times: int = 1,
    with_token: bool = True,
) -> list[tuple[int, Any]]:
    """Post from a pod and return what was answered each time."""
    env = {"URL": URL, "BODY": json.dumps(body), "TIMES": str(times), "WITH_TOKEN": "yes" if with_token else "no"}
    container = {
        "name": "main",
        "image": image,
        "command": ["python3", "-c", POST],
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "volumeMounts": [{"name": "ca", "mountPath": "/ca"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            # The label that the operator's NetworkPolicy lets in.
            "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "alertmanager"}},
            "spec": {
                "serviceAccountName": account,
                "automountServiceAccountToken": True,
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 0,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 65532,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [container],
                "volumes": [{"name": "ca", "secret": {"secretName": "steadfit-ca"}}],
            },
        }
    )
    pod = kubectl.wait_for("pod", name, lambda p: p["status"].get("phase") in ("Succeeded", "Failed"))
    log = kubectl.run("logs", name)
    assert pod["status"]["phase"] == "Succeeded", log
    answers = [line.partition(" ") for line in log.splitlines()]
    return [(int(status), json.loads(body)) for status, _, body in answers]


def alerts(kubectl: Kubectl) -> dict[str, str]:
    job = kubectl.get("trainingjob", "model")
    assert job is not None
    return {entry["fingerprint"]: entry["status"] for entry in job["status"].get("alerts", [])}


def test_alerts_of_a_service_account_with_the_right_are_stored_however_often_they_come(
    sender: Kubectl, store: str, images: dict[str, str]
) -> None:
    sender.apply(training_job(images["flights-train"], store, triggers=TRIGGERS, suspend=True))
    fired = post(sender, images["operator"], "fires", message(sender, "a1", "b2"), times=3)
    assert fired == [
        (200, {"alerts": {"stored": 2}}),
        (200, {"alerts": {"unchanged": 2}}),
        (200, {"alerts": {"unchanged": 2}}),
    ]
    assert alerts(sender) == {"a1": "firing", "b2": "firing"}
    ended = post(sender, images["operator"], "ends", message(sender, "a1", status="resolved"))
    assert ended == [(200, {"alerts": {"stored": 1}})]
    # What the leader writes meanwhile takes nothing away.
    sender.run("annotate", "trainingjob", "model", "tests/touched=yes")
    sender.wait_for("trainingjob", "model", lambda j: j["status"].get("conditions"))
    assert alerts(sender) == {"a1": "resolved", "b2": "firing"}


def test_a_service_account_without_the_right_stores_nothing(
    sender: Kubectl, store: str, images: dict[str, str]
) -> None:
    sender.apply(training_job(images["flights-train"], store, triggers=TRIGGERS, suspend=True))
    [(status, body)] = post(sender, images["operator"], "stranger", message(sender, "a1"), account="default")
    assert status == 403
    assert f"system:serviceaccount:{sender.namespace}:default" in body["error"]
    [(status, _)] = post(sender, images["operator"], "nobody", message(sender, "a1"), with_token=False)
    assert status == 401
    assert alerts(sender) == {}


def test_an_alert_starts_one_run_however_often_it_is_told(sender: Kubectl, store: str, images: dict[str, str]) -> None:
    trained(sender, images["flights-train"], store, 1.0)
    # Long enough to resolve the alert before the next run would start.
    limits = {"cooldown": "30s"}
    sender.apply(training_job(images["flights-train"], store, params={"C": 1.0}, triggers=TRIGGERS, limits=limits))
    answers = post(sender, images["operator"], "fires", message(sender, "a1"), times=20)
    assert {status for status, _ in answers} == {200}
    job = sender.wait_for("trainingjob", "model", lambda j: j["status"].get("automaticRuns"), what="a run by the alert")
    ended = post(sender, images["operator"], "ends", message(sender, "a1", status="resolved"))
    assert ended == [(200, {"alerts": {"stored": 1}})]
    sender.wait_for("trainingjob", "model", lambda j: "activeRun" not in j["status"], timeout=180, what="the run ends")
    runs = [run for run in sender.list("trainingruns") if run["spec"]["cause"]["type"] == "Alert"]
    assert [run["metadata"]["name"] for run in runs] == [job["status"]["automaticRuns"][0]["name"]]
    assert runs[0]["spec"]["cause"]["trigger"] == "drift"
