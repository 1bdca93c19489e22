"""A level that no training reaches, by the gate's own score, stops a monitor's requests, and is said."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.core.training.builders import at, record
from tests.unit.core.training.training_cluster import TrainingCluster

JOB = ("TrainingJob", "orders")
LIVE = {"revision": "r", "templateDigest": "t", "since": at(minutes=1)}


def served(cluster: TrainingCluster, number: int, minimum: float = 0.9) -> None:
    """Let a version serve whose monitor of quality fires below a level."""
    since = cluster.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    state = {"name": "quality", "phase": "Firing", "since": since, "message": "roc_auc is 0.7; it fires below 0.9"}
    version = next(one for one in cluster.versions() if one.spec.number == number)
    deployment = cluster.serve(
        live={**LIVE, "version": version.name, "number": number, "digest": version.spec.artifact.digest},
        monitors=[state],
    )
    deployment["spec"]["monitors"] = [
        {"name": "quality", "quality": {"metric": "roc_auc", "min": minimum}, "action": "Retrain"}
    ]


def once_round(cluster: TrainingCluster, score: float) -> None:
    """Let the monitor's run train a version of this score, which takes over and does not end the firing."""
    evaluation: dict[str, Any] = {**record()["evaluation"], "metrics": {"roc_auc": score}}
    cluster.settle()
    assert cluster.job.status.active_run is not None
    cluster.train_runs()
    cluster.settle()
    cluster.publish(evaluation=evaluation)
    served(cluster, len(cluster.versions()))
    cluster.settle()


def trained_by_the_monitor(score: float) -> TrainingCluster:
    cluster = TrainingCluster(limits={"cooldown": "10m", "breakAfter": 5, "maxRunsPerDay": 20})
    cluster.run_well()
    served(cluster, 1)
    cluster.advance(hours=1)
    once_round(cluster, score)
    cluster.advance(hours=1)
    cluster.settle()
    return cluster


def test_a_level_that_the_trained_version_misses_by_its_own_score_is_named_and_not_trained_for_again() -> None:
    cluster = trained_by_the_monitor(score=0.81)
    for _ in range(5):
        cluster.advance(hours=8)
        cluster.settle()
    assert len(cluster.versions()) == 2
    waiting = cluster.job.status.waiting
    assert waiting is not None
    assert (waiting.reason, waiting.causes) == ("LevelUnreachable", ["monitor orders/quality"])
    said = cluster.condition(*JOB, "Training")
    assert said[1] == "LevelUnreachable"
    assert "orders/quality fires below 0.9, and version 2, which was trained for it, has roc_auc 0.81" in said[2]
    assert "a Retrain action trains once" in said[2]


def test_a_level_that_the_trained_version_reaches_is_trained_for_again() -> None:
    cluster = trained_by_the_monitor(score=0.95)
    assert cluster.job.status.active_run is not None


@pytest.mark.parametrize("change", ["level", "recipe", "retrain"])
def test_a_person_lets_it_train_again(change: str) -> None:
    cluster = trained_by_the_monitor(score=0.81)
    assert cluster.job.status.active_run is None
    if change == "level":
        served(cluster, 2, minimum=0.8)
    elif change == "recipe":
        cluster.edit(params={"depth": 9})
    else:
        cluster.retrain("again")
    cluster.settle()
    assert cluster.job.status.active_run is not None
