"""A run in flight can be cancelled, by an action or by deleting it, and what a suspension does to it is said."""

from __future__ import annotations

import asyncio

import pytest

from .behaviour import Training
from .harness import hit, play
from .objects import JSON
from .observations import condition, is_idle, is_ready, phases, serves
from .scenarios import first_version_serves, set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action, installation, model_deployment, training_job


async def second_run_trains(cluster: SimulatedCluster) -> str:
    """Let version 1 serve and a second run train for long; return its name."""
    await first_version_serves(cluster)
    cluster.training = lambda run, attempt: Training(seconds=900)
    set_param(cluster, "depth", 7)
    await cluster.until(lambda: trains(cluster), say="the second run trains")
    return str(trains(cluster)["metadata"]["name"])  # type: ignore[index]


def trains(cluster: SimulatedCluster) -> JSON | None:
    runs = [run for run in cluster.objects("TrainingRun") if run["status"].get("phase") == "Running"]
    return next((run for run in runs if run["status"]["attempts"][-1].get("trainStartedAt")), None)


def at_work(cluster: SimulatedCluster) -> bool:
    return any(job.get("status", {}).get("active") for job in cluster.objects("Job"))


async def a_cancelled_run_ends_with_its_pod_and_does_not_come_back(cluster: SimulatedCluster) -> None:
    name = await second_run_trains(cluster)
    cluster.create(action("stop", "Cancel"))
    await cluster.until(
        lambda: cluster.status("ModelAction", "stop").get("phase") == "Succeeded", say="it is cancelled"
    )
    assert name in cluster.status("ModelAction", "stop")["message"]
    run = cluster.status("TrainingRun", name)
    assert run["phase"] == "Cancelled"
    assert run["cancelled"] == {"by": "jane@example.com", "reason": "the simulation wants it"}
    await cluster.until(lambda: not at_work(cluster), say="its Job is gone")
    await asyncio.sleep(1200)
    assert sorted(phases(cluster)) == ["Cancelled", "Succeeded"]
    assert condition(cluster.status("TrainingJob", NAME), "LastRunSucceeded") == "Unknown"
    assert serves(cluster, 1)
    assert is_ready(cluster, "TrainingJob")
    cluster.training = lambda run, attempt: Training()
    cluster.create(action("again", "Retrain"))
    await cluster.until(lambda: serves(cluster, 2), say="a Retrain starts another run")


def test_a_cancelled_run_ends_with_its_pod_and_does_not_come_back() -> None:
    play(a_cancelled_run_ends_with_its_pod_and_does_not_come_back)


@pytest.mark.parametrize("interruption", ["before", "after"])
@pytest.mark.parametrize("kind", ["TrainingJob", "TrainingRun", "ModelAction"])
def test_a_run_is_cancelled_also_if_the_operator_dies_meanwhile(kind: str, interruption: str) -> None:
    seen: list[bool] = []

    async def scenario(cluster: SimulatedCluster) -> None:
        seen.clear()
        cluster.store.listeners.append(lambda change: seen.append(True) if change.ref.name == "stop" else None)
        await a_cancelled_run_ends_with_its_pod_and_does_not_come_back(cluster)

    hit(scenario, lambda write: bool(seen) and write.ref.kind == kind, interruption)  # type: ignore[arg-type]


def test_deleting_the_run_in_flight_cancels_it() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        name = await second_run_trains(cluster)
        cluster.delete("TrainingRun", name)
        await cluster.until(lambda: is_idle(cluster), say="nothing trains")
        assert cluster.status("TrainingJob", NAME)["lastRun"] | {"finishedAt": ""} == {
            "name": name,
            "phase": "Cancelled",
            "finishedAt": "",
        }
        await asyncio.sleep(1200)
        assert phases(cluster) == ["Succeeded"]
        assert serves(cluster, 1)

    play(scenario)


def test_a_first_run_that_is_cancelled_names_the_next_step_and_is_waited_for_no_longer() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        installation(cluster)
        cluster.training = lambda run, attempt: Training(seconds=900)
        cluster.create(training_job(readyPolicy="FirstModel"))
        cluster.create(model_deployment())
        await cluster.until(lambda: trains(cluster), say="the first run trains")
        cluster.create(action("stop", "Cancel"))
        await cluster.until(lambda: phases(cluster) == ["Cancelled"] and is_idle(cluster), say="it is cancelled")
        conditions = cluster.status("TrainingJob", NAME)["conditions"]
        (stalled,) = [item for item in conditions if item["type"] == "Stalled"]
        assert (stalled["status"], stalled["reason"]) == ("True", "Cancelled")
        assert "a Retrain action starts a run" in stalled["message"]

    play(scenario)


def test_a_cancel_without_a_run_in_flight_is_rejected() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        cluster.create(action("stop", "Cancel"))
        await cluster.until(lambda: cluster.status("ModelAction", "stop").get("phase") == "Rejected", say="rejected")
        assert cluster.status("ModelAction", "stop")["message"] == "no run was in flight"

    play(scenario)


def test_a_suspension_says_that_the_run_in_flight_continues_and_what_ends_it() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        name = await second_run_trains(cluster)
        cluster.edit("TrainingJob", NAME, lambda job: job["spec"].update(suspend=True))
        said = f"run {name} in flight continues, and a Cancel action ends it"
        await cluster.until(lambda: said in ready_message(cluster), within=60, say="it is said")
        cluster.create(action("stop", "Cancel"))
        await cluster.until(lambda: is_idle(cluster), say="it is cancelled while suspended")
        assert said not in ready_message(cluster)

    play(scenario)


def ready_message(cluster: SimulatedCluster) -> str:
    conditions = cluster.status("TrainingJob", NAME)["conditions"]
    return next(str(item["message"]) for item in conditions if item["type"] == "Ready")


@pytest.mark.parametrize("later", [0.0, 0.2, 1.5])
def test_a_cancel_ends_no_run_that_has_started_since(later: float) -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        name = await second_run_trains(cluster)
        cluster.training = lambda run, attempt: Training(seconds=60)
        cluster.create(action("stop", "Cancel"))
        set_param(cluster, "depth", 8)
        if later:
            # The operator learns of the action only after it has started the next run.
            cluster.stop()
            await asyncio.sleep(later)
            cluster.boot()
        await cluster.until(lambda: serves(cluster, 2), say="the changed recipe is trained")
        ended = cluster.status("TrainingRun", name)["phase"]
        said = cluster.status("ModelAction", "stop")
        assert sorted(phases(cluster)) == sorted(["Succeeded", "Succeeded", ended])
        assert (ended, said["phase"]) in {("Superseded", "Rejected"), ("Cancelled", "Succeeded")}
        assert name in said["message"]

    play(scenario)
