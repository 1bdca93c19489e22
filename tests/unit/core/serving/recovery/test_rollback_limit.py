"""How often something is rolled back without a person's word, and what is only told in a dry run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from steadfit.core.serving.recovery import rollback_limit
from steadfit.core.types import Signal

from tests.unit.core.serving.serving_cluster import ServingCluster, serving

from .test_automatic_rollback import BAD, ERRORS, FIRES, GOOD, measure, watched

DRIFT: dict[str, Any] = {"name": "inputs", "drift": {"max": 0.2}, "action": "Retrain"}


def rolls_back(cluster: ServingCluster, number: int) -> None:
    """Bring a version up and let it fail."""
    cluster.signals["errors"] = GOOD
    cluster.add(number)
    cluster.settle()
    assert cluster.live() == number
    measure(cluster, BAD)


def frozen(count: int = 2, **spec: Any) -> ServingCluster:
    """Return a cluster in which so many rollbacks have reached the limit."""
    cluster = watched(1, limits={"maxRollbacksPerDay": count}, **spec)
    for number in range(2, 2 + count):
        rolls_back(cluster, number)
        assert cluster.live() == 1
        measure(cluster, GOOD)
    return cluster


def test_at_the_limit_nothing_more_is_rolled_back_by_itself_and_a_person_is_told() -> None:
    cluster = frozen(2)
    assert cluster.condition("RollbacksFrozen") == ("True", "RollbackLimitReached")
    told = len(cluster.seen("RollbacksFrozen"))
    cluster.now += timedelta(minutes=1)
    cluster.settle()
    assert len(cluster.seen("RollbacksFrozen")) == told
    rolls_back(cluster, 4)
    assert len(cluster.seen("RollbacksFrozen")) == told + 1
    assert cluster.live() == 4
    assert [entry.number for entry in cluster.status.quarantine] == [2, 3]
    assert cluster.message("RollbacksFrozen").endswith(f"; not rolled back: version 4, monitor errors: {FIRES}")
    assert cluster.condition("Ready") == ("True", "Serving")


def test_a_person_can_still_roll_back_and_is_not_counted() -> None:
    cluster = frozen(1)
    rolls_back(cluster, 3)
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.live() == 1
    assert [entry.number for entry in cluster.status.rollbacks] == [2]


def test_the_limit_counts_a_day_and_then_lets_go() -> None:
    cluster = frozen(1)
    rolls_back(cluster, 3)
    due = cluster.plan().requeue_at
    assert due is not None
    assert due <= cluster.status.rollbacks[0].at + rollback_limit.DAY
    cluster.edit(bakeDuration="48h")
    cluster.now = cluster.status.rollbacks[0].at + rollback_limit.DAY - timedelta(minutes=1)
    cluster.settle()
    assert cluster.live() == 3
    cluster.now += timedelta(minutes=1)
    cluster.settle()
    assert cluster.live() == 1
    assert [entry.number for entry in cluster.status.rollbacks] == [3]


def test_a_limit_of_0_is_no_news_until_it_holds_something_back() -> None:
    cluster = watched(1, 2, limits={"maxRollbacksPerDay": 0})
    assert cluster.condition("RollbacksFrozen") is None
    measure(cluster, BAD)
    assert cluster.live() == 2
    assert cluster.message("RollbacksFrozen").startswith("limits.maxRollbacksPerDay is 0, so no version is rolled back")


# Dry run


def test_in_a_dry_run_a_rollback_is_only_told_and_told_once() -> None:
    cluster = watched(1, 2, dryRun=True)
    measure(cluster, BAD)
    cluster.now += timedelta(minutes=1)
    cluster.settle()
    assert cluster.live() == 2
    assert (cluster.status.quarantine, cluster.status.rollbacks) == ([], [])
    told = f"version 2 would be rolled back to version 1 by monitor errors: {FIRES}"
    assert cluster.message("DryRun") == told
    assert cluster.seen("DryRun") == [told]
    assert cluster.condition("Recovering") is None
    cluster.edit(dryRun=None)
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.condition("DryRun") is None


def test_in_a_dry_run_the_limit_is_told_too() -> None:
    cluster = watched(1, 2, dryRun=True, limits={"maxRollbacksPerDay": 0})
    measure(cluster, BAD)
    assert cluster.message("DryRun").startswith("version 2 would not be rolled back (limits.maxRollbacksPerDay is 0")


def test_in_a_dry_run_a_retraining_is_only_told() -> None:
    cluster = serving(1, monitors=[DRIFT], dryRun=True)
    measure(cluster, Signal(0.3, 1000), "inputs")
    told = cluster.message("DryRun")
    assert told.startswith("TrainingJob flights would start a run by monitor inputs: the PSI of the inputs")


def test_a_persons_rollback_works_in_a_dry_run() -> None:
    cluster = watched(1, 2, dryRun=True)
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.live() == 1


def test_the_monitors_of_a_rollback_and_of_retraining_are_told_together() -> None:
    cluster = watched(1, 2, dryRun=True, monitors=[ERRORS, DRIFT])
    cluster.signals["inputs"] = Signal(0.3, 1000)
    measure(cluster, BAD)
    assert cluster.message("DryRun").count("would") == 2
