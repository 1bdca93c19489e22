"""A person's Rollback to warm pods moves the traffic in as few writes as its decision allows."""

from __future__ import annotations

import asyncio

import pytest
from steadfit.core import names

from .client import Write
from .harness import play
from .observations import serves
from .scenarios import first_version_serves, set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action, model_deployment, training_job

SERVICE_SECONDS = 0.5
"""Longest time from the creation of the action to the change of the Service: a watch event of up to 0.2 s, and three
writes of up to 0.1 s each."""
DRAIN_SECONDS = 0.75
"""Longest time until the two pods of the bad version are told to drain: two writes more."""


async def rolled_back(cluster: SimulatedCluster) -> tuple[list[Write], float, float]:
    """Return the writes after a Rollback, and the seconds until the Service moved and until the old pods drain."""
    await first_version_serves(cluster)
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
    await asyncio.sleep(120)
    bad = cluster.status("ModelDeployment", NAME)["live"]["revision"]
    written, seen, began = len(cluster.conditions.crash.trace), len(cluster.history), cluster.loop.time()
    cluster.create(action("back", "Rollback"))
    await cluster.until(lambda: serves(cluster, 1), say="version 1 serves again")
    await asyncio.sleep(5)
    changes = cluster.history[seen:]
    moved = next(change.at for change in changes if change.ref.kind == "Service")
    drained = [
        change.at
        for change in changes
        if change.ref.kind == "Pod"
        and change.new["metadata"]["labels"][names.REVISION] == bad
        and change.new["metadata"].get("annotations", {}).get(names.DRAIN_ANNOTATION) == "true"
        and (change.old or {}).get("metadata", {}).get("annotations") != change.new["metadata"]["annotations"]
    ]
    assert len(drained) == 2
    return cluster.conditions.crash.trace[written:], moved - began, max(drained) - began


def test_the_service_moves_by_the_third_write_after_the_action_and_the_old_pods_drain_next() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        writes, _, _ = await rolled_back(cluster)
        ours = [f"{write.verb} {write.ref.kind}" for write in writes if write.ref.kind != "ModelVersion"]
        # The action shows that it is pending while its target works.
        chain = [write for write in ours if write not in ("status ModelAction", "create Job")]
        assert ours[0] == "apply ModelAction"
        assert chain[:5] == [
            "apply ModelAction",
            "status ModelDeployment",
            "patch Service",
            "apply Pod",
            "apply Pod",
        ], ours

    play(story, restart=False)


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_rollback_to_warm_pods_takes_half_a_second_of_watches_and_writes(seed: int) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        _, moved, drained = await rolled_back(cluster)
        assert moved <= SERVICE_SECONDS
        assert drained <= DRAIN_SECONDS

    play(story, seed=seed, restart=False)


def test_a_rollback_does_not_wait_for_the_passes_over_other_objects() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
        await asyncio.sleep(120)
        for number in range(150):
            cluster.create(training_job(f"other-{number}", suspend=True))
            cluster.create(model_deployment(f"other-{number}"))
        await asyncio.sleep(0.3)
        began, seen = cluster.loop.time(), len(cluster.history)
        cluster.create(action("back", "Rollback"))
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves again")
        moved = next(change.at for change in cluster.history[seen:] if change.ref.kind == "Service")
        assert moved - began <= SERVICE_SECONDS + 0.2, "it waits at most for one write of another object before each"

    play(story, restart=False)
