"""A Deployment that is deleted comes back with the pod template that its revision has always had."""

from __future__ import annotations

import pytest

from .behaviour import Serving
from .harness import play
from .objects import JSON
from .observations import is_ready, live, serves
from .scenarios import Scenario, first_version_serves, set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action

OTHER_IMAGE = "registry.example.com/server:2"


def deployment_name(cluster: SimulatedCluster, place: str = "live") -> str:
    return f"{NAME}-{cluster.status('ModelDeployment', NAME)[place]['revision']}"


def answers(cluster: SimulatedCluster, number: int) -> bool:
    """Return whether all pods of a version answer, whatever is being rolled out beside it."""
    ready = is_ready(cluster, "ModelDeployment") and cluster.status("ModelDeployment", NAME).get("replicas") == 2
    return ready and live(cluster) == number


def reason(cluster: SimulatedCluster, type_: str) -> str:
    """Return reason and message of a condition; empty without it."""
    found = [one for one in cluster.status("ModelDeployment", NAME).get("conditions", []) if one["type"] == type_]
    return f"{found[0]['reason']}: {found[0]['message']}" if found else ""


def template(cluster: SimulatedCluster, name: str) -> JSON:
    found = cluster.find("Deployment", name)
    assert found is not None
    return dict(found["spec"]["template"])


def change_server(cluster: SimulatedCluster) -> None:
    """Change spec.server to an image whose pods never start, so that the revision before it keeps serving."""
    cluster.serving = lambda deployment: Serving(
        "ImageMissing" if deployment["spec"]["template"]["spec"]["containers"][0]["image"] == OTHER_IMAGE else "Ready"
    )
    cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"]["server"].update(image=OTHER_IMAGE))


def change_store(cluster: SimulatedCluster) -> None:
    """Point the store somewhere else: the same version renders to other pods, which never start."""
    cluster.serving = lambda deployment: Serving(
        "ImageMissing" if "elsewhere" in str(deployment["spec"]["template"]) else "Ready"
    )
    change = {"endpoint": "https://elsewhere.example.com"}
    cluster.edit("ArtifactStore", "default", lambda obj: obj["spec"].update(s3=change))


def delete_store(cluster: SimulatedCluster) -> None:
    cluster.delete("ArtifactStore", "default")


def delete_version(cluster: SimulatedCluster) -> None:
    cluster.delete("ModelVersion", f"{NAME}-v1")


@pytest.mark.parametrize("change", [change_server, change_store, delete_store, delete_version])
def test_a_deleted_deployment_comes_back_as_it_was_though_all_it_was_made_of_has_changed(change: Scenario) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        name = deployment_name(cluster)
        before = template(cluster, name)
        change(cluster)
        await cluster.quiet()
        cluster.delete("Deployment", name)
        await cluster.until(lambda: cluster.find("Deployment", name) is None, say="it is gone")
        await cluster.until(lambda: cluster.find("Deployment", name) is not None, say="it is back")
        await cluster.until(lambda: answers(cluster, 1), within=300, say="version 1 answers again")
        assert template(cluster, name) == before

    play(story)


@pytest.mark.parametrize("change", [change_server, change_store])
def test_a_rollback_uses_the_template_that_was_proven_though_its_deployment_was_deleted(change: Scenario) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        before = template(cluster, deployment_name(cluster))
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
        await cluster.quiet()
        name = deployment_name(cluster, "lastGood")
        cluster.delete("Deployment", name)
        await cluster.quiet()
        change(cluster)
        cluster.create(action("back", "Rollback"))
        await cluster.until(lambda: answers(cluster, 1), within=600, say="version 1 answers")
        assert template(cluster, name) == before

    play(story)


def test_a_version_that_can_not_be_started_again_is_replaced_by_the_last_good_one() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
        lose(cluster, deployment_name(cluster))
        await cluster.until(lambda: serves(cluster, 1), within=600, say="version 1 serves")

    play(story)


def test_when_nothing_can_be_started_it_is_said_what_is_missing() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        lose(cluster, deployment_name(cluster))
        await cluster.until(lambda: "PodTemplateLost" in reason(cluster, "Stalled"), within=60, say="it is Stalled")
        assert "ArtifactStore default" in reason(cluster, "Ready")

    play(story)


def lose(cluster: SimulatedCluster, name: str) -> None:
    """Delete a revision's Deployment and its frozen template, and the store that it could be rendered with.

    All at once, while the operator is away: it makes one of the other.
    """
    cluster.stop()
    delete_store(cluster)
    cluster.delete("ControllerRevision", name)
    cluster.delete("Deployment", name)
    cluster.boot()
