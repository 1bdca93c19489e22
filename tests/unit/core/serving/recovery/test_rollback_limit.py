"""How often something is rolled back without a person's word, and what is only told in a dry run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from steadfit.core.serving.recovery import rollback_limit
from steadfit.core.types import Signal

from tests.unit.core.serving.serving_cluster import World, serving

from .test_automatic_rollback import BAD, ERRORS, FIRES, GOOD, measure, watched

DRIFT: dict[str, Any] = {"name": "inputs", "drift": {"max": 0.2}, "action": "Retrain"}


def rolls_back(world: World, number: int) -> None:
    """Bring a version up and let it fail."""
    world.signals["errors"] = GOOD
    world.add(number)
    world.settle()
    assert world.live() == number
    measure(world, BAD)


def frozen(count: int = 2, **spec: Any) -> World:
    """Return a world in which so many rollbacks have reached the limit."""
    world = watched(1, limits={"maxRollbacksPerDay": count}, **spec)
    for number in range(2, 2 + count):
        rolls_back(world, number)
        assert world.live() == 1
        measure(world, GOOD)
    return world


def test_at_the_limit_nothing_more_is_rolled_back_by_itself_and_a_person_is_told() -> None:
    world = frozen(2)
    assert world.condition("RollbacksFrozen") == ("True", "RollbackLimitReached")
    told = len(world.seen("RollbacksFrozen"))
    world.now += timedelta(minutes=1)
    world.settle()
    assert len(world.seen("RollbacksFrozen")) == told
    rolls_back(world, 4)
    assert len(world.seen("RollbacksFrozen")) == told + 1
    assert world.live() == 4
    assert [entry.number for entry in world.status.quarantine] == [2, 3]
    assert world.message("RollbacksFrozen").endswith(f"; not rolled back: version 4, monitor errors: {FIRES}")
    assert world.condition("Ready") == ("True", "Serving")


def test_a_person_can_still_roll_back_and_is_not_counted() -> None:
    world = frozen(1)
    rolls_back(world, 3)
    world.act("Rollback")
    world.settle()
    assert world.live() == 1
    assert [entry.number for entry in world.status.rollbacks] == [2]


def test_the_limit_counts_a_day_and_then_lets_go() -> None:
    world = frozen(1)
    rolls_back(world, 3)
    due = world.plan().requeue_at
    assert due is not None
    assert due <= world.status.rollbacks[0].at + rollback_limit.DAY
    world.edit(bakeDuration="48h")
    world.now = world.status.rollbacks[0].at + rollback_limit.DAY - timedelta(minutes=1)
    world.settle()
    assert world.live() == 3
    world.now += timedelta(minutes=1)
    world.settle()
    assert world.live() == 1
    assert [entry.number for entry in world.status.rollbacks] == [3]


def test_a_limit_of_0_is_no_news_until_it_holds_something_back() -> None:
    world = watched(1, 2, limits={"maxRollbacksPerDay": 0})
    assert world.condition("RollbacksFrozen") is None
    measure(world, BAD)
    assert world.live() == 2
    assert world.message("RollbacksFrozen").startswith("limits.maxRollbacksPerDay is 0, so no version is rolled back")


# Dry run


def test_in_a_dry_run_a_rollback_is_only_told_and_told_once() -> None:
    world = watched(1, 2, dryRun=True)
    measure(world, BAD)
    world.now += timedelta(minutes=1)
    world.settle()
    assert world.live() == 2
    assert (world.status.quarantine, world.status.rollbacks) == ([], [])
    told = f"version 2 would be rolled back to version 1 by monitor errors: {FIRES}"
    assert world.message("DryRun") == told
    assert world.seen("DryRun") == [told]
    assert world.condition("Recovering") is None
    world.edit(dryRun=None)
    world.settle()
    assert world.live() == 1
    assert world.condition("DryRun") is None


def test_in_a_dry_run_the_limit_is_told_too() -> None:
    world = watched(1, 2, dryRun=True, limits={"maxRollbacksPerDay": 0})
    measure(world, BAD)
    assert world.message("DryRun").startswith("version 2 would not be rolled back (limits.maxRollbacksPerDay is 0")


def test_in_a_dry_run_a_retraining_is_only_told() -> None:
    world = serving(1, monitors=[DRIFT], dryRun=True)
    measure(world, Signal(0.3, 1000), "inputs")
    told = world.message("DryRun")
    assert told.startswith("TrainingJob flights would start a run by monitor inputs: the PSI of the inputs")


def test_a_persons_rollback_works_in_a_dry_run() -> None:
    world = watched(1, 2, dryRun=True)
    world.act("Rollback")
    world.settle()
    assert world.live() == 1


def test_the_monitors_of_a_rollback_and_of_retraining_are_told_together() -> None:
    world = watched(1, 2, dryRun=True, monitors=[ERRORS, DRIFT])
    world.signals["inputs"] = Signal(0.3, 1000)
    measure(world, BAD)
    assert world.message("DryRun").count("would") == 2
