"""Actions that people create beside each other, or while no operator runs: each does what its author meant."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from .harness import play
from .objects import JSON
from .observations import live, serves
from .scenarios import first_version_serves, set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action


async def three_versions(cluster: SimulatedCluster) -> None:
    """Let version 3 serve, after 1 and 2."""
    await first_version_serves(cluster)
    for number in (2, 3):
        set_param(cluster, "depth", number + 4)
        await cluster.until(partial(serves, cluster, number), say=f"version {number} serves")
    await asyncio.sleep(60)


def quarantined(cluster: SimulatedCluster) -> list[int]:
    return [entry["number"] for entry in cluster.status("ModelDeployment", NAME).get("quarantine", ())]


def result(cluster: SimulatedCluster, name: str) -> tuple[str | None, str]:
    status: JSON = cluster.status("ModelAction", name)
    return status.get("phase"), status.get("message", "")


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("seconds", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("first", ["Rollback", "Quarantine"])
def test_two_people_who_roll_back_one_fault_roll_back_one_version(
    first: str, away: bool, seconds: float, seed: int
) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await three_versions(cluster)
        if away:
            cluster.stop()
        cluster.create(action("jane", first, 3 if first == "Quarantine" else None))
        await asyncio.sleep(seconds)
        cluster.create(action("joe", "Rollback"))
        if away:
            await asyncio.sleep(20)
            cluster.boot()
        await asyncio.sleep(600)
        assert (live(cluster), quarantined(cluster)) == (2, [3])
        assert [result(cluster, name)[0] for name in ("jane", "joe")] == ["Succeeded"] * 2

    play(story, seed=seed, restart=False)


def test_a_rollback_of_what_serves_does_not_hit_what_goes_live_before_the_operator_is_back() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
        await asyncio.sleep(60)
        set_param(cluster, "depth", 7)
        candidate = "version 3 comes up"
        await cluster.until(lambda: cluster.status("ModelDeployment", NAME).get("candidate"), say=candidate)
        cluster.stop()
        await asyncio.sleep(10)
        cluster.create(action("back", "Rollback"))
        await asyncio.sleep(120)
        cluster.boot()
        await asyncio.sleep(600)
        phase, message = result(cluster, "back")
        assert (live(cluster), quarantined(cluster), phase) in [(3, [], "Rejected"), (1, [2], "Succeeded")], message

    play(story, restart=False)
