"""What serves goes back when it is worse, the world is learned anew when it has moved, and no data changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from steadfit.core.serving.recovery import rollback_limit
from steadfit.core.types import Signal

from .behaviour import Training
from .client import Blow
from .fault_injection import comes_through, has_bad_days
from .harness import play
from .installation import World
from .measuring import Prometheus
from .objects import JSON
from .observations import condition, is_idle, live, serves
from .scenarios import LIMITS, Scenario, set_param
from .starting_objects import NAME, installation, model_deployment, training_job

ERRORS: JSON = {"name": "errors", "errorRate": {"max": 0.05}, "window": "5m", "action": "Rollback"}
QUALITY: JSON = {
    "name": "quality",
    "quality": {"metric": "brier_score", "max": 0.22},
    "window": "30m",
    "action": "Recover",
}
WORSE = {"rows": 4210, "live": 0.241, "lastGood": 0.198, "difference": 0.043, "lower": 0.03, "upper": 0.056}
MOVED = {"rows": 4210, "live": 0.241, "lastGood": 0.243, "difference": -0.002, "lower": -0.01, "upper": 0.006}
COOLDOWN = 600.0
SENTENCE = (
    "version 2 is worse: on 4,210 labelled rows of the last 30m brier_score is 0.241, version 1 scores 0.198 (margin"
    " 0.005)"
)


def measures(bad: Callable[[int], bool]) -> Callable[[int, str], Signal]:
    """Return a Prometheus in which some versions fail requests and answer badly."""

    def answer(version: int, monitor: str) -> Signal:
        if monitor == "errors":
            return Signal(0.2 if bad(version) else 0.001, 1000)
        return Signal(0.241 if bad(version) else 0.19, 4000)

    return answer


async def two_versions(world: World, bad: Callable[[int], bool], *monitors: JSON, **spec: Any) -> Prometheus:
    """Begin as every story here does: version 1 is the last good one, and version 2 has just taken over."""
    installation(world)
    world.create(training_job(limits={**LIMITS, "cooldown": f"{COOLDOWN:.0f}s"}))
    world.create(model_deployment(monitors=list(monitors), capture={"sample": 1.0}, **spec))
    prometheus = Prometheus(world, measures(bad))
    await world.until(lambda: serves(world, 1) and is_idle(world), say="version 1 serves")
    set_param(world, "depth", 6)
    await world.until(lambda: live(world) == 2, say="version 2 goes live")
    return prometheus


def status(world: World) -> JSON:
    return world.status("ModelDeployment", NAME)


def rollbacks(world: World) -> list[int]:
    """Return the numbers of the versions that were rolled back by themselves."""
    return [entry["number"] for entry in status(world).get("rollbacks", ())]


def quarantined(world: World) -> dict[int, str]:
    return {entry["number"]: entry["by"] for entry in status(world).get("quarantine", ())}


def is_evaluation(run: Mapping[str, Any]) -> bool:
    return bool(run["spec"].get("purpose") == "Evaluate")


def evaluations(world: World) -> list[JSON]:
    return [run for run in world.objects("TrainingRun") if is_evaluation(run)]


def by_monitors(world: World) -> list[JSON]:
    """Return the runs that train because a monitor fires."""
    runs = [run for run in world.objects("TrainingRun") if run["spec"]["cause"]["type"] == "Monitor"]
    return [run for run in runs if not is_evaluation(run)]


# Stories


async def errors_while_it_bakes_put_the_last_good_version_back(world: World) -> None:
    await two_versions(world, lambda version: version == 2, ERRORS)
    await world.until(lambda: serves(world, 1) and rollbacks(world), say="version 1 serves again")
    assert quarantined(world) == {2: "monitor errors"}
    assert rollbacks(world) == [2]
    await asyncio.sleep(3600)
    assert serves(world, 1)
    assert (rollbacks(world), by_monitors(world)) == ([2], [])
    set_param(world, "depth", 7)
    await world.until(lambda: serves(world, 3), say="a newer version that is good serves")


async def a_worse_model_is_found_out_and_goes_back(world: World) -> None:
    world.training = lambda run, attempt: Training(found=WORSE)
    await two_versions(world, lambda version: version == 2, QUALITY)
    await world.until(lambda: serves(world, 1) and rollbacks(world), say="version 1 serves again")
    await asyncio.sleep(3600)
    assert quarantined(world) == {2: "monitor quality"}
    assert status(world)["quarantine"][0]["reason"] == SENTENCE
    assert len(evaluations(world)) == 1
    assert by_monitors(world) == []
    (entry,) = status(world)["diagnoses"]
    assert (entry["verdict"], entry["message"]) == ("ModelWorse", f"{SENTENCE}; rolled back")


async def the_world_moved_and_is_learned_anew(world: World) -> None:
    world.training = lambda run, attempt: Training(found=MOVED)
    await two_versions(world, lambda version: version == 2, QUALITY)
    await world.until(lambda: serves(world, 3), say="a version that has learned from the new world serves")
    await asyncio.sleep(3 * COOLDOWN)
    assert (rollbacks(world), quarantined(world)) == ([], {})
    assert len(evaluations(world)) == 1
    (run,) = by_monitors(world)
    cause = run["spec"]["cause"]
    assert cause["monitor"] == f"{NAME}/quality"
    assert cause["message"].startswith(f"monitor {NAME}/quality fires: concept drift: on 4,210 labelled rows")


async def a_source_that_goes_away_in_the_middle_changes_nothing(world: World) -> None:
    """The comparison comes out, but nobody knows any more whether anything is wrong."""
    world.training = lambda run, attempt: Training(seconds=300 if is_evaluation(run) else 20, found=WORSE)
    prometheus = await two_versions(world, lambda version: version == 2, QUALITY, ERRORS | {"for": "5m"})
    await world.until(lambda: status(world).get("diagnoses"), say="the diagnosis has begun")
    prometheus.away = True
    await asyncio.sleep(6 * 3600)
    assert [run["status"]["phase"] for run in evaluations(world)] == ["Succeeded"]
    assert serves(world, 2)
    prometheus.answer, prometheus.away = measures(lambda version: False), False
    await asyncio.sleep(3600)
    assert serves(world, 2)
    assert (rollbacks(world), quarantined(world), by_monitors(world)) == ([], {}, [])


async def a_dry_run_only_tells(world: World) -> None:
    world.training = lambda run, attempt: Training(found=WORSE)
    await two_versions(world, lambda version: version == 2, QUALITY, ERRORS, dryRun=True)
    await world.until(lambda: condition(status(world), "DryRun") == "True", say="it is told")
    await asyncio.sleep(3600)
    assert serves(world, 2)
    assert (rollbacks(world), quarantined(world), by_monitors(world)) == ([], {}, [])


async def at_the_limit_what_serves_goes_on(world: World) -> None:
    await two_versions(world, lambda version: version > 1, ERRORS, limits={"maxRollbacksPerDay": 1})
    await world.until(lambda: serves(world, 1) and rollbacks(world), say="version 1 serves again")
    set_param(world, "depth", 7)
    await world.until(lambda: live(world) == 3, say="version 3 goes live")
    await asyncio.sleep(3600)
    assert serves(world, 3)
    assert rollbacks(world) == [2]
    assert condition(status(world), "RollbacksFrozen") == "True"


HEALED = (
    errors_while_it_bakes_put_the_last_good_version_back,
    a_worse_model_is_found_out_and_goes_back,
    the_world_moved_and_is_learned_anew,
    a_source_that_goes_away_in_the_middle_changes_nothing,
)
BLOWS: tuple[Blow, ...] = ("before", "after")
HELD = (a_dry_run_only_tells, at_the_limit_what_serves_goes_on)
"""These end while a monitor fires: an operator that starts anew measures it anew."""


@pytest.mark.parametrize("story", HEALED, ids=lambda story: story.__name__)
def test_the_story_of_recovery_comes_to_its_end(story: Scenario) -> None:
    play(story)


@pytest.mark.parametrize("story", HELD, ids=lambda story: story.__name__)
def test_what_is_held_back_stays_so(story: Scenario) -> None:
    play(story, restart=False)


SAMPLE = 8
"""How many blows a story gets by default; `CRASHES=all` hits every write."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("story", HEALED[:3], ids=lambda story: story.__name__)
def test_killed_at_a_write_it_recovers_all_the_same(story: Scenario) -> None:
    comes_through(story, BLOWS, sample=SAMPLE, beginning=2)


@pytest.mark.timeout(900)
def test_on_a_bad_day_it_recovers_all_the_same() -> None:
    has_bad_days(HEALED[:3], 3)


def test_a_rollback_beyond_the_limit_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollback_limit, "problem", lambda *_: None)
    with pytest.raises(AssertionError):
        play(at_the_limit_what_serves_goes_on, restart=False)
