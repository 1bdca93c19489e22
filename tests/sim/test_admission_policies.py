"""What admission makes of every apply of a pod template is as it should be; what others change is put right."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from steadfit.core import names

from .harness import play
from .objects import JSON
from .observations import is_idle, is_ready, serves
from .scenarios import Scenario, first_version_serves
from .simulated_cluster import PLATFORM, SimulatedCluster
from .starting_objects import NAME, action
from .test_canary import a_candidate_is_tried, fails
from .test_foreign_templates import (
    FOREIGN,
    allow_escalation,
    images,
    name_of,
    other_artifact,
    pod_spec,
    reason,
    set_args,
    set_image,
    warnings,
)

MIRROR = "mirror.example.com/"


class Mirror:
    """A policy that rewrites the images and the memory of Deployments, as a registry mirror does."""

    def __init__(self, host: str = MIRROR, *, at_creation_only: bool = False) -> None:
        self.host = host
        self._at_creation_only = at_creation_only

    def __call__(self, new: JSON, old: Mapping[str, Any] | None) -> None:
        if new["kind"] != "Deployment" or (old is not None and self._at_creation_only):
            return
        server = new["spec"]["template"]["spec"]["containers"][0]
        server["image"] = self.host + server["image"].rsplit("mirror.example.com/", 1)[-1]
        server.setdefault("resources", {}).setdefault("requests", {})["memory"] = "3Gi"


def image(cluster: SimulatedCluster, place: str = "live") -> str:
    return str(pod_spec(cluster.find("Deployment", name_of(cluster, place)) or {})["containers"][0]["image"])


def changes_are(cluster: SimulatedCluster, number: int) -> bool:
    return warnings(cluster, "TemplateChanged") == number


def run_image(name: str, deployment: JSON) -> None:
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = name


async def version_1_serves_by_a_mirror(cluster: SimulatedCluster, *, at_creation_only: bool = False) -> Mirror:
    mirror = Mirror(at_creation_only=at_creation_only)
    cluster.store.policies.append(mirror)
    await first_version_serves(cluster)
    await cluster.until(lambda: is_ready(cluster, "ModelDeployment"), within=60, say="it is Ready")
    return mirror


async def is_right_again(cluster: SimulatedCluster) -> None:
    """Wait until version 1 serves by the pods that admission makes of what the operator declares."""
    await cluster.until(
        lambda: serves(cluster, 1) and is_ready(cluster, "ModelDeployment"), within=120, say="it is Ready again"
    )
    server = pod_spec(cluster.find("Deployment", name_of(cluster)) or {})["containers"][0]
    assert (server["image"], server.get("command") or None) == (MIRROR + PLATFORM.server_image, None)
    assert not server["securityContext"]["allowPrivilegeEscalation"]
    await cluster.until(lambda: FOREIGN not in str(images(cluster)), within=60, say="the foreign pods are gone")


async def stays_ready(cluster: SimulatedCluster, seconds: float) -> None:
    for _ in range(int(seconds / 5)):
        await asyncio.sleep(5)
        assert is_ready(cluster, "ModelDeployment"), reason(cluster, "Ready")


def servers(cluster: SimulatedCluster) -> set[str]:
    """Return the uids of the pods of servers."""
    pods = (pod["metadata"] for pod in cluster.objects("Pod"))
    return {metadata["uid"] for metadata in pods if names.REVISION in metadata["labels"]}


# Stories


async def what_admission_makes_of_every_apply_is_green_and_named(cluster: SimulatedCluster) -> None:
    await version_1_serves_by_a_mirror(cluster)
    await stays_ready(cluster, 4000)
    assert image(cluster) == MIRROR + PLATFORM.server_image
    assert f"image {PLATFORM.server_image} became {MIRROR}{PLATFORM.server_image}" in reason(cluster, "Serving")
    assert warnings(cluster, "TemplateAdmitted") == 1
    assert not warnings(cluster, "TemplateChanged")
    assert not warnings(cluster, "TemplateContested")


async def a_person_is_put_right_while_admission_is_left_alone(cluster: SimulatedCluster) -> None:
    await version_1_serves_by_a_mirror(cluster)
    changes = {set_args: ".command", set_image: ".image", allow_escalation: ".allowPrivilegeEscalation"}
    for turn, (change, field) in enumerate(changes.items(), start=1):
        cluster.edit("Deployment", name_of(cluster), change)
        await cluster.until(partial(changes_are, cluster, turn), within=30, say="there is an Event")
        assert field in str([event["note"] for event in cluster.objects("Event")])
        await is_right_again(cluster)
    assert warnings(cluster, "TemplateAdmitted") == 1


async def both_at_once_are_told_apart(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster)
    cluster.store.policies.append(Mirror())
    cluster.edit("Deployment", name_of(cluster), set_args)
    await cluster.until(lambda: warnings(cluster, "TemplateAdmitted") == 1, within=30, say="the policy is named")
    await is_right_again(cluster)
    assert ".command" not in reason(cluster, "Serving")


async def another_output_of_the_policy_is_admitted_by_an_apply(cluster: SimulatedCluster) -> None:
    mirror = await version_1_serves_by_a_mirror(cluster)
    mirror.host = "new." + MIRROR
    await stays_ready(cluster, 600)
    assert image(cluster) == MIRROR + PLATFORM.server_image
    cluster.edit("Deployment", name_of(cluster), lambda obj: obj["metadata"]["labels"].update(team="risk"))
    await cluster.until(lambda: warnings(cluster, "TemplateAdmitted") == 2, within=60, say="it is admitted")
    await cluster.until(lambda: is_ready(cluster, "ModelDeployment"), within=120, say="it is Ready")
    assert f"became new.{MIRROR}" in reason(cluster, "Serving")


async def a_policy_for_new_objects_only_is_put_right(cluster: SimulatedCluster) -> None:
    await version_1_serves_by_a_mirror(cluster, at_creation_only=True)
    assert image(cluster) == PLATFORM.server_image
    assert warnings(cluster, "TemplateChanged") == 1
    assert not warnings(cluster, "TemplateAdmitted")


async def a_canary_a_promotion_and_a_rollback_under_a_policy(cluster: SimulatedCluster) -> None:
    cluster.store.policies.append(Mirror())
    await a_candidate_is_tried(cluster, fails(0))
    await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
    assert image(cluster) == image(cluster, "lastGood") == MIRROR + PLATFORM.server_image
    cluster.create(action("back", "Rollback"))
    await cluster.until(lambda: serves(cluster, 1) and is_idle(cluster), say="version 1 serves")
    await cluster.until(lambda: is_ready(cluster, "ModelDeployment"), say="it is Ready")
    assert not warnings(cluster, "TemplateContested")


async def a_restart_and_a_lost_status_change_nothing(cluster: SimulatedCluster) -> None:
    await version_1_serves_by_a_mirror(cluster)
    await cluster.quiet()
    cluster.stop()
    cluster.boot()
    await cluster.quiet()
    await stays_ready(cluster, 300)
    assert warnings(cluster, "TemplateAdmitted") == 1
    cluster.stop()
    cluster.lose_status("ModelDeployment", NAME)
    cluster.boot()
    await is_right_again(cluster)
    assert "became" in reason(cluster, "Serving")
    before = servers(cluster)
    cluster.delete("Deployment", name_of(cluster))
    await cluster.until(lambda: before.isdisjoint(servers(cluster)), within=120, say="its pods are gone")
    await is_right_again(cluster)
    await stays_ready(cluster, 4000)


async def another_artifact_is_never_admitted(cluster: SimulatedCluster) -> None:
    def other_model(new: JSON, old: Mapping[str, Any] | None) -> None:
        if new["kind"] == "Deployment" and old is not None:
            other_artifact(new)

    await first_version_serves(cluster)
    cluster.store.policies.append(other_model)
    cluster.edit("Deployment", name_of(cluster), lambda obj: obj["metadata"]["labels"].update(team="risk"))
    await cluster.until(lambda: "TemplateContested" in reason(cluster, "Ready"), within=1200, say="it is contested")
    assert not warnings(cluster, "TemplateAdmitted")


@pytest.mark.parametrize(
    "story",
    [
        what_admission_makes_of_every_apply_is_green_and_named,
        a_person_is_put_right_while_admission_is_left_alone,
        both_at_once_are_told_apart,
        another_output_of_the_policy_is_admitted_by_an_apply,
        a_policy_for_new_objects_only_is_put_right,
        a_canary_a_promotion_and_a_rollback_under_a_policy,
        a_restart_and_a_lost_status_change_nothing,
        another_artifact_is_never_admitted,
    ],
)
def test_admission_and_persons_are_told_apart(story: Scenario) -> None:
    play(story)


def test_a_controller_that_changes_the_template_after_each_repair_is_still_contested() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        name, turn = name_of(cluster), 0
        await cluster.quiet()
        start = cluster.loop.time()
        while cluster.loop.time() < start + 300:
            if image(cluster) == PLATFORM.server_image:
                turn += 1
                cluster.edit("Deployment", name, partial(run_image, f"registry.example.com/server:{turn}"))
            await asyncio.sleep(5)
        assert "TemplateContested" in reason(cluster, "Ready")
        assert not warnings(cluster, "TemplateAdmitted")

    play(story)
