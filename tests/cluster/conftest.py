"""What every cluster test starts from: a namespace of its own, kubectl, and a store nobody else uses."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kubectl import Kubectl, Manifest
from tests.support.states import Recorder

CREDENTIALS = "store-credentials"


LONGEST_TEST_SECONDS = 400
"""Every wait has a shorter limit of its own, and says what it waited for."""

_recorder: Recorder | None = None


def pytest_sessionstart(session: pytest.Session) -> None:
    """Record what the tests bring about, once for all parallel workers; tests/aftermath judges it."""
    global _recorder
    if not hasattr(session.config, "workerinput") and "STEADFIT_REGISTRY" in os.environ:
        _recorder = Recorder()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the cluster, and takes a cluster's time."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.cluster)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(LONGEST_TEST_SECONDS))
    # Hundreds of tests of a second each come last: they keep every worker busy until the last long test is over.
    items.sort(key=lambda item: item.path.name.startswith("test_admission"))


def pytest_sessionfinish() -> None:
    if _recorder is not None:
        _recorder.stop()


@pytest.fixture(scope="session", autouse=True)
def _environment() -> None:
    """Fail with one sentence instead of hundreds of refused connections."""
    if "STEADFIT_REGISTRY" not in os.environ:
        pytest.exit('cluster tests need the cluster: make cluster-up install && eval "$(make -s env)"', returncode=2)


@pytest.fixture(scope="session")
def cluster() -> Kubectl:
    """kubectl as the cluster's admin, bound to no namespace."""
    return Kubectl()


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """References by digest of what was built: operator, trainer, server, `<example>-train`, `test-<dir>`."""
    built: dict[str, str] = json.loads(Path(os.environ["STEADFIT_IMAGES"]).read_text())
    return built


@pytest.fixture
def namespace(cluster: Kubectl) -> Iterator[Kubectl]:
    """kubectl bound to a new namespace that enforces the restricted Pod Security Standard; deleted afterwards."""
    yield from temporary_namespace(cluster)


@pytest.fixture(scope="module")
def shared_namespace(cluster: Kubectl) -> Iterator[Kubectl]:
    """The same for all tests of a module, for those that leave nothing behind."""
    yield from temporary_namespace(cluster)


@pytest.fixture
def store(cluster: Kubectl, namespace: Kubectl) -> Iterator[str]:
    """Name of an ArtifactStore under `s3://tests/<namespace>` that only this test's namespace may use."""
    name = str(namespace.namespace)
    namespace.apply(store_credentials())
    cluster.apply(artifact_store(name, f"s3://tests/{name}", {"kubernetes.io/metadata.name": name}))
    yield name
    cluster.run("delete", "artifactstore", name, "--wait=false")


def temporary_namespace(cluster: Kubectl) -> Iterator[Kubectl]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "steadfit.dev/test": "true"}
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield Kubectl(name)
    cluster.run("delete", "namespace", name, "--wait=false")


def store_credentials(name: str = CREDENTIALS) -> Manifest:
    """The Secret with the keys of the cluster's S3 server."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "stringData": {
            "AWS_ACCESS_KEY_ID": os.environ["STEADFIT_STORE_ACCESS_KEY_ID"],
            "AWS_SECRET_ACCESS_KEY": os.environ["STEADFIT_STORE_SECRET_ACCESS_KEY"],
        },
    }


def artifact_store(name: str, uri_prefix: str, namespaces: dict[str, str]) -> Manifest:
    """An ArtifactStore on the cluster's S3 server."""
    return {
        "apiVersion": "steadfit.dev/v1alpha1",
        "kind": "ArtifactStore",
        "metadata": {"name": name},
        "spec": {
            "uriPrefix": uri_prefix,
            "s3": {"endpoint": os.environ["STEADFIT_STORE_CLUSTER_ENDPOINT"], "forcePathStyle": True},
            "credentialsSecretName": CREDENTIALS,
            "allowedNamespaces": {"matchLabels": namespaces},
        },
    }
