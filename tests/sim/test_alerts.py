"""However often an alert is told, by however many copies, whatever dies meanwhile: an episode starts one run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest
from steadfit.core.training.limits import cooldown

from .alerting import Alertmanagers
from .behaviour import Training
from .branching import failures_of_hits
from .client import Blow
from .harness import play, rough
from .installation import World
from .objects import JSON
from .observations import is_idle, phases, serves
from .parallel import failures, report
from .scenarios import LIMITS, Scenario
from .starting_objects import NAME, installation, model_deployment, training_job

TRIGGERS = [{"name": "drift", "alert": {"matchLabels": {"alertname": "ModelInputDrift"}}}]
COOLDOWN = 600.0
EVERYWHERE = os.environ.get("CRASHES") == "all"


def automatic(world: World) -> list[JSON]:
    """Return the runs that alerts have started."""
    return [run for run in world.objects("TrainingRun") if run["spec"]["cause"]["type"] == "Alert"]


def waits_for(world: World) -> str | None:
    """Return what the alerts wait for."""
    waiting = world.status("TrainingJob", NAME).get("waiting")
    return waiting["reason"] if waiting else None


async def first_version(world: World) -> Alertmanagers:
    """Begin as every story here does: version 1 serves, and its cooldown has begun."""
    installation(world)
    world.create(training_job(limits={**LIMITS, "cooldown": f"{COOLDOWN:.0f}s"}, triggers=TRIGGERS))
    world.create(model_deployment())
    await world.until(lambda: serves(world, 1) and is_idle(world), say="version 1 serves")
    return Alertmanagers(world)


async def ends_with_one_run(world: World, managers: Alertmanagers) -> None:
    """Let the alerts fire on for half of the cooldown after their run, then end, and wait for a second run in vain."""
    await world.until(lambda: len(automatic(world)) == 1, say="the alerts start a run")
    await world.until(lambda: is_idle(world) and phases(world) == ["Succeeded"] * 2, say="the run succeeds")
    await world.until(lambda: waits_for(world) == "Cooldown", say="what still fires waits for the cooldown")
    await asyncio.sleep(COOLDOWN / 2)
    await managers.resolve()
    await world.until(lambda: waits_for(world) is None, say="nothing waits when nothing fires")
    await asyncio.sleep(3 * COOLDOWN)
    managers.close()
    assert len(automatic(world)) == 1


async def an_episode(world: World) -> None:
    """Alerts that come in the cooldown are looked at when it ends; those that go on afterwards start nothing more."""
    managers = await first_version(world)
    await managers.fire(["3f2a9c1b44d05e77", "9a8b7c6d5e4f3a2b"])
    await world.until(lambda: waits_for(world) == "Cooldown", say="the alerts wait for the cooldown")
    assert automatic(world) == []
    await ends_with_one_run(world, managers)
    (run,) = automatic(world)
    assert run["spec"]["cause"]["trigger"] == "drift"
    assert run["spec"]["cause"]["message"] == "alert ModelInputDrift (3f2a9c1b and 1 more) fires"
    (noted,) = world.status("TrainingJob", NAME)["automaticRuns"]
    assert (noted["name"], noted["outcome"]) == (run["metadata"]["name"], "Better")


async def a_thousand_alerts_of_three_copies_and_an_operator_that_restarts(world: World) -> None:
    world.training = lambda run, attempt: Training(seconds=300)
    managers = await first_version(world)
    await managers.fire([f"{number:016x}" for number in range(1000)])
    await world.until(lambda: waits_for(world) == "Cooldown", say="the alerts wait for the cooldown")
    for _ in range(4):
        await asyncio.sleep(COOLDOWN / 5)
        await world.restart()
    await world.until(lambda: len(automatic(world)) == 1, say="the alerts start a run")
    for _ in range(4):
        await world.restart()
        await asyncio.sleep(40)
    await ends_with_one_run(world, managers)
    assert managers.told > 3 * 1000


async def a_status_that_is_lost_in_the_middle(world: World) -> None:
    world.training = lambda run, attempt: Training(seconds=300)
    managers = await first_version(world)
    await managers.fire(["3f2a9c1b44d05e77"])
    await world.until(lambda: "Running" in phases(world), say="the alert's run is running")
    for _ in range(3):
        world.store.set_status(world.ref("TrainingJob", NAME), {"observedGeneration": -1}, "kubectl-edit")
        await asyncio.sleep(60)
    await ends_with_one_run(world, managers)


async def an_episode_that_begins_while_no_operator_is_there(world: World) -> None:
    managers = await first_version(world)
    await asyncio.sleep(2 * COOLDOWN)
    world.stop()
    await managers.fire(["3f2a9c1b44d05e77"])
    await asyncio.sleep(300)
    assert automatic(world) == []
    world.boot()
    await ends_with_one_run(world, managers)


async def an_episode_that_is_over_before_the_operator_is_back(world: World) -> None:
    managers = await first_version(world)
    await asyncio.sleep(2 * COOLDOWN)
    world.stop()
    await managers.fire(["3f2a9c1b44d05e77"])
    await asyncio.sleep(300)
    await managers.resolve()
    managers.close()
    world.boot()
    await asyncio.sleep(3 * COOLDOWN)
    assert automatic(world) == []
    assert waits_for(world) is None


async def an_alert_that_never_ends(world: World) -> None:
    """Nothing that is learned mends it: the runs become rarer, and a person is told."""
    world.training = lambda run, attempt: Training(roc_auc=0.8 if run["spec"]["cause"]["type"] != "Alert" else 0.3)
    managers = await first_version(world)
    await managers.fire(["3f2a9c1b44d05e77"])
    await asyncio.sleep(40 * COOLDOWN)
    runs = sorted(automatic(world), key=lambda run: str(run["metadata"]["creationTimestamp"]))
    # After 1, 1 and 1 cooldowns, then 2, 4, 8 and 16: the next one would come after 64.
    assert len(runs) == 4, "the budget of a day comes before that"
    status = world.status("TrainingJob", NAME)
    assert [run["outcome"] for run in status["automaticRuns"]] == ["NotBetter"] * 4
    assert waits_for(world) == "RunLimitReached"
    assert serves(world, 1)
    await managers.resolve()
    managers.close()
    await world.until(lambda: waits_for(world) is None, say="nothing waits when nothing fires")


STORIES: tuple[Callable[[World], Awaitable[None]], ...] = (
    an_episode,
    a_thousand_alerts_of_three_copies_and_an_operator_that_restarts,
    a_status_that_is_lost_in_the_middle,
    an_episode_that_begins_while_no_operator_is_there,
    an_episode_that_is_over_before_the_operator_is_back,
    an_alert_that_never_ends,
)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_the_story_of_alerts_comes_to_its_end(story: Scenario) -> None:
    play(story)


def survives(blow: Blow, step: int) -> None:
    # To die before a write that finds the cluster as the one before has left it is to die after that one.
    trace = play(an_episode).trace
    writes = [write.number for write in trace if blow != "before" or EVERYWHERE or not write.at_once]
    found = failures_of_hits(an_episode, [(number, blow) for number in writes[::step]])
    assert not found, report(found)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("blow", ["before", "after"])
def test_an_operator_that_is_killed_at_any_write_starts_one_run_all_the_same(blow: Blow) -> None:
    survives(blow, 1)


@pytest.mark.timeout(900)
def test_an_operator_that_is_frozen_at_a_write_and_thawed_beside_the_next_one_starts_one_run() -> None:
    survives("frozen", 1 if EVERYWHERE else 5)


@pytest.mark.timeout(900)
def test_an_episode_on_a_bad_day_starts_one_run() -> None:
    def check(seed: int) -> str | None:
        play(an_episode, rough(seed), seed)
        return None

    found = failures(check, range(6))
    assert not found, report(found)


def test_a_second_run_of_an_episode_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cooldown, "hold", lambda *_: None)
    with pytest.raises(AssertionError, match=r"the run succeeds|what still fires waits"):
        play(an_episode_that_begins_while_no_operator_is_there)
