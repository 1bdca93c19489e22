"""An upgrade of the operator trains nothing, and changes no run in flight."""

from __future__ import annotations

from dataclasses import replace

from tests.sim.objects import clone
from tests.unit.core.training.training_cluster import TrainingCluster


def upgrade(cluster: TrainingCluster) -> None:
    cluster.platform = replace(cluster.platform, trainer_image="steadfit/trainer:2", operator_version="2.0.0")
    cluster.settle()


def test_an_upgrade_starts_no_run() -> None:
    cluster = TrainingCluster()
    cluster.run_well()
    runs, jobs = [run.name for run in cluster.runs()], clone(cluster.every("Job"))
    upgrade(cluster)
    cluster.advance(hours=48)
    cluster.settle()
    assert ([run.name for run in cluster.runs()], cluster.every("Job")) == (runs, jobs)


def test_an_upgrade_changes_no_run_in_flight() -> None:
    cluster = TrainingCluster()
    cluster.settle()
    jobs = clone(cluster.every("Job"))
    upgrade(cluster)
    assert (len(cluster.runs()), cluster.every("Job")) == (1, jobs)


def test_a_new_default_image_of_the_trainer_is_used_by_the_next_run() -> None:
    cluster = TrainingCluster()
    cluster.run_well()
    upgrade(cluster)
    cluster.retrain("again")
    cluster.settle()
    assert "steadfit/trainer:2" in str(cluster.every("Job")[-1]["spec"]["template"])


def test_a_run_that_the_commit_before_was_cancelling_is_cancelled() -> None:
    cluster = TrainingCluster()
    cluster.settle()
    name = cluster.run.name
    cluster.objects["TrainingJob", "orders"]["status"]["activeRun"]["cancelled"] = "cancelled by ada: wrong labels: v2"
    upgrade(cluster)
    run = cluster.objects["TrainingRun", name]
    assert run["status"]["phase"] == "Cancelled"
    assert run["status"]["cancelled"] == {"by": "ada", "reason": "wrong labels: v2"}
    (stalled,) = [one for one in run["status"]["conditions"] if one["type"] == "Stalled"]
    assert stalled["message"] == "cancelled by ada: wrong labels: v2"


def test_a_run_in_flight_of_the_commit_before_goes_on_and_one_that_it_cancelled_keeps_its_reason() -> None:
    cluster = TrainingCluster()
    cluster.settle()
    first = cluster.run.name
    cluster.cancel("stop")
    cluster.settle()
    cluster.objects["TrainingRun", first]["status"]["cancelled"] = "cancelled by ada: the labels were corrected"
    conditions = clone(cluster.objects["TrainingRun", first]["status"]["conditions"])
    cluster.retrain("again")
    cluster.settle()
    second = cluster.run.name
    cluster.objects["TrainingJob", "orders"]["status"]["activeRun"]["cancelled"] = ""
    cluster.objects["TrainingRun", second]["status"]["cancelled"] = ""
    upgrade(cluster)
    assert (cluster.run.name, cluster.run.status.phase) == (second, "Pending")
    assert cluster.objects["TrainingRun", first]["status"]["conditions"] == conditions
    assert cluster.objects["TrainingRun", first]["status"]["cancelled"]["by"] == "ada"
    assert "cancelled" not in cluster.objects["TrainingRun", second]["status"]
