"""A candidate that is good takes over step by step, one that is worse goes back, and no data decides nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from steadfit.core.serving.rollout import canary
from steadfit.core.serving.traffic import traffic_label

from .behaviour import Serving
from .client import Interruption
from .comparing import Comparisons, Failing
from .fault_injection import comes_through, has_bad_days
from .harness import play
from .objects import JSON
from .observations import condition, is_idle, live, serves
from .scenarios import LIMITS, Scenario, set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action, installation, model_deployment, training_job

STEPS: JSON = {"canary": {"steps": [{"weight": 25}, {"weight": 50, "pause": "10m"}]}}


async def a_candidate_is_tried(cluster: SimulatedCluster, failing: Failing, **spec: Any) -> Comparisons:
    """Begin as every story here does: version 1 serves, and version 2 is trained and takes traffic beside it."""
    installation(cluster)
    cluster.create(training_job(limits=LIMITS))
    cluster.create(model_deployment(strategy=STEPS, **spec))
    compared = Comparisons(cluster, failing)
    await cluster.until(lambda: serves(cluster, 1) and is_idle(cluster), say="version 1 serves")
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: bool(candidate(cluster).get("analysedSince")), say="version 2 takes traffic")
    return compared


def status(cluster: SimulatedCluster) -> JSON:
    return cluster.status("ModelDeployment", NAME)


def candidate(cluster: SimulatedCluster) -> JSON:
    found: JSON = status(cluster).get("candidate", {})
    return found


def fails(version: int, share: float = 0.2) -> Failing:
    """Return what a version of many fails."""
    return lambda number: share if number == version else 0.01


# Stories


async def a_good_candidate_is_promoted(cluster: SimulatedCluster) -> None:
    await a_candidate_is_tried(cluster, fails(0))
    await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
    assert status(cluster)["lastGood"]["number"] == 1
    assert not status(cluster).get("quarantine")
    assert not status(cluster).get("abandoned")


async def a_bad_candidate_goes_back_and_stays_away(cluster: SimulatedCluster) -> None:
    await a_candidate_is_tried(cluster, fails(2))
    await cluster.until(lambda: serves(cluster, 1), say="version 1 serves alone")
    assert [(entry["number"], entry["by"]) for entry in status(cluster)["quarantine"]] == [(2, "analysis")]
    await asyncio.sleep(7200)
    assert serves(cluster, 1)
    assert not status(cluster).get("rollbacks")
    set_param(cluster, "depth", 7)
    await cluster.until(lambda: serves(cluster, 3), say="version 3, which is good, serves")


async def without_data_for_hours_nothing_is_decided(cluster: SimulatedCluster) -> None:
    compared = await a_candidate_is_tried(cluster, fails(2), analysis={"maxDuration": "6h"})
    compared.away = True
    await asyncio.sleep(5 * 3600)
    assert (live(cluster), candidate(cluster)["phase"], candidate(cluster)["number"]) == (1, "Analysing", 2)
    assert condition(status(cluster), "MetricsAvailable") == "False"
    await cluster.until(lambda: serves(cluster, 1), say="version 2 is given up")
    assert [(entry["number"], entry["by"]) for entry in status(cluster)["abandoned"]] == [(2, "analysis")]
    assert not status(cluster).get("quarantine")
    compared.away = False
    await asyncio.sleep(3600)
    assert serves(cluster, 1)


async def without_data_a_candidate_waits_for_a_person(cluster: SimulatedCluster) -> None:
    analysis = {"maxDuration": "1h", "onInconclusive": "Pause"}
    compared = await a_candidate_is_tried(cluster, fails(0), analysis=analysis)
    compared.away = True
    await cluster.until(lambda: candidate(cluster).get("phase") == "Paused", say="version 2 is paused")
    assert live(cluster) == 1
    cluster.create(action("let-through", "Promote"))
    await cluster.until(lambda: serves(cluster, 2), say="version 2 serves by a person's word")


async def of_two_candidates_the_newer_one_is_tried(cluster: SimulatedCluster) -> None:
    await another_candidate_comes(cluster, 7)


async def another_candidate_comes(cluster: SimulatedCluster, depth: int) -> None:
    compared = await a_candidate_is_tried(cluster, fails(0))
    compared.away = True
    set_param(cluster, "depth", depth)
    await cluster.until(lambda: candidate(cluster).get("number") == 3, say="version 3 comes up")
    compared.away = False
    await cluster.until(lambda: serves(cluster, 3), say="version 3 serves")
    assert not status(cluster).get("quarantine")
    assert not status(cluster).get("abandoned")


async def a_lost_status_in_the_middle_lets_nothing_through(cluster: SimulatedCluster) -> None:
    compared = await a_candidate_is_tried(cluster, fails(2))
    compared.away = True
    before = status(cluster)["live"]["revision"]
    # What was under way by the old status has gone out by then.
    await asyncio.sleep(30)
    cluster.lose_status("ModelDeployment", NAME)
    assert "live" not in status(cluster)
    await cluster.until(
        lambda: status(cluster).get("live", {}).get("revision") == before, say="what serves is found again"
    )
    await cluster.until(lambda: bool(candidate(cluster).get("analysedSince")), say="version 2 is tried anew")
    compared.away = False
    await cluster.until(lambda: serves(cluster, 1), say="version 1 serves alone")
    assert [entry["number"] for entry in status(cluster)["quarantine"]] == [2]


async def a_rollback_of_the_champion_takes_the_candidate_with_it(cluster: SimulatedCluster) -> None:
    compared = await a_candidate_is_tried(cluster, fails(0))
    await cluster.until(lambda: serves(cluster, 2) and is_idle(cluster), say="version 2 serves")
    compared.away = True
    set_param(cluster, "depth", 7)
    await cluster.until(lambda: bool(candidate(cluster).get("analysedSince")), say="version 3 takes traffic")
    cluster.create(action("back", "Rollback"))
    await cluster.until(lambda: serves(cluster, 1), say="version 1 serves again")
    await asyncio.sleep(1800)
    assert serves(cluster, 1)


async def applied_again_a_deployment_serves_what_served_and_tries_the_candidate_anew(cluster: SimulatedCluster) -> None:
    compared = await a_candidate_is_tried(cluster, fails(2))
    compared.away = True
    cluster.delete("ModelDeployment", NAME)
    await cluster.until(
        lambda: not cluster.objects("Service") and not cluster.objects("Deployment"), say="servers are collected"
    )
    records = cluster.status("ModelVersion", f"{NAME}-v2")["served"]
    await cluster.until(
        lambda: cluster.status("ModelVersion", f"{NAME}-v2")["served"][-1]["outcome"] == "Ended",
        say=f"the version knows how it ended: {records}",
    )
    cluster.create(model_deployment(strategy=STEPS))
    await cluster.until(lambda: live(cluster) is not None, say="a version serves")
    assert live(cluster) == 1
    await cluster.until(lambda: bool(candidate(cluster).get("analysedSince")), say="version 2 is tried anew")
    compared.away = False
    await cluster.until(lambda: serves(cluster, 1), say="version 1 serves alone")
    assert [entry["number"] for entry in status(cluster)["quarantine"]] == [2]


STORIES: tuple[Scenario, ...] = (
    a_good_candidate_is_promoted,
    a_bad_candidate_goes_back_and_stays_away,
    without_data_for_hours_nothing_is_decided,
    without_data_a_candidate_waits_for_a_person,
    of_two_candidates_the_newer_one_is_tried,
    a_lost_status_in_the_middle_lets_nothing_through,
    a_rollback_of_the_champion_takes_the_candidate_with_it,
    applied_again_a_deployment_serves_what_served_and_tries_the_candidate_anew,
)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_canary_comes_to_its_end(story: Scenario) -> None:
    play(story)


SAMPLE = 8
"""How many interruptions a story gets by default; `EFFORT=all` hits every write."""
INTERRUPTIONS: tuple[Interruption, ...] = ("before", "after", "frozen")
HIT = (
    a_good_candidate_is_promoted,
    a_bad_candidate_goes_back_and_stays_away,
    of_two_candidates_the_newer_one_is_tried,
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("story", HIT, ids=lambda story: story.__name__)
def test_hit_at_a_write_a_canary_comes_to_its_end_all_the_same(story: Scenario) -> None:
    comes_through(story, INTERRUPTIONS, sample=SAMPLE, beginning=3)


@pytest.mark.timeout(900)
def test_on_a_bad_day_a_canary_comes_to_its_end_all_the_same() -> None:
    has_bad_days(HIT, 3)


def test_letting_a_candidate_through_without_a_verdict_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "strategy", lambda *_: None)
    with pytest.raises(AssertionError, match="was not let through beside it"):
        play(a_bad_candidate_goes_back_and_stays_away, restart=False)


def test_sharing_the_traffic_with_pods_of_a_former_candidate_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whether the former one still has pods when the Service changes hangs on the order of the revisions' names, which
    # are digests: of a few candidates some meet it.
    def play_a_few() -> None:
        for depth in range(7, 15):

            async def story(cluster: SimulatedCluster, depth: int = depth) -> None:
                cluster.serving = lambda deployment: Serving(seconds=0.1)
                await another_candidate_comes(cluster, depth)

            play(story, restart=False)

    play_a_few()
    monkeypatch.setattr(traffic_label, "other_revisions", lambda *_: frozenset())
    with pytest.raises(AssertionError, match="which is neither live nor tried"):
        play_a_few()
