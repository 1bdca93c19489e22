"""Decisions are in force after every status was lost, and in a restored namespace: records of them outlive both."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from steadfit.core import names

from .behaviour import Serving
from .comparing import Comparisons
from .harness import play
from .objects import JSON
from .observations import is_idle, live, serves
from .scenarios import LIMITS, set_param
from .simulated_cluster import NAMESPACE, SimulatedCluster
from .starting_objects import NAME, action, installation, model_deployment, training_job
from .test_canary import STEPS, a_candidate_is_tried, candidate, fails, status

DECIDED = ("ModelDeployment", "ModelVersion")
RESTORED = ("ControllerRevision", "ModelDeployment", "ModelVersion", "TrainingJob")
"""In the order of the alphabet, as Velero does. Pods, and what makes them, are made again."""


def lose(cluster: SimulatedCluster) -> None:
    """Put back every object that knows a decision, without its status."""
    for kind in DECIDED:
        for obj in cluster.objects(kind):
            cluster.lose_status(kind, obj["metadata"]["name"])


async def lose_all(cluster: SimulatedCluster) -> None:
    """Lose every status while no operator runs."""
    cluster.stop()
    lose(cluster)
    cluster.boot()


async def restore(cluster: SimulatedCluster) -> None:
    """Delete the namespace's objects, and create them again without status, uid and owner."""
    backup = {kind: [_stripped(obj) for obj in _within(cluster, kind) if _is_ours(obj)] for kind in RESTORED}
    cluster.stop()
    for kind in (*RESTORED, "ModelAction", "TrainingRun", "Service", "Deployment", "Job"):
        for obj in _within(cluster, kind):
            if cluster.find(kind, obj["metadata"]["name"]) is not None:
                cluster.delete(kind, obj["metadata"]["name"])
    await asyncio.sleep(300)
    for kind in RESTORED:
        for obj in backup[kind]:
            cluster.create(obj)
            await asyncio.sleep(0.2)
    cluster.boot()


def _within(cluster: SimulatedCluster, kind: str) -> list[JSON]:
    return [obj for obj in cluster.objects(kind) if obj["metadata"].get("namespace") == NAMESPACE]


def _is_ours(obj: JSON) -> bool:
    """Return whether an object is of our API, or records a decision."""
    return obj["kind"] != "ControllerRevision" or names.DECISION in obj["metadata"]["labels"]


def _stripped(obj: JSON) -> JSON:
    kept = {
        key: obj["metadata"][key] for key in ("name", "namespace", "labels", "annotations") if key in obj["metadata"]
    }
    return {**{key: value for key, value in obj.items() if key not in ("metadata", "status")}, "metadata": kept}


VERBS = [
    ("Pin", 1), ("Pin", 2), ("Unpin", None), ("Promote", 1), ("Promote", 2), ("Rollback", None), ("Abort", None),
    ("Quarantine", 1), ("Release", 1), ("Release", 2),
]  # fmt: skip
LOSSES = pytest.mark.parametrize("loss", [lose_all, restore], ids=lambda one: one.__name__)


async def two_versions(cluster: SimulatedCluster, **spec: Any) -> None:
    """Serve version 2, after version 1 was let through."""
    installation(cluster)
    cluster.create(training_job(limits=LIMITS))
    cluster.create(model_deployment(**spec))
    Comparisons(cluster, lambda _: 0.01)
    await cluster.until(lambda: serves(cluster, 1) and is_idle(cluster), say="version 1 serves")
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: serves(cluster, 2) and is_idle(cluster), within=7200, say="version 2 serves")


@LOSSES
@pytest.mark.parametrize("is_aborted", [True, False])
def test_what_nobody_let_through_takes_no_traffic_by_a_loss(loss: Any, is_aborted: bool) -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        compared = await a_candidate_is_tried(cluster, fails(2))
        compared.away = True
        await cluster.until(lambda: bool(candidate(cluster).get("analysedSince")), say="version 2 is tried")
        if is_aborted:
            cluster.create(action("stop", "Abort"))
            await cluster.until(lambda: not candidate(cluster), say="it is aborted")
        await asyncio.sleep(60)
        await loss(cluster)
        await cluster.until(lambda: live(cluster) == 1, say="version 1 serves")
        await asyncio.sleep(1800)
        assert live(cluster) == 1
        assert not (is_aborted and candidate(cluster))

    play(scenario)


