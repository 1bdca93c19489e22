"""While what serves is no version that a run could be compared with, alerts and monitors start none, and it is said."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.core.training.builders import DRIFT as TRIGGER
from tests.unit.core.training.builders import at
from tests.unit.core.training.training_cluster import TrainingCluster

JOB = ("TrainingJob", "orders")
DRIFT = {"name": "drift", "phase": "Firing", "since": at(minutes=1), "message": "the PSI is 0.4"}
LIVE = {"revision": "r", "templateDigest": "t", "since": at(minutes=1)}


def live(cluster: TrainingCluster, name: str, digest: str | None = None) -> dict[str, Any]:
    """Return a version as the live one; without a digest that of the version of this name."""
    known = {version.name: version.spec.artifact.digest for version in cluster.versions()}
    return {**LIVE, "version": name, "number": 1, "digest": digest or known[name]}


def trained() -> TrainingCluster:
    cluster = TrainingCluster(triggers=[TRIGGER], limits={"cooldown": "10m", "maxRunsPerDay": 20})
    cluster.run_well()
    return cluster


def for_a_day(cluster: TrainingCluster) -> None:
    for _ in range(6):
        cluster.advance(hours=4)
        cluster.settle()


def test_a_monitor_of_a_version_of_another_training_job_starts_no_run_and_the_wait_names_the_next_step() -> None:
    cluster = trained()
    cluster.serve(live=live(cluster, "parcels-v1", "sha256:" + "9" * 64), monitors=[DRIFT])
    for_a_day(cluster)
    assert len(cluster.trainings()) == 1
    waiting = cluster.job.status.waiting
    assert waiting is not None
    assert (waiting.reason, waiting.causes) == ("ChampionNotComparable", ["monitor orders/drift"])
    status, reason, message = cluster.condition(*JOB, "Training")
    assert (status, reason) == ("False", "ChampionNotComparable")
    assert "ModelDeployment orders serves parcels-v1, which is no version of TrainingJob orders" in message
    assert "Promote a version of TrainingJob orders" in message


def test_a_namesake_with_another_artifact_is_not_the_version_that_serves() -> None:
    cluster = trained()
    cluster.serve(live=live(cluster, "orders-v1", "sha256:" + "9" * 64), monitors=[DRIFT])
    for_a_day(cluster)
    assert len(cluster.trainings()) == 1


def test_a_monitor_starts_a_run_again_once_a_version_of_the_training_job_serves() -> None:
    cluster = trained()
    cluster.serve(live=live(cluster, "parcels-v1", "sha256:" + "9" * 64), monitors=[DRIFT])
    for_a_day(cluster)
    cluster.serve(live=live(cluster, "orders-v1"))
    for_a_day(cluster)
    assert len(cluster.trainings()) == 2
    assert cluster.job.status.waiting is None or cluster.job.status.waiting.reason != "ChampionNotComparable"


@pytest.mark.parametrize("name", ["development", "zebra"])
def test_a_monitor_of_another_jobs_version_starts_no_run_although_runs_compare_elsewhere(name: str) -> None:
    cluster = trained()
    cluster.serve(live=live(cluster, "orders-v1"))
    cluster.serve(name, live=live(cluster, "parcels-v1", "sha256:" + "9" * 64), monitors=[DRIFT])
    for_a_day(cluster)
    assert len(cluster.trainings()) == 1
    waiting = cluster.job.status.waiting
    assert waiting is not None
    assert (waiting.reason, waiting.causes) == ("ChampionNotComparable", [f"monitor {name}/drift"])
    assert f"ModelDeployment {name} serves parcels-v1" in waiting.message


def test_an_alert_starts_no_run_while_another_jobs_version_serves_and_a_retrain_does() -> None:
    cluster = trained()
    cluster.serve(live=live(cluster, "parcels-v1", "sha256:" + "9" * 64))
    cluster.advance(hours=1)
    cluster.tell()
    cluster.settle()
    assert len(cluster.trainings()) == 1
    waiting = cluster.job.status.waiting
    assert waiting is not None
    assert waiting.reason == "ChampionNotComparable"
    cluster.retrain("again")
    cluster.settle()
    assert len(cluster.trainings()) == 2
