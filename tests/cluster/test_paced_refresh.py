"""After an upgrade a Refresh with a selector brings the models along, one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.support.kubectl import Kubectl, KubectlError, Manifest, condition

from .conftest import artifact_store, store_credentials, temporary_namespace
from .recipes import infer, live, model_deployment, trained
from .test_disruption import OPERATOR

pytestmark = pytest.mark.disruptive

BAKE = timedelta(seconds=5)


@pytest.fixture
def elsewhere(cluster: Kubectl) -> Iterator[Kubectl]:
    """kubectl bound to a second namespace, with a store of the same name as the namespace."""
    for namespace in temporary_namespace(cluster):
        name = str(namespace.namespace)
        namespace.apply(store_credentials())
        cluster.apply(artifact_store(name, f"s3://tests/{name}", {"kubernetes.io/metadata.name": name}))
        yield namespace
        cluster.run("delete", "artifactstore", name, "--wait=false")


@pytest.fixture
def _upgraded_back() -> Iterator[None]:
    """Give the operator its server image back."""
    before = server_image()
    yield
    upgrade(before)


@pytest.fixture
def joe(cluster: Kubectl, namespace: Kubectl) -> Iterator[Kubectl]:
    """kubectl as a user who is on call for the models of every namespace."""
    user = f"joe-{namespace.namespace}"
    cluster.run("create", "clusterrolebinding", user, "--clusterrole=steadfit-oncall", f"--user={user}")
    yield Kubectl(namespace.namespace, user)
    cluster.run("delete", "clusterrolebinding", user)


def server_image() -> str:
    deployment = OPERATOR.get("deployment", "steadfit-operator")
    assert deployment is not None
    environment = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    image: str = next(one["value"] for one in environment if one["name"] == "STEADFIT_SERVER_IMAGE")
    return image


def upgrade(image: str) -> None:
    """Install the operator with another server image."""
    OPERATOR.run("set", "env", "deployment/steadfit-operator", f"STEADFIT_SERVER_IMAGE={image}")
    OPERATOR.run("rollout", "status", "deployment/steadfit-operator", "--timeout=120s")


def serve(kubectl: Kubectl, group: str, *names: str) -> None:
    """Let models of these names serve version 1."""
    for name in names:
        manifest = model_deployment(name, trainingJobRef={"name": "model"})
        manifest["metadata"]["labels"] = {"wave": name, "group": group}
        kubectl.apply(manifest)
    for name in names:
        live(kubectl, 1, name)


def refresh(by: Kubectl, labels: dict[str, str], **target: Any) -> Manifest:
    return {
        "apiVersion": "steadfit.dev/v1alpha1",
        "kind": "ModelAction",
        "metadata": {"generateName": "refresh-"},
        "spec": {
            "verb": "Refresh",
            "target": {"kind": "ModelDeployment", "selector": {"matchLabels": labels}, **target},
            "pace": {"bakeDuration": f"{BAKE.seconds}s"},
            "reason": "upgrade of the operator",
            "requestedBy": by.user or by.whoami(),
        },
    }


def ended(kubectl: Kubectl, action: Manifest) -> tuple[str, str]:
    """Wait until an action has ended, and return its reason and its message."""
    name = action["metadata"]["name"]
    done = kubectl.wait_for("modelaction", name, lambda a: condition(a, "Finished"), timeout=180, what="it ends")
    return condition(done, "Finished")["reason"], done["status"]["message"]


def current(kubectl: Kubectl, name: str, status: str) -> Manifest:
    """Wait until a model is up to date, or is not, and return it."""
    return kubectl.wait_for(
        "modeldeployment",
        name,
        lambda d: condition(d, "UpToDate").get("status") == status,
        what=f"UpToDate of {name} is {status}",
    )


def column(kubectl: Kubectl) -> dict[str, str]:
    """Return the column Current of `kubectl get mdep`."""
    head, *lines = kubectl.run("get", "mdep").splitlines()
    at = head.index("CURRENT")
    return {line.split()[0]: line[at:].split()[0] for line in lines}


def since(deployment: Manifest) -> datetime:
    return datetime.fromisoformat(deployment["status"]["live"]["since"])


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("_upgraded_back")
def test_models_that_lag_behind_the_operator_come_along_one_after_the_other(
    namespace: Kubectl, elsewhere: Kubectl, store: str, images: dict[str, str], joe: Kubectl
) -> None:
    group = str(namespace.namespace)
    for one, at, names in ((namespace, store, ("a", "b", "c")), (elsewhere, str(elsewhere.namespace), ("a", "d"))):
        trained(one, images["flights-train"], at, 1.0)
        serve(one, group, *names)
    # The same image by another reference is another pod template.
    repository, digest = server_image().split("@")
    upgrade(f"{repository}:upgraded@{digest}")
    for name in ("a", "b", "c"):
        assert condition(current(namespace, name, "False"), "UpToDate")["reason"] == "OlderPlatform"
    for name in ("a", "d"):
        current(elsewhere, name, "False")

    # In one namespace: what the selector leaves out, and the other namespace, keep their pods.
    selector = {"matchExpressions": [{"key": "wave", "operator": "In", "values": ["a", "b"]}]}
    assert ended(namespace, namespace.create(refresh(namespace, {}, selector=selector))) == (
        "Succeeded",
        "2 of 2 ModelDeployments are refreshed",
    )
    first, second = current(namespace, "a", "True"), current(namespace, "b", "True")
    assert since(second) >= since(first) + BAKE
    assert column(namespace) == {"a": "True", "b": "True", "c": "False"}
    assert column(elsewhere) == {"a": "False", "d": "False"}

    # In all namespaces: the right in both of them is not the right in all.
    jane = f"jane-{group}"
    for one in (namespace, elsewhere):
        one.run("create", "rolebinding", jane, "--clusterrole=steadfit-oncall", f"--user={jane}")
    oncall = Kubectl(group, jane)
    with pytest.raises(KubectlError, match=r"may not refresh every ModelDeployment.* in all namespaces"):
        oncall.create(refresh(oncall, {"group": group}, allNamespaces=True))
    assert ended(namespace, joe.create(refresh(joe, {"group": group}, allNamespaces=True))) == (
        "Succeeded",
        "5 of 5 ModelDeployments are refreshed",
    )
    turns = sorted(
        since(current(one, name, "True")) for one, name in [(namespace, "c"), (elsewhere, "a"), (elsewhere, "d")]
    )
    assert all(after >= before + BAKE for before, after in pairwise(turns))
    assert column(namespace) == {"a": "True", "b": "True", "c": "True"}
    assert column(elsewhere) == {"a": "True", "d": "True"}
    for one, name in ((namespace, "a"), (namespace, "b"), (namespace, "c"), (elsewhere, "a"), (elsewhere, "d")):
        assert infer(one, name=name)["model_version"] == "1"
        pods = json.dumps(
            [pod["spec"]["containers"] for pod in one.list("pods", f"steadfit.dev/model-deployment={name}")]
        )
        assert ":upgraded@" in pods