@LOSSES
def test_a_pin_holds_until_unpin(loss: Any) -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await two_versions(cluster)
        cluster.create(action("stay", "Pin", 1))
        await cluster.until(lambda: serves(cluster, 1), say="version 1 is pinned")
        await asyncio.sleep(60)
        await loss(cluster)
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")
        set_param(cluster, "depth", 8)
        await asyncio.sleep(1800)
        assert (live(cluster), status(cluster)["override"]["number"]) == (1, 1)
        assert [entry["number"] for entry in status(cluster)["servedVersions"]] == [1, 2]
        cluster.create(action("open", "Unpin"))
        await cluster.until(lambda: (live(cluster) or 0) > 1, say="what was let through, or a newer one, serves")

    play(scenario)


@LOSSES
def test_a_promotion_under_way_goes_on(loss: Any) -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await two_versions(cluster, warm={"replicas": 0})
        await asyncio.sleep(60)
        cluster.serving = lambda _: Serving("Ready", 120.0)
        cluster.create(action("again", "Promote", 1))
        await cluster.until(lambda: candidate(cluster).get("number") == 1, say="version 1 comes up")
        await asyncio.sleep(10)
        await loss(cluster)
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")
        await asyncio.sleep(600)
        assert live(cluster) == 1

    play(scenario)


@LOSSES
def test_what_was_rolled_back_stays_in_quarantine(loss: Any) -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await two_versions(cluster)
        cluster.create(action("back", "Rollback"))
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")
        await asyncio.sleep(60)
        await loss(cluster)
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")
        await asyncio.sleep(600)
        assert [entry["number"] for entry in status(cluster)["quarantine"]] == [2]
        cluster.create(action("free", "Release", 2))
        await cluster.until(lambda: not status(cluster).get("quarantine"), say="it is released")
        await asyncio.sleep(60)
        await loss(cluster)
        await asyncio.sleep(600)
        assert not status(cluster).get("quarantine")
        assert live(cluster) == 1

    play(scenario)


def test_a_release_that_a_later_quarantine_overrules_ends_and_comes_back_by_no_loss() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await two_versions(cluster)
        cluster.create(action("free", "Release", 1))
        await asyncio.sleep(5)
        cluster.create(action("bad", "Quarantine", 1))
        await cluster.until(lambda: cluster.status("ModelAction", "free").get("phase") == "Succeeded", say="it ends")
        await asyncio.sleep(60)
        await lose_all(cluster)
        await asyncio.sleep(600)
        assert [entry["number"] for entry in status(cluster)["quarantine"]] == [1]

    play(scenario)


def test_what_served_last_is_known_although_two_took_over_in_one_second() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await two_versions(cluster)
        cluster.create(action("again", "Promote", 1))
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")
        await asyncio.sleep(60)
        cluster.lose_status("ModelDeployment", NAME)
        await asyncio.sleep(600)
        assert live(cluster) == 1
        assert [entry["number"] for entry in status(cluster)["servedVersions"]] == [2, 1]

    play(scenario)


@pytest.mark.parametrize("seed", range(4))
def test_a_loss_changes_no_decision(seed: int) -> None:
    """After any actions, a loss of every status leaves what serves, and what may serve, as they were."""

    def decided(cluster: SimulatedCluster) -> dict[str, Any]:
        found = status(cluster)
        return {
            "live": found.get("live", {}).get("version"),
            "through": [entry["number"] for entry in found.get("servedVersions", ())],
            "quarantine": sorted(entry["revision"] for entry in found.get("quarantine", ())),
            "abandoned": sorted(entry["revision"] for entry in found.get("abandoned", ())),
            "pin": found.get("override", {}).get("number"),
            "floor": found.get("versionFloor"),
        }

    async def scenario(cluster: SimulatedCluster) -> None:
        random = Random(seed)
        await two_versions(cluster, **random.choice([{}, {"strategy": STEPS}]))
        for number in range(6):
            verb, version = random.choice(VERBS)
            cluster.create(action(f"a-{number}", verb, version))
            await asyncio.sleep(random.choice([0.5, 5, 300]))
            if random.random() < 0.3:
                set_param(cluster, "depth", 10 + number)
        await asyncio.sleep(7200)
        before = decided(cluster)
        await lose_all(cluster)
        await asyncio.sleep(7200)
        assert decided(cluster) == before

    play(scenario)
