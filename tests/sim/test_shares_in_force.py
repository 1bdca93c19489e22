"""A share of the traffic counts once it is in force: until then no step ends, and the status says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from .comparing import Comparisons
from .gateway import Gateways, shares
from .harness import play
from .objects import JSON
from .observations import live, serves
from .scenarios import LIMITS, set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, installation, model_deployment, training_job
from .test_gateway import TRAFFIC, candidate, status

STEPS: JSON = {"canary": {"steps": [{"weight": 5}, {"weight": 50, "pause": "5m"}]}}


async def a_canary_at_its_second_step(cluster: SimulatedCluster) -> Gateways:
    gateways = Gateways(cluster)
    installation(cluster)
    cluster.create(training_job(limits=LIMITS))
    cluster.create(model_deployment(strategy=STEPS, traffic=TRAFFIC, progressDeadline="20m"))
    Comparisons(cluster, lambda version: 0.01)
    await cluster.until(lambda: serves(cluster, 1) and shares(cluster) == {1: 100}, say="version 1 serves")
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: candidate(cluster).get("actualWeight") == 5, say="5 % are in force")
    return gateways


def progressing(cluster: SimulatedCluster) -> tuple[str, str]:
    (found,) = (one for one in status(cluster)["conditions"] if one["type"] == "Progressing")
    return found["reason"], found["message"]


def remove_the_route(cluster: SimulatedCluster, gateways: Gateways) -> None:
    cluster.delete("HTTPRoute", NAME)
    cluster.store.unserved.add("HTTPRoute")


def look_at_no_route(cluster: SimulatedCluster, gateways: Gateways) -> None:
    gateways.deaf = True


def refuse_the_route(cluster: SimulatedCluster, gateways: Gateways) -> None:
    gateways.word = "False"
    cluster.edit("HTTPRoute", NAME, lambda route: route["spec"].update(hostnames=["elsewhere.example.com"]))


Hinder = Callable[[SimulatedCluster, Gateways], None]
HINDRANCES = [remove_the_route, look_at_no_route, refuse_the_route]


@pytest.mark.parametrize("hinder", HINDRANCES)
def test_a_step_whose_share_is_not_in_force_does_not_end_and_is_given_up_at_the_progress_deadline(
    hinder: Hinder,
) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        gateways = await a_canary_at_its_second_step(cluster)
        hinder(cluster, gateways)
        await cluster.until(lambda: progressing(cluster)[0] == "ShareNotInForce", within=900, say="it is said")
        message = progressing(cluster)[1]
        assert " % of the traffic (step " in message
        assert "which is not in force: " in message
        assert "it is abandoned at" in message
        assert "actualWeight" not in candidate(cluster)
        await cluster.until(lambda: not candidate(cluster), within=2400, say="it is given up")
        assert live(cluster) == 1
        (entry,) = status(cluster)["abandoned"]
        assert (entry["number"], entry["by"]) == (2, "progressDeadline")
        assert entry["reason"].startswith("its share of the traffic was not in force within 20m: ")

    play(story, restart=False)


def test_a_share_that_is_in_force_for_a_moment_again_and_again_is_given_up_all_the_same() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        gateways = await a_canary_at_its_second_step(cluster)
        await cluster.until(lambda: candidate(cluster).get("actualWeight") == 50, within=900, say="50 % are in force")
        for _ in range(4):
            gateways.word = "False"
            gateways.look(cluster)
            await asyncio.sleep(6 * 60)
            gateways.word = "True"
            gateways.look(cluster)
            await asyncio.sleep(5)
        assert (candidate(cluster), live(cluster)) == ({}, 1)
        (entry,) = status(cluster)["abandoned"]
        assert (entry["number"], entry["by"]) == (2, "progressDeadline")

    play(story, restart=False)


def test_a_step_goes_on_when_its_share_is_in_force_again() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        gateways = await a_canary_at_its_second_step(cluster)
        gateways.deaf = True
        await cluster.until(lambda: progressing(cluster)[0] == "ShareNotInForce", within=900, say="it is said")
        await asyncio.sleep(900)
        gateways.deaf = False
        gateways.look(cluster)
        await cluster.until(lambda: candidate(cluster).get("actualWeight") == 50, within=60, say="50 % are in force")
        begun = cluster.loop.time()
        await cluster.until(lambda: serves(cluster, 2), within=3600, say="version 2 serves")
        assert cluster.loop.time() >= begun + 300, "the pause of the step is one at its share"

    play(story, restart=False)


def test_a_candidate_that_takes_its_share_by_the_service_is_held_while_the_service_is_not_ours() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        installation(cluster)
        cluster.create(training_job(limits=LIMITS))
        steps: JSON = {"canary": {"steps": [{"weight": 50, "pause": "5m"}]}}
        cluster.create(model_deployment(strategy=steps, progressDeadline="20m"))
        Comparisons(cluster, lambda version: 0.01)
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: candidate(cluster).get("actualWeight") == 50, say="50 % are in force")
        cluster.refuses = True
        cluster.edit("Service", NAME, lambda service: service["metadata"].update(ownerReferences=[], labels={}))
        await cluster.until(lambda: progressing(cluster)[0] == "ShareNotInForce", within=120, say="it is said")
        await asyncio.sleep(1500)
        assert live(cluster) == 1
        assert candidate(cluster)["stoppedBy"] == "ServiceNotOwned", "it waits for a person, and is not abandoned"
        cluster.delete("Service", NAME)
        await cluster.until(lambda: serves(cluster, 2), within=7200, say="the rollout goes on")

    play(story, restart=False)


def test_a_canary_begins_by_an_event_when_its_first_share_is_in_force_and_never_claims_one_before() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await a_canary_at_its_second_step(cluster)
        await cluster.until(lambda: serves(cluster, 2), within=7200, say="version 2 serves")
        told = {one["reason"]: one["note"] for one in cluster.objects("Event")}
        assert " takes 5 % of the traffic (step 1 of 2)" in told["CanaryStarted"]
        assert " takes 50 % of the traffic (step 2 of 2)" in told["CanaryStepStarted"]

    play(story, restart=False)
