"""A candidate that is good takes over step by step, one that is worse goes back, and no data decides nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from steadfit.core.serving.rollout import canary
from steadfit.core.serving.traffic import traffic_label

from .behaviour import Serving
from .client import Blow
from .comparing import Comparisons, Failing
from .fault_injection import comes_through, has_bad_days
from .harness import play
from .installation import World
from .objects import JSON
from .observations import condition, is_idle, live, serves
from .scenarios import LIMITS, Scenario, set_param
from .starting_objects import NAME, action, installation, model_deployment, training_job

STEPS: JSON = {"canary": {"steps": [{"weight": 25}, {"weight": 50, "pause": "10m"}]}}


async def a_candidate_is_tried(world: World, failing: Failing, **spec: Any) -> Comparisons:
    """Begin as every story here does: version 1 serves, and version 2 is trained and takes traffic beside it."""
    installation(world)
    world.create(training_job(limits=LIMITS))
    world.create(model_deployment(strategy=STEPS, **spec))
    compared = Comparisons(world, failing)
    await world.until(lambda: serves(world, 1) and is_idle(world), say="version 1 serves")
    set_param(world, "depth", 6)
    await world.until(lambda: bool(candidate(world).get("analysedSince")), say="version 2 takes traffic")
    return compared


def status(world: World) -> JSON:
    return world.status("ModelDeployment", NAME)


def candidate(world: World) -> JSON:
    found: JSON = status(world).get("candidate", {})
    return found


def fails(version: int, share: float = 0.2) -> Failing:
    """Return what a version of many fails."""
    return lambda number: share if number == version else 0.01


# Stories


async def a_good_candidate_is_promoted(world: World) -> None:
    await a_candidate_is_tried(world, fails(0))
    await world.until(lambda: serves(world, 2), say="version 2 serves")
    assert status(world)["lastGood"]["number"] == 1
    assert not status(world).get("quarantine")
    assert not status(world).get("abandoned")


async def a_bad_candidate_goes_back_and_stays_away(world: World) -> None:
    await a_candidate_is_tried(world, fails(2))
    await world.until(lambda: serves(world, 1), say="version 1 serves alone")
    assert [(entry["number"], entry["by"]) for entry in status(world)["quarantine"]] == [(2, "analysis")]
    await asyncio.sleep(7200)
    assert serves(world, 1)
    assert not status(world).get("rollbacks")
    set_param(world, "depth", 7)
    await world.until(lambda: serves(world, 3), say="version 3, which is good, serves")


async def without_data_for_hours_nothing_is_decided(world: World) -> None:
    compared = await a_candidate_is_tried(world, fails(2), analysis={"maxDuration": "6h"})
    compared.away = True
    await asyncio.sleep(5 * 3600)
    assert (live(world), candidate(world)["phase"], candidate(world)["number"]) == (1, "Analysing", 2)
    assert condition(status(world), "MetricsAvailable") == "False"
    await world.until(lambda: serves(world, 1), say="version 2 is given up")
    assert [(entry["number"], entry["by"]) for entry in status(world)["abandoned"]] == [(2, "analysis")]
    assert not status(world).get("quarantine")
    compared.away = False
    await asyncio.sleep(3600)
    assert serves(world, 1)


async def without_data_a_candidate_waits_for_a_person(world: World) -> None:
    analysis = {"maxDuration": "1h", "onInconclusive": "Pause"}
    compared = await a_candidate_is_tried(world, fails(0), analysis=analysis)
    compared.away = True
    await world.until(lambda: candidate(world).get("phase") == "Paused", say="version 2 is paused")
    assert live(world) == 1
    world.create(action("let-through", "Promote"))
    await world.until(lambda: serves(world, 2), say="version 2 serves by a person's word")


async def of_two_candidates_the_newer_one_is_tried(world: World) -> None:
    compared = await a_candidate_is_tried(world, fails(0))
    compared.away = True
    set_param(world, "depth", 7)
    await world.until(lambda: candidate(world).get("number") == 3, say="version 3 comes up")
    compared.away = False
    await world.until(lambda: serves(world, 3), say="version 3 serves")
    assert not status(world).get("quarantine")
    assert not status(world).get("abandoned")


async def a_lost_status_in_the_middle_lets_nothing_through(world: World) -> None:
    compared = await a_candidate_is_tried(world, fails(2))
    compared.away = True
    before = status(world)["live"]["revision"]
    world.edit("ModelDeployment", NAME, lambda obj: obj.pop("status"))
    await world.until(lambda: status(world).get("live", {}).get("revision") == before, say="what serves is found again")
    await world.until(lambda: bool(candidate(world).get("analysedSince")), say="version 2 is tried anew")
    compared.away = False
    await world.until(lambda: serves(world, 1), say="version 1 serves alone")
    assert [entry["number"] for entry in status(world)["quarantine"]] == [2]


async def a_rollback_of_the_champion_takes_the_candidate_with_it(world: World) -> None:
    compared = await a_candidate_is_tried(world, fails(0))
    await world.until(lambda: serves(world, 2) and is_idle(world), say="version 2 serves")
    compared.away = True
    set_param(world, "depth", 7)
    await world.until(lambda: bool(candidate(world).get("analysedSince")), say="version 3 takes traffic")
    world.create(action("back", "Rollback"))
    await world.until(lambda: serves(world, 1), say="version 1 serves again")
    await asyncio.sleep(1800)
    assert serves(world, 1)


STORIES: tuple[Scenario, ...] = (
    a_good_candidate_is_promoted,
    a_bad_candidate_goes_back_and_stays_away,
    without_data_for_hours_nothing_is_decided,
    without_data_a_candidate_waits_for_a_person,
    of_two_candidates_the_newer_one_is_tried,
    a_lost_status_in_the_middle_lets_nothing_through,
    a_rollback_of_the_champion_takes_the_candidate_with_it,
)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_canary_comes_to_its_end(story: Scenario) -> None:
    play(story)


SAMPLE = 8
"""How many blows a story gets by default; `CRASHES=all` hits every write."""
BLOWS: tuple[Blow, ...] = ("before", "after", "frozen")
HIT = (
    a_good_candidate_is_promoted,
    a_bad_candidate_goes_back_and_stays_away,
    of_two_candidates_the_newer_one_is_tried,
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("story", HIT, ids=lambda story: story.__name__)
def test_hit_at_a_write_a_canary_comes_to_its_end_all_the_same(story: Scenario) -> None:
    comes_through(story, BLOWS, sample=SAMPLE, beginning=3)


@pytest.mark.timeout(900)
def test_on_a_bad_day_a_canary_comes_to_its_end_all_the_same() -> None:
    has_bad_days(HIT, 3)


def test_letting_a_candidate_through_without_a_verdict_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "strategy", lambda *_: None)
    with pytest.raises(AssertionError, match="was not let through beside it"):
        play(a_bad_candidate_goes_back_and_stays_away, restart=False)


def test_sharing_the_traffic_with_pods_of_a_former_candidate_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(world: World) -> None:
        world.serving = lambda deployment: Serving(seconds=0.1)
        await of_two_candidates_the_newer_one_is_tried(world)

    play(story, restart=False)
    monkeypatch.setattr(traffic_label, "other_revisions", lambda *_: frozenset())
    with pytest.raises(AssertionError, match="which is neither live nor tried"):
        play(story, restart=False)
