"""A version that was let through here stays one to go back to after the spec names another TrainingJob."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from steadfit.core.types import Signal

from .comparing import Comparisons
from .harness import play
from .measuring import Prometheus
from .objects import JSON
from .observations import is_idle, serves
from .scenarios import LIMITS
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action, installation, model_deployment, training_job
from .test_canary import status

OTHER = "other"
ERRORS = {"name": "errors", "errorRate": {"max": 0.05}, "window": "5m", "action": "Rollback"}


def refer(cluster: SimulatedCluster, job: str) -> None:
    """Let the ModelDeployment serve another TrainingJob."""
    cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"].update(trainingJobRef={"name": job}))


def version(cluster: SimulatedCluster) -> str | None:
    """Return the name of the version that takes the traffic, and no other one comes up."""
    return str(status(cluster)["live"]["version"]) if "candidate" not in status(cluster) else None


async def version_of_both_jobs(cluster: SimulatedCluster, **spec: Any) -> None:
    """Serve version 1 of the first TrainingJob, while version 1 of the other one is verified too."""
    installation(cluster)
    cluster.create(training_job(limits=LIMITS))
    cluster.create(training_job(OTHER, limits=LIMITS, params={"x": 1}))
    cluster.create(model_deployment(**spec))
    Comparisons(cluster, lambda _: 0.01)
    await cluster.until(lambda: serves(cluster, 1) and is_idle(cluster), say="version 1 serves")
    await cluster.until(lambda: "phase" in cluster.status("ModelVersion", f"{OTHER}-v1"), say="the other is verified")


async def the_other_job_serves(cluster: SimulatedCluster, **spec: Any) -> None:
    """Serve version 1 of the other TrainingJob, which a person promoted after the change."""
    await version_of_both_jobs(cluster, **spec)
    refer(cluster, OTHER)
    await asyncio.sleep(60)
    cluster.create(action("change", "Promote", 1))
    await cluster.until(lambda: version(cluster) == f"{OTHER}-v1", say="the other TrainingJob's version serves")
    await asyncio.sleep(60)


async def a_rollback(cluster: SimulatedCluster) -> None:
    await the_other_job_serves(cluster)
    cluster.create(action("back", "Rollback"))


async def a_quarantine(cluster: SimulatedCluster) -> None:
    await the_other_job_serves(cluster)
    cluster.create(action("bad", "Quarantine", 1))


async def a_monitor(cluster: SimulatedCluster) -> None:
    Prometheus(cluster, lambda *_: Signal(0.5 if version(cluster) == f"{OTHER}-v1" else 0.0, 1000))
    await the_other_job_serves(cluster, monitors=[ERRORS])


async def a_rollback_after_the_status_was_lost(cluster: SimulatedCluster) -> None:
    await the_other_job_serves(cluster)
    cluster.lose_status("ModelDeployment", NAME)
    await cluster.until(lambda: "live" in status(cluster), say="the live revision is found")
    cluster.create(action("back", "Rollback"))


@pytest.mark.parametrize(
    "story", [a_rollback, a_quarantine, a_monitor, a_rollback_after_the_status_was_lost], ids=lambda one: one.__name__
)
def test_what_was_let_through_before_the_change_is_gone_back_to(story: Any) -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await story(cluster)
        await cluster.until(lambda: version(cluster) == f"{NAME}-v1", say="the earlier TrainingJob's version serves")
        quarantined = cluster.status("ModelVersion", f"{OTHER}-v1")["quarantine"]
        assert quarantined["deployment"] == NAME

    play(scenario)


def test_a_lost_status_does_not_give_the_traffic_to_the_job_that_is_named_since() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await version_of_both_jobs(cluster)
        refer(cluster, OTHER)
        await asyncio.sleep(60)
        cluster.stop()
        for kind, name in (("ModelDeployment", NAME), ("ModelVersion", f"{NAME}-v1")):
            cluster.lose_status(kind, name)
        cluster.boot()
        await asyncio.sleep(600)
        assert version(cluster) == f"{NAME}-v1"

    play(scenario)


def test_a_version_of_an_earlier_job_knows_that_it_serves() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await the_other_job_serves(cluster)
        cluster.create(action("back", "Rollback"))
        await cluster.until(lambda: version(cluster) == f"{NAME}-v1", say="back")
        await asyncio.sleep(60)
        served: list[JSON] = cluster.status("ModelVersion", f"{NAME}-v1")["served"]
        assert [one["outcome"] for one in served] == ["Replaced", "Serving"]
        assert [one["outcome"] for one in cluster.status("ModelVersion", f"{OTHER}-v1")["served"]] == ["RolledBack"]

    play(scenario)


def test_a_quarantine_ends_no_pin_of_a_version_that_has_the_number_in_another_job() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await version_of_both_jobs(cluster)
        cluster.create(action("stay", "Pin", 1))
        await cluster.until(lambda: "override" in status(cluster), say="pinned")
        refer(cluster, OTHER)
        await asyncio.sleep(60)
        cluster.create(action("bad", "Quarantine", 1))
        await cluster.until(lambda: "quarantine" in cluster.status("ModelVersion", f"{OTHER}-v1"), say="quarantined")
        assert (version(cluster), status(cluster)["override"]["number"]) == (f"{NAME}-v1", 1)

    play(scenario)


@pytest.mark.parametrize("seed", range(4))
def test_changes_of_the_job_never_serve_what_nobody_let_through(seed: int) -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        random = Random(seed)
        await the_other_job_serves(cluster)
        for number in range(6):
            refer(cluster, random.choice([NAME, OTHER]))
            if random.random() < 0.5:
                await asyncio.sleep(random.choice([0.5, 30]))
            if random.random() < 0.4:
                cluster.lose_status("ModelDeployment", NAME)
                await cluster.until(lambda: "live" in status(cluster), say="the live revision is found")
            if random.random() < 0.5:
                cluster.create(action(f"back-{number}", "Rollback"))
            await asyncio.sleep(120)
            shown = status(cluster)
            bad = {entry.get("digest") for entry in shown.get("quarantine", ())}
            through = {entry["digest"] for entry in shown["servedVersions"]}
            assert shown["live"]["digest"] in through
            assert shown["live"]["digest"] not in bad

    play(scenario)
