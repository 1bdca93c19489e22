"""What someone else deletes, changes or takes away under a live model, and what answers meanwhile."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.support.kubectl import Kubectl, Manifest, condition, ticks

from .recipes import infer, live, model_deployment, trained
from .test_canary import selector

UNSCHEDULABLE = {"replicas": 1, "resources": {"requests": {"cpu": "512"}}}


def deployment(kubectl: Kubectl, revision: str) -> Manifest | None:
    """The Deployment of a revision, None when there is none."""
    found = kubectl.list("deployments", f"steadfit.dev/revision={revision}")
    return found[0] if found else None


def first_served(kubectl: Kubectl, store: str, images: dict[str, str]) -> Manifest:
    """Train and serve a first version, and return its Deployment."""
    trained(kubectl, images["flights-train"], store, 1.0)
    kubectl.apply(model_deployment())
    found = deployment(kubectl, live(kubectl, 1)["status"]["live"]["revision"])
    assert found is not None
    return found


def container(manifest: Manifest) -> dict[str, Any]:
    """The only container of a Deployment's pods."""
    (found,) = manifest["spec"]["template"]["spec"]["containers"]
    return dict(found)


def runs(manifest: Manifest) -> tuple[str, list[str], str]:
    """Image, command and working directory of a Deployment's only container; empty where it has none."""
    found = container(manifest)
    return found["image"], found.get("command", []), found.get("workingDir", "")


def answers(kubectl: Kubectl, version: str, timeout: float) -> float:
    """Wait until the Service answers by a version; return after how many seconds."""
    for elapsed in ticks(timeout):
        try:
            if infer(kubectl)["model_version"] == version:
                return elapsed
        except Exception:  # Nothing answers yet.
            continue
    raise AssertionError(f"version {version} does not answer after {timeout:.0f} s")


def test_a_deleted_deployment_comes_back_with_the_pods_that_it_had_though_the_spec_has_changed(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    before = first_served(namespace, store, images)
    namespace.apply(model_deployment(server=UNSCHEDULABLE))
    namespace.wait_for(
        "modeldeployment", "model", lambda d: "candidate" in d["status"], what="the new spec is rolled out"
    )

    namespace.run("delete", "deployment", before["metadata"]["name"])

    assert answers(namespace, "1", 90) < 60
    revision = before["metadata"]["labels"]["steadfit.dev/revision"]
    after = deployment(namespace, revision)
    assert after is not None
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert container(after)["resources"] == container(before)["resources"]
    assert selector(namespace)["steadfit.dev/revision"] == revision


def test_a_foreign_image_is_put_right_and_whoever_insists_is_named_in_the_status(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    before = first_served(namespace, store, images)
    name, image = before["metadata"]["name"], container(before)["image"]

    server = container(before)["name"]
    foreign_command = {"containers": [{"name": server, "command": ["sleep", "3600"], "workingDir": "/tmp"}]}
    changes = [
        ("set", "image", f"deployment/{name}", f"{server}={images['flights-train']}"),
        # The operator declares neither: an apply with empty values has to take both away from their owner.
        ("patch", "deployment", name, "-p", json.dumps({"spec": {"template": {"spec": foreign_command}}})),
        ("set", "image", f"deployment/{name}", f"{server}={images['flights-train']}"),
    ]
    for turn, change in enumerate(changes, start=1):
        namespace.run(*change)
        # A pod that was replaced by hand is none of ours to put right; what it is replaced by must be ours again.
        namespace.wait_for("deployment", name, lambda d: runs(d) == (image, [], ""), timeout=30, what=f"repair {turn}")
    namespace.run("set", "image", f"deployment/{name}", f"{server}={images['flights-train']}")

    contested = namespace.wait_for(
        "modeldeployment", "model", lambda d: condition(d, "Ready").get("reason") == "TemplateContested", timeout=30
    )
    assert condition(contested, "Ready")["status"] == "False"
    assert condition(contested, "Stalled")["status"] == "True"
    events = namespace.run("get", "events", "-o", "jsonpath={.items[*].reason}").split()
    assert {"TemplateChanged", "TemplateContested"} <= set(events)
    assert infer(namespace)["model_version"] == "1"


def test_while_the_live_pods_are_refused_the_warm_ones_answer(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0)
    namespace.apply(model_deployment())
    live(namespace, 1)
    trained(namespace, images["flights-train"], store, 1.0, 0.1)
    revision = live(namespace, 2)["status"]["live"]["revision"]
    namespace.create(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "pods"},
            "spec": {"hard": {"pods": "1"}},
        }
    )
    namespace.run("delete", "pods", "-l", f"steadfit.dev/revision={revision}", "--wait=false")
    deleted = time.monotonic()

    answers(namespace, "1", 60)
    # The pod of the live version answers what it has been sent before it ends.
    assert time.monotonic() - deleted < 45
    status = namespace.wait_for(
        "modeldeployment", "model", lambda d: condition(d, "Serving").get("reason") == "FailedOver"
    )
    assert status["status"]["live"]["number"] == 2

    namespace.run("delete", "resourcequota", "pods")
    answers(namespace, "2", 180)
