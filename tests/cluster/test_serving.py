"""What a ModelDeployment leads to, with real pods behind a real Service."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import obstore
import pytest

from tests.support.buckets import bucket
from tests.support.kubectl import Kubectl, Manifest, condition, is_true, ticks

from .recipes import (
    act,
    finished_run,
    infer,
    infer_path,
    live,
    model_deployment,
    put_rows,
    trained,
    training_job,
)


def record(kubectl: Kubectl, action: Manifest) -> Manifest:
    """Wait until an action is done or refused, and return its status."""
    done = kubectl.wait_for("modelaction", action["metadata"]["name"], lambda a: a["status"]["phase"] != "Pending")
    status: Manifest = done["status"]
    return status


def test_a_deployment_before_its_first_version_waits_and_then_serves_it(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    namespace.apply(model_deployment())
    waiting = namespace.wait_for("modeldeployment", "model", lambda d: is_true(d, "Reconciling"))
    assert condition(waiting, "Ready")["status"] == "False"
    assert waiting["status"]["selector"]
    trained(namespace, images["flights-train"], store, 1.0)
    live(namespace, 1)
    namespace.wait_for("modeldeployment", "model", lambda d: is_true(d, "Ready"))
    answer = infer(namespace, rows=2)
    assert answer["model_version"] == "1"
    deployment = namespace.get("modeldeployment", "model")
    assert deployment is not None
    assert answer["parameters"]["revision"] == deployment["status"]["live"]["revision"]
    [label] = [output for output in answer["outputs"] if output["name"] == "label"]
    assert len(label["data"]) == 2


@pytest.fixture
def api() -> Iterator[str]:
    """Base URL of the API server, as `kubectl proxy` offers it: answers come as they are, also the refusals."""
    with subprocess.Popen(["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        yield "http://" + proxy.stdout.readline().split()[-1]
        proxy.terminate()


def ask(api: str, path: str, body: Manifest) -> tuple[int, Manifest]:
    """POST JSON and return the status and the answer."""
    posted = urllib.request.Request(api + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(posted, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def test_a_wrong_input_is_a_400_that_names_the_field(
    namespace: Kubectl, store: str, images: dict[str, str], api: str
) -> None:
    trained(namespace, images["flights-train"], store, 1.0)
    namespace.apply(model_deployment())
    live(namespace, 1)
    wrong = {"inputs": [{"name": "x1", "datatype": "FP64", "shape": [1], "data": [1.0]}]}
    status, answer = ask(api, infer_path(namespace), wrong)
    assert status == 400
    assert "x2" in answer["error"]


def test_pin_unpin_and_rollback_do_what_they_say_and_the_spec_is_never_touched(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0, 0.1)
    namespace.apply(model_deployment())
    live(namespace, 2)

    assert record(namespace, act(namespace, "Pin", version=1))["phase"] == "Succeeded"
    pinned = live(namespace, 1)
    assert is_true(pinned, "Overridden")
    assert record(namespace, act(namespace, "Unpin"))["phase"] == "Succeeded"
    live(namespace, 2)

    assert record(namespace, act(namespace, "Rollback"))["phase"] == "Succeeded"
    rolled_back = live(namespace, 1)
    [entry] = rolled_back["status"]["quarantine"]
    assert (entry["version"], entry["reason"]) == ("model-v2", "a test asks for it")
    assert entry["digest"]
    namespace.wait_for("modelversion", "model-v2", lambda v: v["status"].get("quarantine"))

    refused = record(namespace, act(namespace, "Pin", version=2))
    assert refused["phase"] == "Rejected"
    assert "quarantine" in refused["message"]
    namespace.apply(model_deployment(pin={"version": 2}))
    stalled = namespace.wait_for("modeldeployment", "model", lambda d: is_true(d, "Stalled"))
    assert condition(stalled, "Ready")["reason"] == "RevisionQuarantined"
    assert infer(namespace)["model_version"] == "1"
    assert stalled["spec"]["pin"] == {"version": 2}


def test_an_artifact_with_one_flipped_byte_never_serves_and_the_old_one_goes_on(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0)
    namespace.apply(model_deployment())
    live(namespace, 1)
    namespace.apply(model_deployment(pin={"version": 1}))
    namespace.apply(training_job(images["flights-train"], store, params={"C": 0.1}))
    version = namespace.wait_for("modelversion", "model-v2", lambda v: v["status"].get("phase"), timeout=180)
    _flip_a_byte(version["spec"]["artifact"])

    namespace.apply(model_deployment())
    failing = namespace.wait_for(
        "modeldeployment",
        "model",
        lambda d: (
            "sha256" in condition(d, "Progressing").get("message", "").lower()
            or "digest" in condition(d, "Progressing").get("message", "").lower()
        ),
        timeout=120,
        what="the candidate's words",
    )
    assert failing["status"]["candidate"]["version"] == "model-v2"
    assert is_true(failing, "Ready")
    revision = failing["status"]["candidate"]["revision"]
    for _ in ticks(10):
        assert infer(namespace)["model_version"] == "1"
        workload = namespace.get("deployment", f"model-{revision}")
        assert workload is not None
        assert workload["status"].get("readyReplicas", 0) == 0


def _flip_a_byte(artifact: dict[str, Any]) -> None:
    prefix = artifact["uri"].removeprefix("s3://tests/").rstrip("/")
    name = next(file["path"] for file in artifact["files"] if file["path"].startswith("model."))
    path = f"{prefix}/{name}"
    content = bytearray(bytes(obstore.get(bucket("tests"), path).bytes()))
    content[len(content) // 2] ^= 1
    obstore.put(bucket("tests"), path, bytes(content))


def test_scale_sets_the_replicas_of_what_serves(namespace: Kubectl, store: str, images: dict[str, str]) -> None:
    trained(namespace, images["flights-train"], store, 1.0)
    namespace.apply(model_deployment())
    live(namespace, 1)
    namespace.run("scale", "modeldeployment", "model", "--replicas=2")
    namespace.wait_for("modeldeployment", "model", lambda d: d["status"]["replicas"] == 2)
    path = f"/apis/steadfit.dev/v1alpha1/namespaces/{namespace.namespace}/modeldeployments/model/scale"
    scale = json.loads(namespace.run("get", "--raw", path))
    assert scale["status"]["replicas"] == 2
    assert len(namespace.list("pods", scale["status"]["selector"])) == 2


def test_deleting_the_recipe_leaves_versions_and_serving_alone(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0)
    namespace.apply(model_deployment())
    live(namespace, 1)
    namespace.run("delete", "trainingjob", "model", "--wait")
    for _ in ticks(10):
        assert namespace.get("modelversion", "model-v1") is not None
        assert infer(namespace)["model_version"] == "1"


def test_deleting_the_deployment_takes_its_children_along(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0)
    namespace.apply(model_deployment())
    live(namespace, 1)
    namespace.run("delete", "modeldeployment", "model", "--wait")
    for _ in ticks(60):
        if not namespace.list("deployments") and namespace.get("service", "model") is None:
            return
    pytest.fail("children of the deleted ModelDeployment are still there")


def test_the_run_that_trains_is_the_only_thing_with_keys(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    put_rows(store)
    namespace.apply(training_job(images["flights-train"], store))
    run = finished_run(namespace)
    pod = namespace.get("pod", run["status"]["attempts"][0]["pod"])
    assert pod is not None
    steps = {step["name"]: step for step in pod["spec"]["initContainers"] + pod["spec"]["containers"]}
    mounted = {name: {mount["mountPath"] for mount in step["volumeMounts"]} for name, step in steps.items()}
    assert any(path.startswith("/steadfit/credentials") for path in mounted["fetch"])
    assert not any(path.startswith(("/steadfit/credentials", "/steadfit/token")) for path in mounted["train"])
    assert not any("handover" in path or "serviceaccount" in path for path in mounted["train"])
