"""A pod template that someone else changes is put right, and what they add to it is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from .harness import play
from .objects import JSON
from .observations import is_ready, serves
from .scenarios import first_version_serves, set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME

FOREIGN = "registry.example.com/mallory/server:1"


def name_of(cluster: SimulatedCluster, place: str = "live") -> str:
    return f"{NAME}-{cluster.status('ModelDeployment', NAME)[place]['revision']}"


def pod_spec(deployment: JSON) -> JSON:
    return dict(deployment["spec"]["template"]["spec"])


def set_image(deployment: JSON) -> None:
    """Do what `kubectl set image` does."""
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = FOREIGN


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
