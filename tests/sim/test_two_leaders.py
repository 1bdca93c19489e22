"""A leader that stood still while another one took over, and goes on without knowing it."""

from __future__ import annotations

import asyncio

from .behaviour import Training
from .client import CrashPlan, Write
from .harness import play
from .installation import Conditions, World
from .observations import live, serves
from .scenarios import first_version_serves, set_param
from .starting_objects import NAME, action


def service_apply(write: Write) -> bool:
    return write.verb == "apply" and write.ref.kind == "Service"


def test_a_thawed_leader_cannot_point_traffic_at_what_was_rolled_back_meanwhile() -> None:
    """It was about to move traffic to version 2 when it froze. The next leader rolled version 2 back at once."""

    async def scenario(world: World) -> None:
        await first_version_serves(world)
        set_param(world, "depth", 6)
        await world.until(lambda: world.crashes == 1, say="the leader froze before it moved traffic")
        assert live(world) == 2
        world.create(action("back", "Rollback"))
        await world.until(lambda: serves(world, 1), say="version 2 is rolled back")
        await asyncio.sleep(300)
        assert serves(world, 1)

    play(scenario, Conditions(crash=CrashPlan(service_apply, "frozen"), thaw_seconds=120), restart=False)


def test_a_thawed_leader_cannot_scale_what_belongs_to_the_next_one() -> None:
    """It was about to scale version 1 down when it froze. Meanwhile version 1 is live again."""

    async def scenario(world: World) -> None:
        await first_version_serves(world)
        world.training = lambda run, attempt: Training(seconds=5)
        # Without a bake the last good version is not kept warm.
        world.edit("ModelDeployment", NAME, lambda obj: obj["spec"].update(bakeDuration="0s"))
        set_param(world, "depth", 6)
        await world.until(lambda: world.crashes == 1, say="the leader froze before it scaled version 1 down")
        world.create(action("back", "Rollback"))
        await world.until(lambda: serves(world, 1), say="version 1 serves again")
        await asyncio.sleep(300)
        status = world.status("ModelDeployment", NAME)
        assert serves(world, 1)
        assert status["replicas"] == 2

    def scale_down(write: Write) -> bool:
        return write.verb == "apply" and write.ref.kind == "Deployment" and write.manifest["spec"]["replicas"] == 0

    play(scenario, Conditions(crash=CrashPlan(scale_down, "frozen"), thaw_seconds=120), restart=False)
