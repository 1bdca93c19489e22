"""What was rolled back stays away, whatever is forgotten: by the operator, by the objects, or by Git."""

from __future__ import annotations

import json
import time

import obstore
import pytest

from tests.support.buckets import bucket
from tests.support.kubectl import Kubectl, Manifest, condition

from .recipes import act, infer, live, model_deployment, trained
from .test_disruption import OPERATOR, scaled_down

pytestmark = pytest.mark.disruptive

PATIENCE_SECONDS = 25
"""Longer than a server needs to come up and to read why it may not."""


def wipe_status(kubectl: Kubectl, kind: str, name: str) -> None:
    """Take the whole status of an object away, as a restore without status does."""
    gone = json.dumps([{"op": "remove", "path": "/status"}])
    kubectl.run("patch", kind, name, "--subresource=status", "--type=json", "--patch", gone)


def note(version: Manifest) -> dict[str, object] | None:
    """What lies beside the artifact of a version."""
    place = str(version["spec"]["artifact"]["uri"]).removeprefix("s3://tests/")
    try:
        found: dict[str, object] = json.loads(bytes(obstore.get(bucket("tests"), f"{place}quarantine.json").bytes()))
    except FileNotFoundError:
        return None
    return found


@pytest.mark.timeout(600)
def test_what_was_rolled_back_stays_away_though_all_is_wiped_restarted_and_applied_again_until_it_is_released(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0, 0.1)
    manifest = model_deployment(pin={"version": 1})
    namespace.apply(manifest)
    live(namespace, 1)
    manifest = model_deployment()
    namespace.apply(manifest)
    live(namespace, 2)
    act(namespace, "Rollback")
    live(namespace, 1)
    bad = namespace.wait_for(
        "modelversion",
        "model-v2",
        lambda v: (v["status"].get("quarantine") or {}).get("stored"),
        timeout=120,
        what="the quarantine is written beside the artifact",
    )
    assert note(bad) is not None

    # The deployment forgets: the version still knows.
    with scaled_down(OPERATOR, "steadfit-operator"):
        wipe_status(namespace, "modeldeployment", "model")
        namespace.apply(manifest, "--server-side", "--field-manager=argocd-controller", "--force-conflicts")
    live(namespace, 1)

    # Both forget: the store still knows.
    with scaled_down(OPERATOR, "steadfit-operator"):
        wipe_status(namespace, "modelversion", "model-v2")
        wipe_status(namespace, "modeldeployment", "model")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        assert infer(namespace)["model_version"] == "1"
        time.sleep(1)

    # A person lets it back, and only then it may serve.
    act(namespace, "Release", version=2)
    namespace.wait_for(
        "modelversion", "model-v2", lambda v: "quarantine" not in v["status"], timeout=120, what="it is released"
    )
    act(namespace, "Pin", version=2)
    after = live(namespace, 2, timeout=240)
    assert condition(after, "Ready")["status"] == "True"
    assert infer(namespace)["model_version"] == "2"
