"""What serves goes back when it is worse, a run starts when the data has moved, and missing data changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from steadfit.core.serving.recovery import rollback_limit
from steadfit.core.types import Signal

from .behaviour import Training
from .client import Interruption
from .fault_injection import comes_through, has_bad_days
from .harness import play
from .measuring import Prometheus
from .objects import JSON
from .observations import condition, is_idle, live, serves
from .scenarios import LIMITS, Scenario, set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action, installation, model_deployment, training_job

ERRORS: JSON = {"name": "errors", "errorRate": {"max": 0.05}, "window": "5m", "action": "Rollback"}
QUALITY: JSON = {
    "name": "quality",
    "quality": {"metric": "brier_score", "max": 0.22},
    "window": "30m",
    "action": "Recover",
}
FUEL_PRICE: JSON = {"name": "price", "query": {"promQL": "fuel_price", "max": 1}, "action": "Retrain"}
WORSE = {"rows": 4210, "live": 0.241, "lastGood": 0.198, "difference": 0.043, "lower": 0.03, "upper": 0.056}
MOVED = {"rows": 4210, "live": 0.241, "lastGood": 0.243, "difference": -0.002, "lower": -0.01, "upper": 0.006}
COOLDOWN = 600.0
SENTENCE = "version 2 is worse: on 4,210 labelled rows brier_score is 0.241, version 1 scores 0.198 (margin 0.005)"


def measures(bad: Callable[[int], bool]) -> Callable[[int, str], Signal]:
    """Return a Prometheus in which some versions fail requests and answer badly."""

    def answer(version: int, monitor: str) -> Signal:
        if monitor == "errors":
            return Signal(0.2 if bad(version) else 0.001, 1000)
        return Signal(0.241 if bad(version) else 0.19, 4000)

    return answer


async def two_versions(
    cluster: SimulatedCluster, bad: Callable[[int], bool], *monitors: JSON, **spec: Any
) -> Prometheus:
    """Begin as every story here does: version 1 is the last good one, and version 2 has just taken over."""
    installation(cluster)
    cluster.create(training_job(limits={**LIMITS, "cooldown": f"{COOLDOWN:.0f}s"}))
    cluster.create(model_deployment(monitors=list(monitors), capture={"sample": 1.0}, **spec))
    prometheus = Prometheus(cluster, measures(bad))
    await cluster.until(lambda: serves(cluster, 1) and is_idle(cluster), say="version 1 serves")
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: live(cluster) == 2, say="version 2 goes live")
    return prometheus


def status(cluster: SimulatedCluster) -> JSON:
    return cluster.status("ModelDeployment", NAME)


def rollbacks(cluster: SimulatedCluster) -> list[int]:
    """Return the numbers of the versions that were rolled back by themselves."""
    return [entry["number"] for entry in status(cluster).get("rollbacks", ())]


def quarantined(cluster: SimulatedCluster) -> dict[int, str]:
    return {entry["number"]: entry["by"] for entry in status(cluster).get("quarantine", ())}


def is_evaluation(run: Mapping[str, Any]) -> bool:
    return bool(run["spec"].get("purpose") == "Evaluate")


def evaluations(cluster: SimulatedCluster) -> list[JSON]:
    return [run for run in cluster.objects("TrainingRun") if is_evaluation(run)]


def by_monitors(cluster: SimulatedCluster) -> list[JSON]:
    """Return the runs that train because a monitor fires."""
    runs = [run for run in cluster.objects("TrainingRun") if run["spec"]["cause"]["type"] == "Monitor"]
    return [run for run in runs if not is_evaluation(run)]


# Stories


async def errors_while_it_bakes_put_the_last_good_version_back(cluster: SimulatedCluster) -> None:
    await two_versions(cluster, lambda version: version == 2, ERRORS)
    await cluster.until(lambda: serves(cluster, 1) and rollbacks(cluster), say="version 1 serves again")
    assert quarantined(cluster) == {2: "monitor errors"}
    assert rollbacks(cluster) == [2]
    await asyncio.sleep(3600)
    assert serves(cluster, 1)
    assert (rollbacks(cluster), by_monitors(cluster)) == ([2], [])
    set_param(cluster, "depth", 7)
    await cluster.until(lambda: serves(cluster, 3), say="a newer version that is good serves")


async def a_worse_model_is_found_out_and_goes_back(cluster: SimulatedCluster) -> None:
    cluster.training = lambda run, attempt: Training(found=WORSE)
    await two_versions(cluster, lambda version: version == 2, QUALITY)
    await cluster.until(lambda: serves(cluster, 1) and rollbacks(cluster), say="version 1 serves again")
    await asyncio.sleep(3600)
    assert quarantined(cluster) == {2: "monitor quality"}
    assert status(cluster)["quarantine"][0]["reason"] == SENTENCE
    assert len(evaluations(cluster)) == 1
    assert by_monitors(cluster) == []
    (entry,) = status(cluster)["diagnoses"]
    assert (entry["verdict"], entry["message"]) == ("ModelWorse", f"{SENTENCE}; rolled back")


async def the_world_moved_and_is_learned_anew(cluster: SimulatedCluster) -> None:
    cluster.training = lambda run, attempt: Training(found=MOVED)
    await two_versions(cluster, lambda version: version == 2, QUALITY)
    await cluster.until(lambda: serves(cluster, 3), say="a version that has learned from the new world serves")
    await asyncio.sleep(3 * COOLDOWN)
    assert (rollbacks(cluster), quarantined(cluster)) == ([], {})
    assert len(evaluations(cluster)) == 1
    (run,) = by_monitors(cluster)
    cause = run["spec"]["cause"]
    assert cause["monitor"] == f"{NAME}/quality"
    assert cause["message"].startswith(f"monitor {NAME}/quality fires: concept drift: on 4,210 labelled rows")


async def a_source_that_goes_away_in_the_middle_changes_nothing(cluster: SimulatedCluster) -> None:
    """The comparison comes out, but nobody knows any more whether anything is wrong."""
    cluster.training = lambda run, attempt: Training(seconds=300 if is_evaluation(run) else 20, found=WORSE)
    prometheus = await two_versions(cluster, lambda version: version == 2, QUALITY, ERRORS | {"for": "5m"})
    await cluster.until(lambda: status(cluster).get("diagnoses"), say="the diagnosis has begun")
    prometheus.away = True
    await asyncio.sleep(6 * 3600)
    assert [run["status"]["phase"] for run in evaluations(cluster)] == ["Succeeded"]
    assert serves(cluster, 2)
    prometheus.answer, prometheus.away = measures(lambda version: False), False
    await asyncio.sleep(3600)
    assert serves(cluster, 2)
    assert (rollbacks(cluster), quarantined(cluster), by_monitors(cluster)) == ([], {}, [])


async def a_dry_run_only_tells(cluster: SimulatedCluster) -> None:
    cluster.training = lambda run, attempt: Training(found=WORSE)
    await two_versions(cluster, lambda version: version == 2, QUALITY, ERRORS, dryRun=True)
    await cluster.until(lambda: condition(status(cluster), "DryRun") == "True", say="it is told")
    await asyncio.sleep(3600)
    assert serves(cluster, 2)
    assert (rollbacks(cluster), quarantined(cluster), by_monitors(cluster)) == ([], {}, [])


async def at_the_limit_what_serves_goes_on(cluster: SimulatedCluster) -> None:
    await two_versions(cluster, lambda version: version > 1, ERRORS, limits={"maxRollbacksPerDay": 1})
    await cluster.until(lambda: serves(cluster, 1) and rollbacks(cluster), say="version 1 serves again")
    set_param(cluster, "depth", 7)
    await cluster.until(lambda: live(cluster) == 3, say="version 3 goes live")
    await asyncio.sleep(3600)
    assert serves(cluster, 3)
    assert rollbacks(cluster) == [2]
    assert condition(status(cluster), "RollbacksFrozen") == "True"


async def what_serves_is_of_another_training_job_and_trains_nothing_until_a_promotion(
    cluster: SimulatedCluster,
) -> None:
    def waits() -> bool:
        return bool(cluster.status("TrainingJob", "other").get("waiting", {}).get("reason") == "ChampionNotComparable")

    installation(cluster)
    limits = {**LIMITS, "cooldown": f"{COOLDOWN:.0f}s"}
    cluster.create(training_job(limits=limits))
    cluster.create(training_job("other", limits=limits, params={"x": 1}))
    cluster.create(model_deployment(monitors=[FUEL_PRICE]))
    prometheus = Prometheus(cluster, lambda version, monitor: Signal(0.1, 1000))
    await cluster.until(lambda: serves(cluster, 1) and is_idle(cluster), say="version 1 of flights serves")
    await cluster.until(
        lambda: "phase" in cluster.status("ModelVersion", "other-v1"), say="version 1 of other is there"
    )
    cluster.edit("ModelDeployment", NAME, lambda obj: obj["spec"].update(trainingJobRef={"name": "other"}))
    prometheus.answer = lambda version, monitor: Signal(5.0, 1000)
    await cluster.until(waits, say="other says why it does not train")
    await asyncio.sleep(3 * 3600)
    assert status(cluster)["live"]["version"] == "flights-v1"
    assert (by_monitors(cluster), waits()) == ([], True)
    cluster.create(action("promote", "Promote", 1))
    await cluster.until(lambda: status(cluster)["live"]["version"] == "other-v1", say="version 1 of other serves")
    await cluster.until(lambda: bool(by_monitors(cluster)), say="its drift is trained for")


async def the_newest_version_that_is_better_is_gone_back_to(cluster: SimulatedCluster) -> None:
    def found(run: Mapping[str, Any]) -> Mapping[str, Any]:
        return WORSE if run["spec"].get("evaluate", {}).get("lastGood", {}).get("number") == 1 else MOVED

    cluster.training = lambda run, attempt: Training(found=found(run))
    await two_versions(cluster, lambda version: version == 3, QUALITY)
    set_param(cluster, "depth", 7)
    await cluster.until(lambda: live(cluster) == 3, say="version 3 goes live")
    await cluster.until(lambda: serves(cluster, 1) and rollbacks(cluster), say="version 1, which is better, serves")
    await asyncio.sleep(3600)
    assert (quarantined(cluster), by_monitors(cluster)) == ({3: "monitor quality"}, [])
    assert len(evaluations(cluster)) == 2
    assert [one["number"] for one in status(cluster)["diagnoses"][0]["notBetter"]] == [2]


async def two_bad_versions_are_rolled_back_one_after_the_other(cluster: SimulatedCluster) -> None:
    prometheus = await two_versions(cluster, lambda version: False, ERRORS)
    set_param(cluster, "depth", 7)
    await cluster.until(lambda: serves(cluster, 3), say="version 3 serves")
    prometheus.answer = measures(lambda version: version > 1)
    await cluster.until(lambda: serves(cluster, 1), say="version 1 serves again")
    await asyncio.sleep(3600)
    assert (serves(cluster, 1), rollbacks(cluster)) == (True, [3, 2])


HEALED = (
    errors_while_it_bakes_put_the_last_good_version_back,
    a_worse_model_is_found_out_and_goes_back,
    the_world_moved_and_is_learned_anew,
    a_source_that_goes_away_in_the_middle_changes_nothing,
    the_newest_version_that_is_better_is_gone_back_to,
    two_bad_versions_are_rolled_back_one_after_the_other,
)
INTERRUPTIONS: tuple[Interruption, ...] = ("before", "after")
HELD = (
    a_dry_run_only_tells,
    at_the_limit_what_serves_goes_on,
    what_serves_is_of_another_training_job_and_trains_nothing_until_a_promotion,
)
"""These end while a monitor fires: an operator that starts anew measures it anew."""


@pytest.mark.parametrize("story", HEALED, ids=lambda story: story.__name__)
def test_the_story_of_recovery_comes_to_its_end(story: Scenario) -> None:
    play(story)


@pytest.mark.parametrize("story", HELD, ids=lambda story: story.__name__)
def test_what_is_held_back_stays_so(story: Scenario) -> None:
    play(story, restart=False)


SAMPLE = 8
"""How many interruptions a story gets by default; `EFFORT=all` hits every write."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("story", HEALED[:3], ids=lambda story: story.__name__)
def test_killed_at_a_write_it_recovers_all_the_same(story: Scenario) -> None:
    comes_through(story, INTERRUPTIONS, sample=SAMPLE, beginning=2)


@pytest.mark.timeout(900)
def test_on_a_bad_day_it_recovers_all_the_same() -> None:
    has_bad_days(HEALED[:3], 3)


def test_a_rollback_beyond_the_limit_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollback_limit, "problem", lambda *_: None)
    with pytest.raises(AssertionError):
        play(at_the_limit_what_serves_goes_on, restart=False)
