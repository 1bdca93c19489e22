"""A version whose servers end by themselves, or lose readiness, is found by that alone beside one whose servers stay.

The killed server counts no failed request, so every comparison here says that the candidate is as good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from steadfit.core.plans import model_deployment as plan

from . import failing_pods
from .client import Interruption
from .comparing import Comparisons
from .fault_injection import comes_through, has_bad_days
from .gateway import Gateways, shares
from .harness import play
from .objects import JSON
from .observations import is_idle, live, serves
from .scenarios import LIMITS, Scenario, set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action, installation, model_deployment, training_job

STEPS: JSON = {"canary": {"steps": [{"weight": 25}, {"weight": 50, "pause": "10m"}]}}
TRAFFIC: JSON = {"gatewayAPI": {"parentRefs": [{"name": "public", "namespace": "edge"}]}}
MINUTES = 60.0

Fault = Callable[[SimulatedCluster, JSON], None]


async def version_1_serves(cluster: SimulatedCluster, strategy: JSON | None = None, **spec: Any) -> Comparisons:
    """Begin as every story here does."""
    installation(cluster)
    cluster.create(training_job(limits=LIMITS))
    if strategy is not None:
        spec["strategy"] = strategy
    cluster.create(model_deployment(**spec))
    compared = Comparisons(cluster, lambda version: 0.01)
    await cluster.until(lambda: serves(cluster, 1) and is_idle(cluster), say="version 1 serves")
    return compared


def befalls(cluster: SimulatedCluster, number: int, fault: Fault, seconds: float = MINUTES) -> asyncio.Task[None]:
    """Let a fault befall the pods of a version every so often."""
    return cluster.loop.create_task(failing_pods.whenever(cluster, number, seconds, fault))


def status(cluster: SimulatedCluster) -> JSON:
    return cluster.status("ModelDeployment", NAME)


def candidate(cluster: SimulatedCluster) -> JSON:
    found: JSON = status(cluster).get("candidate", {})
    return found


def takes_traffic(cluster: SimulatedCluster) -> bool:
    return bool(candidate(cluster).get("analysedSince"))


def quarantined(cluster: SimulatedCluster) -> list[tuple[int, str]]:
    return [(entry["number"], entry["by"]) for entry in status(cluster).get("quarantine", ())]


def has_been_live(cluster: SimulatedCluster) -> set[int]:
    """Return the numbers of all versions that were ever live."""
    written = (change.new for change in cluster.history if change.ref.kind == "ModelDeployment")
    return {obj["status"]["live"]["number"] for obj in written if obj.get("status", {}).get("live")}


async def goes_back(cluster: SimulatedCluster, within: float = 15 * MINUTES) -> None:
    """Wait until version 2 is in quarantine; its pods are gone then, so nothing befalls them any more."""
    await cluster.until(lambda: quarantined(cluster), within=within, say="version 2 is rolled back")
    await cluster.until(lambda: serves(cluster, 1), say="version 1 serves alone")
    assert quarantined(cluster) == [(2, "stability")]


async def killed_for_memory_every_minute_a_candidate_never_goes_live(cluster: SimulatedCluster) -> None:
    await version_1_serves(cluster, STEPS)
    befalls(cluster, 2, failing_pods.end)
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: takes_traffic(cluster), say="version 2 takes traffic")
    await goes_back(cluster)
    assert has_been_live(cluster) == {1}
    reason = status(cluster)["quarantine"][0]["reason"]
    assert reason.startswith("unstable: 3 restarts of 1 pod in "), reason
    assert "last OOMKilled (exit code 137); version 1 had none; raise" in reason
    set_param(cluster, "depth", 7)
    await cluster.until(lambda: serves(cluster, 3), say="version 3, whose servers stay, serves")


async def with_prometheus_away_it_goes_back_all_the_same(cluster: SimulatedCluster) -> None:
    compared = await version_1_serves(cluster, STEPS)
    compared.away = True
    befalls(cluster, 2, failing_pods.end)
    set_param(cluster, "depth", 6)
    await goes_back(cluster, within=30 * MINUTES)


async def behind_a_gateway_it_loses_its_weight(cluster: SimulatedCluster) -> None:
    Gateways(cluster)
    await version_1_serves(cluster, {"canary": {"steps": [{"weight": 5}, {"weight": 90}]}}, traffic=TRAFFIC)
    befalls(cluster, 2, failing_pods.end)
    set_param(cluster, "depth", 6)
    await goes_back(cluster, within=30 * MINUTES)
    await cluster.until(lambda: shares(cluster) == {1: 100}, say="version 1 has all of the weight")
    assert has_been_live(cluster) == {1}


async def a_candidate_that_loses_readiness_goes_back(cluster: SimulatedCluster) -> None:
    await version_1_serves(cluster, STEPS)
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: takes_traffic(cluster), say="version 2 takes traffic")
    (pod,) = failing_pods.pods_of(cluster, 2)
    failing_pods.lose_readiness(cluster, pod)
    await goes_back(cluster, within=7 * MINUTES)
    assert "1 loss of readiness of 1 pod" in status(cluster)["quarantine"][0]["reason"]


async def while_it_bakes_it_is_rolled_back(cluster: SimulatedCluster) -> None:
    await version_1_serves(cluster)
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: serves(cluster, 2), say="version 2 serves, and version 1 is warm")
    befalls(cluster, 2, failing_pods.end)
    await goes_back(cluster)
    assert [entry["number"] for entry in status(cluster)["rollbacks"]] == [2]


async def one_restart_holds_a_candidate_and_does_not_fail_it(cluster: SimulatedCluster) -> None:
    await version_1_serves(cluster, {"canary": {"steps": [{"weight": 50}]}})
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: takes_traffic(cluster), say="version 2 takes traffic")
    failing_pods.end(cluster, failing_pods.pods_of(cluster, 2)[0])
    await asyncio.sleep(9 * MINUTES)
    assert live(cluster) == 1
    (progressing,) = [one for one in status(cluster)["conditions"] if one["type"] == "Progressing"]
    assert progressing["reason"] == "Unstable"
    assert "1 restart of 1 pod, last OOMKilled (exit code 137); version 1 had none" in progressing["message"]
    await cluster.until(lambda: serves(cluster, 2), say="version 2 serves, as its server has stayed")
    assert quarantined(cluster) == []


async def evictions_drains_and_lost_nodes_count_for_nothing(cluster: SimulatedCluster) -> None:
    await version_1_serves(cluster, STEPS)
    faults = (failing_pods.evict, failing_pods.drain, failing_pods.lose_node)
    tasks = [befalls(cluster, 2, fault, 100 + 7 * number) for number, fault in enumerate(faults)]
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: takes_traffic(cluster), say="version 2 takes traffic")
    await asyncio.sleep(20 * MINUTES)
    assert quarantined(cluster) == []
    assert not status(cluster).get("podFailures")
    for task in tasks:
        task.cancel()
    for pod in failing_pods.pods_of(cluster, 2):
        failing_pods.regain(cluster, pod)
    await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")


async def beside_a_champion_that_restarts_as_often_it_is_held_and_given_up(cluster: SimulatedCluster) -> None:
    await version_1_serves(cluster, STEPS, analysis={"maxDuration": "1h"})
    faults = [befalls(cluster, number, failing_pods.end, 3 * MINUTES) for number in (1, 2)]
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: takes_traffic(cluster), say="version 2 takes traffic")
    await cluster.until(lambda: status(cluster).get("abandoned"), say="version 2 is given up")
    assert quarantined(cluster) == []
    assert has_been_live(cluster) == {1}
    for task in faults:
        task.cancel()
    await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")


async def what_a_person_promotes_is_judged_by_the_person(cluster: SimulatedCluster) -> None:
    await version_1_serves(cluster, STEPS)
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: takes_traffic(cluster), say="version 2 takes traffic")
    failing_pods.end(cluster, failing_pods.pods_of(cluster, 2)[0])
    await asyncio.sleep(5)
    cluster.create(action("promote", "Promote"))
    await cluster.until(lambda: serves(cluster, 2), within=5 * MINUTES, say="version 2 serves by a person's word")


def is_stored(cluster: SimulatedCluster, failures: int) -> bool:
    return bool(quarantined(cluster)) or len(status(cluster).get("podFailures", ())) == failures


async def an_operator_that_restarts_forgets_no_failure(cluster: SimulatedCluster) -> None:
    await version_1_serves(cluster, STEPS)
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: takes_traffic(cluster), say="version 2 takes traffic")
    for number in range(3):
        failing_pods.end(cluster, failing_pods.pods_of(cluster, 2)[0])
        await cluster.until(partial(is_stored, cluster, number + 1), say="the failure is stored")
        await cluster.restart()
        await asyncio.sleep(2 * MINUTES)
        for pod in failing_pods.pods_of(cluster, 2):
            cluster.delete("Pod", pod["metadata"]["name"])
        if number < 2:
            await cluster.until(
                lambda: any(map(failing_pods.is_ready, failing_pods.pods_of(cluster, 2))), say="another pod is ready"
            )
    await goes_back(cluster)


def whatever_the_clock_of_its_node(minutes: int) -> Scenario:
    """Return the story of a candidate that is killed every minute on a node with another clock."""
    skew = timedelta(minutes=minutes)

    async def story(cluster: SimulatedCluster) -> None:
        await version_1_serves(cluster, STEPS)
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: takes_traffic(cluster), say="version 2 takes traffic")
        for pod in failing_pods.pods_of(cluster, 2):
            failing_pods.set_clock(cluster, pod, skew)
        befalls(cluster, 2, partial(failing_pods.end, skew=skew))
        await goes_back(cluster, within=6 * MINUTES)

    return story


@pytest.mark.parametrize("minutes", [-70, 6, 120])
def test_what_is_unstable_goes_back_whatever_the_clock_of_its_node(minutes: int) -> None:
    play(whatever_the_clock_of_its_node(minutes), restart=False)


@pytest.mark.parametrize("minutes", [-70, -15, 6])
def test_one_exit_holds_for_ten_minutes_whatever_the_clock_of_its_node(minutes: int) -> None:
    skew = timedelta(minutes=minutes)

    async def story(cluster: SimulatedCluster) -> None:
        await version_1_serves(cluster, {"canary": {"steps": [{"weight": 50}]}})
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: takes_traffic(cluster), say="version 2 takes traffic")
        for pod in failing_pods.pods_of(cluster, 2):
            failing_pods.set_clock(cluster, pod, skew)
        failing_pods.end(cluster, failing_pods.pods_of(cluster, 2)[0], skew=skew)
        await asyncio.sleep(9 * MINUTES)
        assert live(cluster) == 1
        await cluster.until(lambda: serves(cluster, 2), within=15 * MINUTES, say="version 2 serves")
        assert len(status(cluster)["podFailures"]) == 1

    play(story, restart=False)


STORIES: tuple[Scenario, ...] = (
    killed_for_memory_every_minute_a_candidate_never_goes_live,
    with_prometheus_away_it_goes_back_all_the_same,
    behind_a_gateway_it_loses_its_weight,
    a_candidate_that_loses_readiness_goes_back,
    while_it_bakes_it_is_rolled_back,
    one_restart_holds_a_candidate_and_does_not_fail_it,
    evictions_drains_and_lost_nodes_count_for_nothing,
    beside_a_champion_that_restarts_as_often_it_is_held_and_given_up,
    what_a_person_promotes_is_judged_by_the_person,
    an_operator_that_restarts_forgets_no_failure,
)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_what_is_unstable_comes_to_its_end(story: Scenario) -> None:
    play(story)


SAMPLE = 5
"""How many interruptions a story gets by default; `EFFORT=all` hits every write."""
INTERRUPTIONS: tuple[Interruption, ...] = ("before", "after", "frozen")
HIT = (killed_for_memory_every_minute_a_candidate_never_goes_live, while_it_bakes_it_is_rolled_back)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("story", HIT, ids=lambda story: story.__name__)
def test_hit_at_a_write_it_is_found_all_the_same(story: Scenario) -> None:
    comes_through(story, INTERRUPTIONS, sample=SAMPLE, beginning=3)


@pytest.mark.timeout(900)
def test_on_a_bad_day_it_is_found_all_the_same() -> None:
    has_bad_days(HIT, 2)


def test_counting_no_failure_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    without = [step for step in plan.DECIDE if step.name != "pod_failures"]
    monkeypatch.setattr(plan, "DECIDE", without)
    with pytest.raises(AssertionError, match="and its servers do not stay"):
        play(killed_for_memory_every_minute_a_candidate_never_goes_live, restart=False)
