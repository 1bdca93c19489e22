"""A leader that stood still while another one took over, and goes on without knowing it."""

from __future__ import annotations

import asyncio

from .behaviour import Training
from .client import CrashPlan, Write
from .harness import play
from .observations import live, serves
from .scenarios import first_version_serves, set_param
from .simulated_cluster import Conditions, SimulatedCluster
from .starting_objects import NAME, action


def service_apply(write: Write) -> bool:
    return write.verb == "patch" and write.ref.kind == "Service"


def test_a_thawed_leader_cannot_point_traffic_at_what_was_rolled_back_meanwhile() -> None:
    """It was about to move traffic to version 2 when it froze. The next leader rolled version 2 back at once."""

    async def scenario(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: cluster.crashes == 1, say="the leader froze before it moved traffic")
        assert live(cluster) == 2
        cluster.create(action("back", "Rollback"))
        await cluster.until(lambda: serves(cluster, 1), say="version 2 is rolled back")
        await asyncio.sleep(300)
        assert serves(cluster, 1)

    play(scenario, Conditions(crash=CrashPlan(service_apply, "frozen"), thaw_seconds=120), restart=False)


def test_a_thawed_leader_cannot_scale_what_belongs_to_the_next_one() -> None:
    """It was about to scale version 1 down when it froze. Meanwhile version 1 is live again."""

    async def scenario(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        cluster.training = lambda run, attempt: Training(seconds=5)
        # Without a bake the last good version is not kept warm.
        cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"].update(bakeDuration="0s"))
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: cluster.crashes == 1, say="the leader froze before it scaled version 1 down")
        cluster.create(action("back", "Rollback"))
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves again")
        await asyncio.sleep(300)
        status = cluster.status("ModelDeployment", NAME)
        assert serves(cluster, 1)
        assert status["replicas"] == 2

    def scale_down(write: Write) -> bool:
        return write.verb == "apply" and write.ref.kind == "Deployment" and write.manifest["spec"]["replicas"] == 0

    play(scenario, Conditions(crash=CrashPlan(scale_down, "frozen"), thaw_seconds=120), restart=False)
