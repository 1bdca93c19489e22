"""A pod template that someone else changes is put right, and what they add to it is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from steadfit.app.engine.adopt import NameTaken
from steadfit.core import names
from steadfit.kube.client import APIError, Forbidden

from .harness import play
from .objects import JSON, clone
from .observations import is_ready, serves
from .scenarios import first_version_serves, set_param
from .simulated_cluster import PLATFORM, SimulatedCluster
from .starting_objects import NAME, action

FOREIGN = "registry.example.com/mallory/server:1"


def name_of(cluster: SimulatedCluster, place: str = "live") -> str:
    return f"{NAME}-{cluster.status('ModelDeployment', NAME)[place]['revision']}"


def pod_spec(deployment: JSON) -> JSON:
    return dict(deployment["spec"]["template"]["spec"])


def set_image(deployment: JSON) -> None:
    """Do what `kubectl set image` does."""
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = FOREIGN


def set_server(server: Mapping[str, Any], deployment: JSON) -> None:
    deployment["spec"]["server"] = server


def allow_escalation(deployment: JSON) -> None:
    context = deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]
    context["allowPrivilegeEscalation"] = True


def other_artifact(deployment: JSON) -> None:
    env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    next(one for one in env if one["name"] == "STEADFIT_ARTIFACT")["value"] = '{"uri": "s3://elsewhere/"}'


def restart(deployment: JSON) -> None:
    """Do what `kubectl rollout restart` does."""
    annotations = deployment["spec"]["template"]["metadata"].setdefault("annotations", {})
    annotations["kubectl.kubernetes.io/restartedAt"] = "2026-11-30T12:00:00Z"


def inject_sidecar(deployment: JSON) -> None:
    deployment["spec"]["template"]["spec"]["containers"].insert(0, {"name": "proxy", "image": "proxy:1"})


def add_label(deployment: JSON) -> None:
    deployment["spec"]["template"]["metadata"]["labels"]["cost-centre"] = "17"


def reason(cluster: SimulatedCluster, type_: str) -> str:
    found = [one for one in cluster.status("ModelDeployment", NAME).get("conditions", []) if one["type"] == type_]
    return f"{found[0]['status']} {found[0]['reason']} {found[0]['message']}" if found else ""


def conditions(cluster: SimulatedCluster) -> list[JSON]:
    """Return the conditions that the ModelDeployment has ever had."""
    states = [state for state in cluster.properties.states if state["kind"] == "ModelDeployment"]
    return [one for state in states for one in state.get("status", {}).get("conditions", [])]


def images(cluster: SimulatedCluster) -> set[str]:
    """Return the images of all pods."""
    return {one["image"] for pod in cluster.objects("Pod") for one in pod["spec"]["containers"]}


def warnings(cluster: SimulatedCluster, reason: str) -> int:
    return sum(event["reason"] == reason for event in cluster.objects("Event"))


def some_pod_is_labelled(cluster: SimulatedCluster) -> bool:
    return any(names.SERVING in pod["metadata"]["labels"] for pod in cluster.objects("Pod"))


Change = Callable[[JSON], None]


@pytest.mark.parametrize("change", [set_image, allow_escalation, other_artifact])
def test_a_template_that_someone_changes_is_put_right_and_is_never_called_ready(change: Change) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        name = name_of(cluster)
        before = pod_spec(cluster.find("Deployment", name) or {})
        cluster.edit("Deployment", name, change)
        await cluster.until(lambda: warnings(cluster, "TemplateChanged"), within=30, say="there is an Event")
        await cluster.until(lambda: serves(cluster, 1), within=120, say="version 1 serves")
        assert pod_spec(cluster.find("Deployment", name) or {}) == before
        await cluster.until(lambda: FOREIGN not in images(cluster), within=10, say="the foreign pods are gone")
        assert warnings(cluster, "TemplateChanged") == 1
        told = {(one["type"], one["status"]) for one in conditions(cluster) if one["reason"] == "TemplateChanged"}
        assert told == {("Ready", "False"), ("Reconciling", "True"), ("Serving", "Unknown")}

    play(story)


@pytest.mark.parametrize("change", [restart, inject_sidecar, add_label])
def test_what_others_add_to_a_template_is_theirs(change: Change) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        name = name_of(cluster)
        await cluster.quiet()
        theirs = cluster.edit("Deployment", name, change)["spec"]
        for _ in range(600):
            await asyncio.sleep(0.5)
            assert is_ready(cluster, "ModelDeployment")
        assert (cluster.find("Deployment", name) or {})["spec"] == theirs

    play(story)


def test_a_template_that_is_changed_again_and_again_is_put_right_ever_more_rarely_and_it_is_said() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        name = name_of(cluster)
        await cluster.quiet()
        start = cluster.loop.time()
        while cluster.loop.time() < start + 5000:
            found = cluster.find("Deployment", name) or {}
            if pod_spec(found)["containers"][0]["image"] != FOREIGN:
                cluster.edit("Deployment", name, set_image)
            await asyncio.sleep(5)
        assert "TemplateContested" in reason(cluster, "Stalled")
        assert "is next put right at" in reason(cluster, "Ready")
        repaired = [
            change.at
            for change in cluster.history
            if change.ref.kind == "Deployment" and change.manager == "steadfit" and change.operation == "apply"
        ]
        pauses = [later - earlier for earlier, later in pairwise(repaired)]
        assert [round(pause / 60) for pause in pauses] == [0, 0, 10, 20, 40]
        stalled = [one for one in conditions(cluster) if one["type"] == "Stalled"]
        assert len({one["lastTransitionTime"] for one in stalled}) == 1, "it is said once, and stays"
        await cluster.until(lambda: FOREIGN not in images(cluster), within=5000, say="the last repair")
        await cluster.until(lambda: serves(cluster, 1), within=3700, say="version 1 serves once they have stopped")

    play(story)


def test_a_candidate_whose_template_was_changed_does_not_go_live_with_it() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: "candidate" in cluster.status("ModelDeployment", NAME), say="there is a candidate")
        name = name_of(cluster, "candidate")
        await cluster.until(lambda: cluster.find("ControllerRevision", name) is not None, say="its template is kept")
        cluster.edit("Deployment", name, set_image)
        await cluster.until(lambda: serves(cluster, 2), within=600, say="version 2 serves")
        await cluster.until(lambda: FOREIGN not in images(cluster), within=10, say="the foreign pods are gone")

    play(story)


def set_args(deployment: JSON) -> None:
    """Let the server's container run something else: nothing that the operator declares has another value."""
    deployment["spec"]["template"]["spec"]["containers"][0]["command"] = ["python", "-m", "http.server"]


