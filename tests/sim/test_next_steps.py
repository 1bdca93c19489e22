"""A user does what the conditions say, and nothing else: the named next step leads on.

Each story reads what `kubectl get mdep` and `kubectl describe` show, as a person on call does at night.
"""

from __future__ import annotations

from typing import Any

import pytest

from .harness import play
from .objects import JSON
from .observations import live, serves
from .scenarios import first_version_serves, set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action, model_deployment


def shown(cluster: SimulatedCluster, kind: str = "Progressing") -> tuple[str, str]:
    """Return the reason and the message of a condition."""
    conditions = cluster.status("ModelDeployment", NAME).get("conditions", ())
    found: JSON = next((one for one in conditions if one["type"] == kind), {"reason": "", "message": ""})
    return found["reason"], found["message"]


def server(cluster: SimulatedCluster, image: str) -> None:
    cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"]["server"].update(image=image))


def serves_by(cluster: SimulatedCluster, image: str) -> bool:
    """Return whether the live revision has this server image."""
    revision = cluster.status("ModelDeployment", NAME).get("live", {}).get("revision")
    found = cluster.find("Deployment", f"{NAME}-{revision}")
    return bool(found) and found["spec"]["template"]["spec"]["containers"][0]["image"] == image  # type: ignore[index]


async def begun(cluster: SimulatedCluster, **spec: Any) -> None:
    await first_version_serves(cluster)
    cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"].update(model_deployment(**spec)["spec"]))
    await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")


async def done(cluster: SimulatedCluster, name: str) -> JSON:
    """Wait for the end of an action, and return its status."""
    await cluster.until(lambda: cluster.status("ModelAction", name).get("phase") in ("Succeeded", "Rejected"))
    return cluster.status("ModelAction", name)


def test_the_pods_of_the_live_version_were_rolled_back_and_the_older_story_of_another_version_misleads_nobody() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await begun(cluster)
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
        cluster.create(action("back", "Rollback"))
        await done(cluster, "back")
        cluster.create(action("mercy", "Release", version=2))
        await done(cluster, "mercy")
        assert shown(cluster)[0] == "Released"
        server(cluster, "mine:bad")
        await cluster.until(lambda: serves(cluster, 1) and serves_by(cluster, "mine:bad"), say="other pods serve")
        cluster.create(action("pods", "Rollback"))
        await done(cluster, "pods")
        await cluster.until(lambda: shown(cluster)[0] == "Quarantined", say="the newest decision is shown")
        message = shown(cluster)[1]
        assert message.startswith("the pod template of version 1 (revision "), message
        assert message.index("change spec.server") < message.index("a Promote of version 2"), message
        server(cluster, "mine:good")
        await cluster.until(lambda: serves(cluster, 1) and serves_by(cluster, "mine:good"), say="corrected pods serve")

    play(story)


def test_a_version_that_was_rolled_back_with_its_pods_is_served_by_others_as_its_message_says() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await begun(cluster)
        server(cluster, "mine:bad")
        await cluster.until(lambda: serves(cluster, 1) and serves_by(cluster, "mine:bad"), say="other pods serve")
        cluster.create(action("pods", "Rollback"))
        await done(cluster, "pods")
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
        cluster.create(action("back", "Rollback"))
        await done(cluster, "back")
        await cluster.until(lambda: shown(cluster)[0] == "Quarantined", say="it is shown")
        assert live(cluster) == 1
        model = next(one for one in cluster.objects("ModelVersion") if one["spec"]["number"] == 2)
        assert "quarantine" not in model["status"], "what `kubectl get mv` shows"
        assert "not its model, is in quarantine" in shown(cluster)[1]
        assert "correct spec.server, then a Promote of version 2 serves it" in shown(cluster)[1]
        server(cluster, "mine:good")
        await cluster.until(lambda: "spec.server has changed since" in shown(cluster)[1], say="the correction is seen")
        cluster.create(action("again", "Promote", version=2))
        await cluster.until(lambda: serves(cluster, 2), say="version 2 serves by other pods")

    play(story)


@pytest.mark.parametrize("step", ["raise", "release"])
def test_a_rollback_at_0_replicas_names_what_ends_it(step: str) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await begun(cluster)
        for number in (2, 3):
            set_param(cluster, "depth", number)
            await cluster.until(lambda number=number: serves(cluster, number), say="it serves")  # type: ignore[misc]
        cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"]["server"].update(replicas=0))
        await cluster.until(lambda: shown(cluster, "Ready")[0] == "ScaledToZero", say="there are no pods")
        cluster.create(action("back", "Rollback", version=1))
        await cluster.until(lambda: "raise spec.server.replicas" in cluster.status("ModelAction", "back")["message"])
        assert cluster.status("ModelAction", "back")["phase"] == "Pending"
        if step == "raise":
            cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"]["server"].update(replicas=2))
            assert (await done(cluster, "back"))["phase"] == "Succeeded"
            assert live(cluster) == 1
        else:
            cluster.create(action("keep", "Release", version=3))
            assert (await done(cluster, "back"))["phase"] == "Rejected"
            assert live(cluster) == 3

    play(story)
