"""A candidate whose servers count by connection goes back within seconds, with or without Prometheus."""

from __future__ import annotations

import asyncio

import pytest

from .harness import play
from .observations import is_idle, serves
from .scenarios import LIMITS, set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, installation, model_deployment, training_job
from .tallying import Breaking, Tallies
from .test_canary import STEPS, candidate, status

FOUND_SECONDS = 8
"""Longest time from the first failed request of a candidate that fails all of them until no new connection goes to it:
detection by 10 requests a second to each arm, and the two passes that follow."""


def never(version: int, at: float) -> float:
    return 0.01


async def begin(cluster: SimulatedCluster, breaking: Breaking) -> Tallies:
    """Version 1 serves, and version 2 is trained and takes traffic beside it. No MetricSource answers."""
    installation(cluster)
    cluster.create(training_job(limits=LIMITS))
    errors = {"metrics": [{"name": "error-rate", "errorRate": {}}], "minSamples": 50}
    cluster.create(model_deployment(strategy=STEPS, analysis=errors))
    tallies = Tallies(cluster, breaking)
    await cluster.until(lambda: serves(cluster, 1) and is_idle(cluster), say="version 1 serves")
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: bool(candidate(cluster).get("stepSince")), say="version 2 takes traffic")
    return tallies


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_candidate_that_fails_everything_loses_its_traffic_within_seconds_without_prometheus(seed: int) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        broken: list[float] = []
        await begin(cluster, lambda version, at: float(version == 2 and bool(broken) and at >= broken[0]))
        await asyncio.sleep(5)
        broken.append(cluster.loop.now().timestamp())
        written, seen = len(cluster.conditions.crash.trace), len(cluster.history)
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves alone")
        moved = next(each.at for each in cluster.history[seen:] if each.ref.kind == "Service")
        assert moved - (broken[0] - (cluster.loop.now().timestamp() - cluster.loop.time())) <= FOUND_SECONDS
        # The passes over ModelVersions, and the Jobs that they start, are others.
        others = ("ModelVersion", "Job")
        writes = [write for write in cluster.conditions.crash.trace[written:] if write.ref.kind not in others]
        ours = [f"{write.verb} {write.ref.kind}" for write in writes]
        # The decision is one pass, and what moves the traffic is the next one; writes of numbers may come before.
        moving = ours.index("patch Service")
        assert ours[moving - 1] == "status ModelDeployment"
        assert [(entry["number"], entry["by"]) for entry in status(cluster)["quarantine"]] == [(2, "analysis")]

    play(story, seed=seed, restart=False)


def test_a_candidate_that_breaks_after_an_hour_is_found_within_half_a_minute() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        broken: list[float] = []
        await begin(cluster, lambda version, at: 1.0 if version == 2 and broken and at >= broken[0] else 0.01)
        steps = [{"weight": 25, "pause": "3h"}]
        cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"].update(strategy={"canary": {"steps": steps}}))
        await asyncio.sleep(3600)
        assert candidate(cluster)["phase"] == "Analysing"
        broken.append(cluster.loop.now().timestamp())
        await asyncio.sleep(30)
        assert serves(cluster, 1)
        assert not candidate(cluster)

    play(story, restart=False)


def test_a_good_candidate_is_let_through_without_prometheus() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await begin(cluster, never)
        await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
        assert not status(cluster).get("quarantine")

    play(story)


def test_without_any_answer_nothing_is_decided() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        failing: list[int] = []
        tallies = await begin(cluster, lambda version, at: float(version in failing))
        tallies.away = True
        failing.append(2)
        await asyncio.sleep(3600)
        assert candidate(cluster)["phase"] == "Analysing"
        tallies.away = False
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves alone")

    play(story, restart=False)


def test_a_new_operator_measures_again_and_finds_the_same() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        broken: list[float] = []
        await begin(cluster, lambda version, at: 1.0 if version == 2 and broken and at >= broken[0] else 0.01)
        await asyncio.sleep(60)
        await cluster.restart()
        broken.append(cluster.loop.now().timestamp())
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves alone")

    play(story, restart=False)