def shrink_volume(deployment: JSON) -> None:
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    next(one for one in volumes if one["name"] == "model")["emptyDir"]["sizeLimit"] = "1Mi"


async def is_right_again(cluster: SimulatedCluster) -> None:
    """Wait until version 1 serves by the pods that the operator declares, and nothing is left of another one."""
    await cluster.until(lambda: serves(cluster, 1), within=300, say="version 1 serves")
    spec = pod_spec(cluster.find("Deployment", name_of(cluster)) or {})
    server = spec["containers"][0]
    assert (server["image"], server.get("command") or None) == (PLATFORM.server_image, None)
    assert not server["securityContext"]["allowPrivilegeEscalation"]
    assert "elsewhere" not in str(server["env"])
    assert [one["emptyDir"]["sizeLimit"] for one in spec["volumes"] if one["name"] == "model"] == ["10Gi"]


CHANGES = [set_image, set_args, allow_escalation, other_artifact, shrink_volume]


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_policy_makes_of_a_new_deployment_is_not_what_was_proven(change: Change) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        create = cluster.store.create

        def admit(manifest: Mapping[str, Any], manager: str) -> JSON:
            """Change the Deployment at its admission, before anyone has seen it."""
            copy = clone(dict(manifest))
            if copy["kind"] == "Deployment":
                change(copy)
            return create(copy, manager)

        cluster.store.create = admit  # type: ignore[method-assign]
        await first_version_serves(cluster)
        assert warnings(cluster, "TemplateChanged")
        await is_right_again(cluster)

    play(story)


@pytest.mark.parametrize("change", CHANGES)
def test_a_template_that_changes_while_no_leader_looks_and_has_no_frozen_one_is_put_right(change: Change) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        name = name_of(cluster)
        cluster.stop()
        cluster.delete("ControllerRevision", name)
        cluster.edit("Deployment", name, change)
        cluster.boot()
        await cluster.until(lambda: warnings(cluster, "TemplateChanged"), within=60, say="there is an Event")
        await is_right_again(cluster)
        assert cluster.find("ControllerRevision", name) is not None

    play(story)


def test_a_frozen_template_that_someone_has_written_proves_nothing() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        name = name_of(cluster)
        cluster.stop()
        forged = cluster.find("ControllerRevision", name) or {}
        cluster.delete("ControllerRevision", name)
        cluster.edit("Deployment", name, set_image)
        forged["data"]["template"]["spec"]["containers"][0]["image"] = FOREIGN
        del forged["metadata"]["uid"], forged["metadata"]["resourceVersion"]
        cluster.create(forged)
        cluster.boot()
        await cluster.until(lambda: warnings(cluster, "TemplateChanged"), within=60, say="there is an Event")
        await is_right_again(cluster)
        assert FOREIGN not in str(cluster.find("ControllerRevision", name))

    play(story)


def test_what_can_not_be_proven_any_more_is_never_called_ready_and_it_is_said_what_to_do() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        name = name_of(cluster)
        cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"].update(pin={"version": 1}))
        await cluster.quiet()
        cluster.stop()
        cluster.delete("ControllerRevision", name)
        cluster.delete("ArtifactStore", "default")
        cluster.edit("Deployment", name, set_image)
        cluster.boot()
        await cluster.until(lambda: "TemplateUnproven" in reason(cluster, "Ready"), within=60, say="it is said")
        assert "Unknown TemplateUnproven" in reason(cluster, "Serving")
        assert f"ControllerRevision {name}" in reason(cluster, "Stalled")

    play(story)


