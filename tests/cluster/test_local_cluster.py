"""What the local cluster gives that images loaded into nodes and a fake store would not."""

import os
import uuid
from collections.abc import Iterator

import obstore
import pytest

from tests.support.buckets import bucket
from tests.support.kubectl import Kubectl, Manifest, ticks


@pytest.fixture
def kubectl() -> Iterator[Kubectl]:
    name = f"local-{uuid.uuid4().hex[:8]}"
    Kubectl().run("create", "namespace", name)
    yield Kubectl(name)
    Kubectl().run("delete", "namespace", name, "--wait=false")


def pod(name: str, reference: str, *command: str, node: str | None = None) -> Manifest:
    container = {"name": "main", "image": reference, "command": list(command)}
    spec = {"restartPolicy": "Never", "containers": [container], "terminationGracePeriodSeconds": 0}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {**spec, "nodeName": node} if node else spec,
    }


def test_a_pod_runs_the_digest_that_was_pushed(kubectl: Kubectl, images: dict[str, str]) -> None:
    reference = images["operator"]
    kubectl.apply(pod("digest", reference, "python3", "-c", "pass"))
    done = kubectl.wait_for("pod", "digest", lambda p: p["status"]["phase"] == "Succeeded", what="a pod that ran")
    assert done["status"]["containerStatuses"][0]["imageID"].endswith(reference.partition("@")[2])


def test_an_image_that_does_not_exist_is_a_pull_error(kubectl: Kubectl) -> None:
    kubectl.apply(pod("absent", f"{os.environ['STEADFIT_REGISTRY']}/absent:1", "true"))

    def waiting(manifest: Manifest) -> bool:
        statuses = manifest["status"].get("containerStatuses") or [{}]
        return statuses[0].get("state", {}).get("waiting", {}).get("reason") in ("ErrImagePull", "ImagePullBackOff")

    kubectl.wait_for("pod", "absent", waiting, timeout=60, what="a pull error")


@pytest.mark.parametrize("node", ["steadfit-control-plane", "steadfit-worker"])
def test_pods_on_both_nodes_reach_the_store_by_its_name(kubectl: Kubectl, images: dict[str, str], node: str) -> None:
    question = (
        "import sys, urllib.request, urllib.error\n"
        "try: urllib.request.urlopen(sys.argv[1], timeout=10)\n"
        "except urllib.error.HTTPError as error: assert error.code == 403, error\n"  # it wants keys: it answers
    )
    endpoint = os.environ["STEADFIT_STORE_CLUSTER_ENDPOINT"]
    kubectl.apply(pod("asks", images["operator"], "python3", "-c", question, endpoint, node=node))
    done = kubectl.wait_for("pod", "asks", lambda p: p["status"]["phase"] in ("Succeeded", "Failed"))
    assert done["status"]["phase"] == "Succeeded", kubectl.run("logs", "asks")


@pytest.mark.parametrize("name", ["lake", "models", "tests"])
def test_the_store_has_its_buckets_and_refuses_to_overwrite_when_asked(name: str) -> None:
    store, path = bucket(name), f"local-cluster/{uuid.uuid4().hex}"
    obstore.put(store, path, b"first", mode="create")
    with pytest.raises(obstore.exceptions.AlreadyExistsError):
        obstore.put(store, path, b"second", mode="create")
    assert bytes(obstore.get(store, path).bytes()) == b"first"
    obstore.delete(store, path)


@pytest.mark.disruptive
def test_objects_outlive_the_pod_of_the_store() -> None:
    store, path = bucket("tests"), f"local-cluster/{uuid.uuid4().hex}"
    obstore.put(store, path, b"kept")
    Kubectl("steadfit-store").run("delete", "pod", "-l", "app.kubernetes.io/name=store")
    Kubectl("steadfit-store").run("rollout", "status", "deployment/store", "--timeout=60s")
    for _ in ticks(20):  # the node port follows the endpoint a moment later
        try:
            assert bytes(obstore.get(store, path).bytes()) == b"kept"
            break
        except obstore.exceptions.GenericError:
            continue
    else:
        pytest.fail("the store did not answer again")
    obstore.delete(store, path)
