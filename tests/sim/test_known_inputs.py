"""Nothing trains on what was learned already: neither after a restore, nor for a monitor, an alert or a schedule."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from .behaviour import Training
from .harness import play
from .objects import JSON
from .observations import condition, is_idle, is_ready, phases, serves, versions
from .scenarios import first_version_serves, set_param
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action, installation, training_job

MODELS = 50


def unchanged(run: Mapping[str, Any], attempt: int) -> Training:
    return Training(data="of last year")


def trained(cluster: SimulatedCluster) -> int:
    """Return how many attempts have trained."""
    attempts = [attempt for run in cluster.objects("TrainingRun") for attempt in run["status"].get("attempts", [])]
    return sum("trainStartedAt" in attempt for attempt in attempts)


async def one_version_of_unchanged_data(cluster: SimulatedCluster, **job: Any) -> None:
    cluster.training = unchanged
    await first_version_serves(cluster, **job)


def test_a_schedule_on_unchanged_data_ends_after_fetch_and_names_the_version() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await one_version_of_unchanged_data(cluster, triggers=[{"name": "hourly", "schedule": {"cron": "0 * * * *"}}])
        await cluster.until(lambda: "Skipped" in phases(cluster), within=4000, say="the scheduled run ends")
        (skipped,) = [run for run in cluster.objects("TrainingRun") if run["status"]["phase"] == "Skipped"]
        (ready,) = [item for item in skipped["status"]["conditions"] if item["type"] == "Ready"]
        assert (ready["status"], ready["reason"]) == ("True", "InputsKnown")
        assert f"{NAME}-v1" in ready["message"]
        await cluster.until(lambda: is_idle(cluster), say="the job is idle")
        assert cluster.status("TrainingJob", NAME)["lastRun"]["knownVersion"] == f"{NAME}-v1"
        assert condition(cluster.status("TrainingJob", NAME), "LastRunSucceeded") == "True"
        assert (versions(cluster), trained(cluster)) == ([1], 1)
        cluster.training = lambda run, attempt: Training()
        await cluster.until(lambda: serves(cluster, 2), within=4000, say="new data is trained on")
        cluster.edit("TrainingJob", NAME, lambda job: job["spec"]["triggers"][0]["schedule"].update(suspend=True))
        await cluster.until(lambda: is_ready(cluster, "TrainingJob"), say="the suspended schedule is accepted")

    play(scenario)


def test_a_retrain_action_trains_on_what_was_learned_already() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await one_version_of_unchanged_data(cluster)
        cluster.create(action("again", "Retrain"))
        await cluster.until(lambda: versions(cluster) == [1, 2], say="it trains all the same")
        assert trained(cluster) == 2

    play(scenario)


def test_a_recipe_that_is_changed_back_is_trained_so_that_its_version_is_rolled_out() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await one_version_of_unchanged_data(cluster, params={"depth": 6})
        set_param(cluster, "depth", 7)
        await cluster.until(lambda: serves(cluster, 2), say="version 2 serves")
        set_param(cluster, "depth", 6)
        await cluster.until(lambda: serves(cluster, 3), say="the recipe of version 1 serves again")

    play(scenario)


def without_status(stored: Mapping[str, Any]) -> JSON:
    kept = ("name", "namespace", "labels", "annotations")
    metadata = {key: value for key, value in stored["metadata"].items() if key in kept}
    return {**{key: stored[key] for key in ("apiVersion", "kind", "spec")}, "metadata": metadata}


def test_fifty_models_that_are_restored_without_status_train_nothing() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        installation(cluster)
        cluster.training = unchanged
        names = [f"m{number}" for number in range(MODELS)]
        for name in names:
            cluster.create(training_job(name))
        await cluster.until(lambda: len(cluster.objects("ModelVersion")) == MODELS, say="all are trained")
        await cluster.until(
            lambda: all("activeRun" not in cluster.status("TrainingJob", name) for name in names), say="all are idle"
        )
        backup = [*cluster.objects("TrainingJob"), *cluster.objects("ModelVersion")]
        cluster.stop()
        for one in backup:
            cluster.delete(one["kind"], one["metadata"]["name"])
        await cluster.until(lambda: not cluster.objects("TrainingRun"), say="the runs are collected")
        for one in backup:
            cluster.create(without_status(one))
        cluster.boot()
        await asyncio.sleep(3600)
        assert cluster.objects("TrainingRun") == []
        assert len(cluster.objects("ModelVersion")) == MODELS
        assert all(is_true(cluster, name) for name in names)

    play(scenario)


def is_true(cluster: SimulatedCluster, name: str) -> bool:
    return condition(cluster.status("TrainingJob", name), "Ready") == "True"


def test_objects_that_are_created_again_from_git_train_nothing_and_serve() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        await one_version_of_unchanged_data(cluster)
        manifests = [cluster.find("TrainingJob", NAME), cluster.find("ModelDeployment", NAME)]
        for one in manifests:
            assert one is not None
            cluster.delete(one["kind"], NAME)
        await cluster.until(
            lambda: not cluster.objects("TrainingRun") and not cluster.objects("Deployment"), say="all is collected"
        )
        for one in manifests:
            cluster.create(without_status(one or {}))
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves again")
        await asyncio.sleep(1200)
        assert cluster.objects("TrainingRun") == []

    play(scenario)


def test_a_first_metric_that_changes_during_a_run_makes_one_comparison_by_it() -> None:
    # The version of the run was compared by the former metric: it stayed `Held` for ever, as the metrics are no input.
    async def scenario(cluster: SimulatedCluster) -> None:
        await one_version_of_unchanged_data(cluster, params={"depth": 6})
        set_param(cluster, "depth", 7)
        await cluster.until(lambda: len(cluster.objects("TrainingRun")) == 2, say="the second run starts")
        by_accuracy = [{"name": "accuracy", "goal": "Maximize"}]
        cluster.edit("TrainingJob", NAME, lambda job: job["spec"]["evaluation"].update(metrics=by_accuracy))
        await cluster.until(lambda: serves(cluster, 3), say="what was compared by the new metric serves")
        await asyncio.sleep(7200)
        assert (versions(cluster), trained(cluster)) == ([1, 2, 3], 3)
        (bridging,) = [run for run in cluster.objects("TrainingRun") if "/accuracy" in run["spec"]["cause"]["key"]]
        assert bridging["spec"]["cause"]["message"] == (
            "the first metric is accuracy by now, and version 2 was compared by roc_auc"
        )
        await cluster.until(lambda: is_ready(cluster, "ModelDeployment"), say="it settles")

    play(scenario)