QUOTA = "exceeded quota: objects, requested: count/controllerrevisions.apps=1, used: 0, limited: 0"


@pytest.mark.parametrize("error", [APIError(500, "InternalError", "failed calling webhook"), NameTaken("another's")])
def test_a_controller_revision_that_cannot_be_created_holds_up_nothing_else(error: Exception) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        create = cluster.store.create

        def admit(manifest: Mapping[str, Any], manager: str) -> JSON:
            if manifest["kind"] == "ControllerRevision":
                raise error
            return create(manifest, manager)

        cluster.refuses = True
        cluster.store.create = admit  # type: ignore[method-assign]
        await first_version_serves(cluster)
        for number in (2, 3):
            set_param(cluster, "depth", 4 + number)
            await cluster.until(partial(serves, cluster, number), say="the next version serves")
            await cluster.until(partial(some_pod_is_labelled, cluster), within=1, say="a pod has the label")
        await cluster.until(lambda: len(cluster.objects("Deployment")) == 2, within=600, say="version 1 is retired")

    play(story)


@pytest.mark.parametrize("refused", ["templates", "decisions", "one of each"])
@pytest.mark.parametrize("error", [Forbidden(403, "Forbidden", "too large"), NameTaken("another's")])
def test_a_refused_record_keeps_no_other_record_from_being_stored(refused: str, error: Exception) -> None:
    """Two servers are tried and aborted while no record can be stored, so that two decisions and a template wait."""

    async def story(cluster: SimulatedCluster) -> None:
        create, barred, full = cluster.store.create, set[str](), [True]

        def is_refused(metadata: Mapping[str, Any]) -> bool:
            is_decision = names.DECISION in metadata["labels"]
            if full[0]:
                return True
            if refused == "one of each" and not any(is_decision == name.endswith("abandoned") for name in barred):
                barred.add(metadata["name"])
            return metadata["name"] in barred or refused == ("decisions" if is_decision else "templates")

        def admit(manifest: Mapping[str, Any], manager: str) -> JSON:
            if manifest["kind"] == "ControllerRevision" and is_refused(manifest["metadata"]):
                raise error
            return create(manifest, manager)

        cluster.refuses = True
        cluster.store.create = admit  # type: ignore[method-assign]
        await first_version_serves(cluster)
        server = (cluster.find("ModelDeployment", NAME) or {})["spec"]["server"]
        for image in ("server:a", "server:b"):
            changed = {**server, "image": image}
            cluster.edit("ModelDeployment", NAME, partial(set_server, changed))
            await cluster.until(lambda: "candidate" in cluster.status("ModelDeployment", NAME), say="it is tried")
            cluster.create(action(f"abort-{image[-1]}", "Abort"))
            await cluster.until(
                lambda: "candidate" not in cluster.status("ModelDeployment", NAME), say="the candidate is aborted"
            )
        cluster.edit("ModelDeployment", NAME, partial(set_server, server))
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves as before")
        full[0] = False
        await asyncio.sleep(300)
        labels = [one["metadata"]["labels"].get(names.DECISION) for one in cluster.objects("ControllerRevision")]
        stored = [word is not None for word in labels if word in (None, "Abandoned")]
        decisions = {"templates": 2, "decisions": 0, "one of each": 1}
        templates = {"templates": 0, "decisions": 1, "one of each": 0}
        assert (sum(stored), len(stored) - sum(stored)) == (decisions[refused], templates[refused])

    play(story, restart=False)


def test_a_refused_controller_revision_is_said_within_a_minute_and_holds_up_nothing_else() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        create, full = cluster.store.create, [True]

        def admit(manifest: Mapping[str, Any], manager: str) -> JSON:
            if manifest["kind"] == "ControllerRevision" and full[0]:
                raise Forbidden(403, "Forbidden", QUOTA)
            return create(manifest, manager)

        cluster.refuses = True
        cluster.store.create = admit  # type: ignore[method-assign]
        await first_version_serves(cluster)
        await cluster.until(lambda: QUOTA in reason(cluster, "PodTemplatesStored"), within=60, say="it is said")
        assert warnings(cluster, "ControllerRevisionRefused") == 1
        cluster.edit("Deployment", name_of(cluster), set_image)
        await cluster.until(lambda: warnings(cluster, "TemplateChanged"), within=60, say="a change is seen")
        await is_right_again(cluster)
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
        first = name_of(cluster, "lastGood")
        set_param(cluster, "depth", 7)
        await cluster.until(lambda: serves(cluster, 3), say="version 3 serves")
        await cluster.until(lambda: cluster.find("Deployment", first) is None, say="version 1 is gone")
        full[0] = False
        await cluster.until(
            lambda: reason(cluster, "PodTemplatesStored").startswith("True"), within=180, say="it is over"
        )
        assert cluster.find("ControllerRevision", name_of(cluster)) is not None

    play(story)
