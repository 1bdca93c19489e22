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
