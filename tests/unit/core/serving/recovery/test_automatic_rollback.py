"""Monitors of action Rollback put a baking version back, and never on account of another version."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from steadfit.core.types import Signal

from tests.unit.core.serving.serving_cluster import World, serving

ERRORS: dict[str, Any] = {"name": "errors", "errorRate": {"max": 0.05}, "window": "5m", "action": "Rollback"}
LATENCY: dict[str, Any] = {"name": "slow", "latency": {"max": "200ms"}, "window": "5m", "action": "Rollback"}
BAD = Signal(0.2, 300)
GOOD = Signal(0.0, 300)
NO_DATA = Signal(reason="MetricSource default: it cannot be reached", code="Unreachable")
FIRES = "the share of failed requests is 0.2 over 5m from 300 samples; it fires above 0.05"


def watched(*numbers: int, **spec: Any) -> World:
    return serving(*numbers, **{"monitors": [ERRORS], **spec})


def measure(world: World, signal: Signal, name: str = "errors") -> None:
    world.signals[name] = signal
    world.settle()


def test_a_monitor_that_fires_during_the_bake_puts_the_last_good_version_back() -> None:
    world = watched(1, 2)
    measure(world, BAD)
    assert world.live() == 1
    (entry,) = world.status.quarantine
    assert (entry.number, entry.by, entry.reason) == (2, "monitor errors", FIRES)
    assert [(one.number, one.reason) for one in world.status.rollbacks] == [(2, FIRES)]
    assert world.seen("AutomaticRollback") == [f"version 2 is rolled back: {FIRES}"]


def test_quarantine_the_way_out_of_it_and_the_count_are_one_write() -> None:
    world = watched(1, 2)
    world.signals["errors"] = BAD
    world.step()
    status = world.status
    assert [entry.number for entry in status.quarantine] == [2]
    assert world.candidate() == 1
    assert [entry.number for entry in status.rollbacks] == [2]
    assert world.condition("Recovering") == ("True", "RollingBack")
    while world.live() == 2:
        world.step()
        world.kubelet()
    measure(world, GOOD)
    assert world.condition("Recovering") is None


@pytest.mark.parametrize("crash_after", range(4))
def test_a_rollback_by_itself_is_finished_after_a_crash_at_any_write(crash_after: int) -> None:
    world = watched(1, 2)
    world.signals["errors"] = BAD
    for number in range(6):
        world.step(crash_after=crash_after if number % 2 else None)
        world.kubelet()
    world.settle()
    assert world.live() == 1
    assert len(world.status.rollbacks) == 1


@pytest.mark.parametrize(
    "signals",
    [[NO_DATA], [GOOD], [Signal(0.2, 99)], [NO_DATA, GOOD, NO_DATA]],
    ids=["no data", "good", "too few samples", "in turns"],
)
def test_nothing_is_rolled_back_on_no_data_or_good_data(signals: list[Signal]) -> None:
    world = watched(1, 2)
    for signal in signals:
        measure(world, signal)
    assert world.live() == 2
    assert world.status.quarantine == []


def test_after_the_bake_the_same_monitor_only_alerts() -> None:
    world = watched(1, 2, bakeDuration="10m")
    world.now += timedelta(minutes=10)
    measure(world, BAD)
    assert world.live() == 2
    assert world.status.monitors[0].phase == "Firing"
    assert world.status.rollbacks == []


def test_a_monitor_that_has_to_hold_for_longer_than_the_bake_rolls_nothing_back() -> None:
    world = watched(1, 2, bakeDuration="10m", monitors=[{**ERRORS, "for": "15m"}])
    measure(world, BAD)
    world.now += timedelta(minutes=15)
    world.settle()
    assert (world.status.monitors[0].phase, world.live()) == ("Firing", 2)


def test_a_latency_rolls_back_as_errors_do() -> None:
    world = watched(1, 2, monitors=[LATENCY])
    measure(world, Signal(0.5, 300), "slow")
    assert world.live() == 1


@pytest.mark.parametrize("action", ["Alert", None])
def test_a_monitor_of_another_action_rolls_nothing_back(action: str | None) -> None:
    monitor = {**ERRORS, "action": action}
    world = watched(1, 2, monitors=[{key: value for key, value in monitor.items() if value}])
    measure(world, BAD)
    assert world.live() == 2


def test_what_serves_goes_back_also_while_a_newer_candidate_comes_up() -> None:
    world = watched(1, 2)
    world.add(3)
    world.step()
    assert world.candidate() == 3
    measure(world, BAD)
    assert world.live() == 1
    assert [entry.number for entry in world.status.quarantine] == [2]


def test_a_pin_in_the_spec_does_not_keep_what_is_worse() -> None:
    world = watched(1, 2)
    world.edit(pin={"version": 2})
    world.settle()
    measure(world, BAD)
    assert world.live() == 1
    assert world.condition("Stalled") == ("True", "RevisionQuarantined")


def test_what_a_person_has_pinned_stays_until_it_is_unpinned() -> None:
    world = watched(1, 2)
    world.act("Pin", 2)
    world.settle()
    measure(world, BAD)
    assert world.live() == 2
    assert world.status.quarantine == []
    world.act("Unpin")
    world.settle()
    assert world.live() == 1


def test_what_was_measured_of_a_version_says_nothing_of_the_one_that_takes_its_place() -> None:
    world = watched(1, 2)
    world.signals["errors"] = BAD
    while world.live() != 1:
        world.step()
        world.kubelet()
    assert [state.phase for state in world.status.monitors] == ["NoData"]


# Nothing to go back to


def test_with_nothing_good_left_it_is_told_once_and_what_serves_goes_on() -> None:
    world = watched(1)
    measure(world, BAD)
    assert world.live() == 1
    assert world.status.quarantine == []
    assert world.condition("Recovering") == ("False", "NoRollbackTarget")
    told = f"monitor errors: {FIRES}; no good version that served before version 1 is left to roll back to"
    assert world.seen("NoRollbackTarget") == [told]
    for _ in range(3):
        world.now += timedelta(minutes=1)
        world.settle()
    assert len(world.seen("NoRollbackTarget")) == 1
    measure(world, GOOD)
    assert world.condition("Recovering") is None


def test_a_rollback_that_did_not_help_goes_no_further_back() -> None:
    world = watched(1, 2, 3)
    measure(world, BAD)
    assert world.live() == 2
    assert [entry.number for entry in world.status.quarantine] == [3]
    assert world.condition("Recovering") == ("False", "NoRollbackTarget")


# Revisions of one version share their series


def test_a_new_server_is_judged_once_the_window_holds_its_own_answers_alone() -> None:
    world = watched(1)
    good = world.selected()
    world.edit(server={"replicas": 2, "image": "mine:bad"})
    world.settle()
    bad = world.selected()
    measure(world, BAD)
    assert world.selected() == bad
    assert world.plan().requeue_at is not None
    world.now += timedelta(minutes=5)
    world.settle()
    assert world.selected() == good
    assert [(entry.revision, entry.digest) for entry in world.status.quarantine] == [(bad, None)]


def test_the_errors_that_a_bad_server_left_in_the_window_are_no_fault_of_the_pods_that_took_its_place() -> None:
    world = watched(1)
    world.edit(server={"replicas": 2, "image": "mine:bad"})
    world.settle()
    world.now += timedelta(minutes=5)
    measure(world, BAD)
    assert world.live() == 1
    assert world.seen("NoRollbackTarget") == []
    measure(world, GOOD)
    world.now += timedelta(minutes=5)
    measure(world, BAD)
    assert len(world.seen("NoRollbackTarget")) == 1
