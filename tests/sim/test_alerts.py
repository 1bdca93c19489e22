"""However often an alert is told, by however many copies, whatever dies meanwhile: an episode starts one run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from steadfit.core.training.limits import cooldown

from tests.support import effort

from .alerting import Alertmanagers
from .behaviour import Training
from .branching import failures_of_hits
from .client import Interruption
from .harness import play, rough
from .objects import JSON
from .observations import is_idle, phases, serves
from .parallel import failures, report
from .scenarios import LIMITS, Scenario
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, installation, model_deployment, training_job

TRIGGERS = [{"name": "drift", "alert": {"matchLabels": {"alertname": "ModelInputDrift"}}}]
COOLDOWN = 600.0


def automatic(cluster: SimulatedCluster) -> list[JSON]:
    """Return the runs that alerts have started."""
    return [run for run in cluster.objects("TrainingRun") if run["spec"]["cause"]["type"] == "Alert"]


def waits_for(cluster: SimulatedCluster) -> str | None:
    """Return what the alerts wait for."""
    waiting = cluster.status("TrainingJob", NAME).get("waiting")
    return waiting["reason"] if waiting else None


async def first_version(cluster: SimulatedCluster) -> Alertmanagers:
    """Begin as every story here does: version 1 serves, and its cooldown has begun."""
    installation(cluster)
    cluster.create(training_job(limits={**LIMITS, "cooldown": f"{COOLDOWN:.0f}s"}, triggers=TRIGGERS))
    cluster.create(model_deployment())
    await cluster.until(lambda: serves(cluster, 1) and is_idle(cluster), say="version 1 serves")
    return Alertmanagers(cluster)


async def ends_with_one_run(cluster: SimulatedCluster, managers: Alertmanagers) -> None:
    """Let the alerts fire on for half of the cooldown after their run, then end, and wait for a second run in vain."""
    await cluster.until(lambda: len(automatic(cluster)) == 1, say="the alerts start a run")
    await cluster.until(lambda: is_idle(cluster) and phases(cluster) == ["Succeeded"] * 2, say="the run succeeds")
    await cluster.until(lambda: waits_for(cluster) == "Cooldown", say="what still fires waits for the cooldown")
    await asyncio.sleep(COOLDOWN / 2)
    await managers.resolve()
    await cluster.until(lambda: waits_for(cluster) is None, say="nothing waits when nothing fires")
    await asyncio.sleep(3 * COOLDOWN)
    managers.close()
    assert len(automatic(cluster)) == 1


async def an_episode(cluster: SimulatedCluster) -> None:
    """Alerts that come in the cooldown are looked at when it ends; those that go on afterwards start nothing more."""
    managers = await first_version(cluster)
    await managers.fire(["3f2a9c1b44d05e77", "9a8b7c6d5e4f3a2b"])
    await cluster.until(lambda: waits_for(cluster) == "Cooldown", say="the alerts wait for the cooldown")
    assert automatic(cluster) == []
    await ends_with_one_run(cluster, managers)
    (run,) = automatic(cluster)
    assert run["spec"]["cause"]["trigger"] == "drift"
    assert run["spec"]["cause"]["message"] == "alert ModelInputDrift (3f2a9c1b and 1 more) fires"
    (noted,) = cluster.status("TrainingJob", NAME)["automaticRuns"]
    assert (noted["name"], noted["outcome"]) == (run["metadata"]["name"], "Better")


async def a_thousand_alerts_of_three_copies_and_an_operator_that_restarts(cluster: SimulatedCluster) -> None:
    cluster.training = lambda run, attempt: Training(seconds=300)
    managers = await first_version(cluster)
    await managers.fire([f"{number:016x}" for number in range(1000)])
    await cluster.until(lambda: waits_for(cluster) == "Cooldown", say="the alerts wait for the cooldown")
    for _ in range(4):
        await asyncio.sleep(COOLDOWN / 5)
        await cluster.restart()
    await cluster.until(lambda: len(automatic(cluster)) == 1, say="the alerts start a run")
    for _ in range(4):
        await cluster.restart()
        await asyncio.sleep(40)
    await ends_with_one_run(cluster, managers)
    assert managers.told > 3 * 1000


async def a_status_that_is_lost_in_the_middle(cluster: SimulatedCluster) -> None:
    cluster.training = lambda run, attempt: Training(seconds=300)
    managers = await first_version(cluster)
    await managers.fire(["3f2a9c1b44d05e77"])
    await cluster.until(lambda: "Running" in phases(cluster), say="the alert's run is running")
    for _ in range(3):
        cluster.lose_status("TrainingJob", NAME)
        await asyncio.sleep(60)
    await ends_with_one_run(cluster, managers)


async def an_episode_that_begins_while_no_operator_is_there(cluster: SimulatedCluster) -> None:
    managers = await first_version(cluster)
    await asyncio.sleep(2 * COOLDOWN)
    cluster.stop()
    await managers.fire(["3f2a9c1b44d05e77"])
    await asyncio.sleep(300)
    assert automatic(cluster) == []
    cluster.boot()
    await ends_with_one_run(cluster, managers)


async def an_episode_that_is_over_before_the_operator_is_back(cluster: SimulatedCluster) -> None:
    managers = await first_version(cluster)
    await asyncio.sleep(2 * COOLDOWN)
    cluster.stop()
    await managers.fire(["3f2a9c1b44d05e77"])
    await asyncio.sleep(300)
    await managers.resolve()
    managers.close()
    cluster.boot()
    await asyncio.sleep(3 * COOLDOWN)
    assert automatic(cluster) == []
    assert waits_for(cluster) is None


async def an_alert_that_never_ends(cluster: SimulatedCluster) -> None:
    """Nothing that is learned mends it: the runs become rarer, and a person is told."""
    cluster.training = lambda run, attempt: Training(roc_auc=0.8 if run["spec"]["cause"]["type"] != "Alert" else 0.3)
    managers = await first_version(cluster)
    await managers.fire(["3f2a9c1b44d05e77"])
    await asyncio.sleep(40 * COOLDOWN)
    runs = sorted(automatic(cluster), key=lambda run: str(run["metadata"]["creationTimestamp"]))
    # After 1, 1 and 1 cooldowns, then 2, 4, 8 and 16: the next one would come after 64.
    assert len(runs) == 4, "the budget of a day comes before that"
    status = cluster.status("TrainingJob", NAME)
    assert [run["outcome"] for run in status["automaticRuns"]] == ["NotBetter"] * 4
    assert waits_for(cluster) == "RunLimitReached"
    assert serves(cluster, 1)
    await managers.resolve()
    managers.close()
    await cluster.until(lambda: waits_for(cluster) is None, say="nothing waits when nothing fires")


STORIES: tuple[Callable[[SimulatedCluster], Awaitable[None]], ...] = (
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


def survives(interruption: Interruption, step: int) -> None:
    # To die before a write that finds the cluster as the one before has left it is to die after that one.
    trace = play(an_episode).trace
    writes = [write.number for write in trace if interruption != "before" or effort.ALL or not write.at_once]
    found = failures_of_hits(an_episode, [(number, interruption) for number in effort.every(writes[::step])])
    assert not found, report(found)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("interruption", ["before", "after"])
def test_an_operator_that_is_killed_at_any_write_starts_one_run_all_the_same(interruption: Interruption) -> None:
    survives(interruption, 1)


@pytest.mark.timeout(900)
def test_an_operator_that_is_frozen_at_a_write_and_thawed_beside_the_next_one_starts_one_run() -> None:
    survives("frozen", 1 if effort.ALL else 5)


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
