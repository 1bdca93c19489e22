"""Monitors of action Rollback put a baking version back, and never on account of another version."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from steadfit.core.types import Signal

from tests.unit.core.serving.serving_cluster import ServingCluster, serving

ERRORS: dict[str, Any] = {"name": "errors", "errorRate": {"max": 0.05}, "window": "5m", "action": "Rollback"}
LATENCY: dict[str, Any] = {"name": "slow", "latency": {"max": "200ms"}, "window": "5m", "action": "Rollback"}
BAD = Signal(0.2, 300)
GOOD = Signal(0.0, 300)
NO_DATA = Signal(reason="MetricSource default: it cannot be reached", code="Unreachable")
FIRES = "the share of failed requests is 0.2 over 5m from 300 samples; it fires above 0.05"


def watched(*numbers: int, **spec: Any) -> ServingCluster:
    return serving(*numbers, **{"monitors": [ERRORS], **spec})


def measure(cluster: ServingCluster, signal: Signal, name: str = "errors") -> None:
    cluster.signals[name] = signal
    cluster.settle()


def test_a_monitor_that_fires_during_the_bake_puts_the_last_good_version_back() -> None:
    cluster = watched(1, 2)
    measure(cluster, BAD)
    assert cluster.live() == 1
    (entry,) = cluster.status.quarantine
    assert (entry.number, entry.by, entry.reason) == (2, "monitor errors", FIRES)
    assert [(one.number, one.reason) for one in cluster.status.rollbacks] == [(2, FIRES)]
    assert cluster.seen("AutomaticRollback") == [f"version 2 is rolled back: {FIRES}"]


def test_quarantine_the_way_out_of_it_and_the_count_are_one_write() -> None:
    cluster = watched(1, 2)
    cluster.signals["errors"] = BAD
    cluster.step()
    status = cluster.status
    assert [entry.number for entry in status.quarantine] == [2]
    assert cluster.candidate() == 1
    assert [entry.number for entry in status.rollbacks] == [2]
    assert cluster.condition("Recovering") == ("True", "RollingBack")
    while cluster.live() == 2:
        cluster.step()
        cluster.kubelet()
    measure(cluster, GOOD)
    assert cluster.condition("Recovering") is None


@pytest.mark.parametrize("crash_after", range(4))
def test_a_rollback_by_itself_is_finished_after_a_crash_at_any_write(crash_after: int) -> None:
    cluster = watched(1, 2)
    cluster.signals["errors"] = BAD
    for number in range(6):
        cluster.step(crash_after=crash_after if number % 2 else None)
        cluster.kubelet()
    cluster.settle()
    assert cluster.live() == 1
    assert len(cluster.status.rollbacks) == 1


@pytest.mark.parametrize(
    "signals",
    [[NO_DATA], [GOOD], [Signal(0.2, 99)], [NO_DATA, GOOD, NO_DATA]],
    ids=["no data", "good", "too few samples", "in turns"],
)
def test_nothing_is_rolled_back_on_no_data_or_good_data(signals: list[Signal]) -> None:
    cluster = watched(1, 2)
    for signal in signals:
        measure(cluster, signal)
    assert cluster.live() == 2
    assert cluster.status.quarantine == []


def test_after_the_bake_the_same_monitor_only_alerts() -> None:
    cluster = watched(1, 2, bakeDuration="10m")
    cluster.now += timedelta(minutes=10)
    measure(cluster, BAD)
    assert cluster.live() == 2
    assert cluster.status.monitors[0].phase == "Firing"
    assert cluster.status.rollbacks == []


def test_a_monitor_that_has_to_hold_for_longer_than_the_bake_rolls_nothing_back() -> None:
    cluster = watched(1, 2, bakeDuration="10m", monitors=[{**ERRORS, "for": "15m"}])
    measure(cluster, BAD)
    cluster.now += timedelta(minutes=15)
    cluster.settle()
    assert (cluster.status.monitors[0].phase, cluster.live()) == ("Firing", 2)


def test_a_latency_rolls_back_as_errors_do() -> None:
    cluster = watched(1, 2, monitors=[LATENCY])
    measure(cluster, Signal(0.5, 300), "slow")
    assert cluster.live() == 1


@pytest.mark.parametrize("action", ["Alert", None])
def test_a_monitor_of_another_action_rolls_nothing_back(action: str | None) -> None:
    monitor = {**ERRORS, "action": action}
    cluster = watched(1, 2, monitors=[{key: value for key, value in monitor.items() if value}])
    measure(cluster, BAD)
    assert cluster.live() == 2


def test_what_serves_goes_back_also_while_a_newer_candidate_comes_up() -> None:
    cluster = watched(1, 2)
    cluster.add(3)
    cluster.step()
    assert cluster.candidate() == 3
    measure(cluster, BAD)
    assert cluster.live() == 1
    assert [entry.number for entry in cluster.status.quarantine] == [2]


def test_a_pin_in_the_spec_does_not_keep_what_is_worse() -> None:
    cluster = watched(1, 2)
    cluster.edit(pin={"version": 2})
    cluster.settle()
    measure(cluster, BAD)
    assert cluster.live() == 1
    assert cluster.condition("Stalled") == ("True", "RevisionQuarantined")


def test_what_a_person_has_pinned_stays_until_it_is_unpinned() -> None:
    cluster = watched(1, 2)
    cluster.act("Pin", 2)
    cluster.settle()
    measure(cluster, BAD)
    assert cluster.live() == 2
    assert cluster.status.quarantine == []
    cluster.act("Unpin")
    cluster.settle()
    assert cluster.live() == 1


def test_what_was_measured_of_a_version_says_nothing_of_the_one_that_takes_its_place() -> None:
    cluster = watched(1, 2)
    cluster.signals["errors"] = BAD
    while cluster.live() != 1:
        cluster.step()
        cluster.kubelet()
    assert [state.phase for state in cluster.status.monitors] == ["NoData"]


# Nothing to go back to


def test_with_nothing_good_left_it_is_told_once_and_what_serves_goes_on() -> None:
    cluster = watched(1)
    measure(cluster, BAD)
    assert cluster.live() == 1
    assert cluster.status.quarantine == []
    assert cluster.condition("RecoveryStalled") == ("True", "NoRollbackTarget")
    told = f"monitor errors: {FIRES}; no good version that served before version 1 is left to roll back to"
    assert cluster.seen("NoRollbackTarget") == [told]
    for _ in range(3):
        cluster.now += timedelta(minutes=1)
        cluster.settle()
    assert len(cluster.seen("NoRollbackTarget")) == 1
    measure(cluster, GOOD)
    assert cluster.condition("Recovering") is None


def test_a_rollback_that_did_not_help_goes_on_until_nothing_good_is_left() -> None:
    cluster = watched(1, 2, 3)
    measure(cluster, BAD)
    assert cluster.live() == 1
    assert [entry.number for entry in cluster.status.quarantine] == [3, 2]
    assert cluster.condition("RecoveryStalled") == ("True", "NoRollbackTarget")
    assert cluster.message("RecoveryStalled").endswith(
        "no good version that served before version 1 is left to roll back to (version 2 is in quarantine; version 3 is"
        " in quarantine)"
    )


def test_a_monitor_goes_back_no_further_than_the_limit_of_a_day() -> None:
    cluster = watched(1, 2, 3, limits={"maxRollbacksPerDay": 1})
    measure(cluster, BAD)
    assert (cluster.live(), [entry.number for entry in cluster.status.quarantine]) == (2, [3])
    assert cluster.condition("RollbacksFrozen") == ("True", "RollbackLimitReached")


def test_a_query_counts_for_the_version_that_came_back_once_its_window_has_passed() -> None:
    price = {"name": "errors", "query": {"promQL": "errors", "max": 0.05}, "window": "5m", "action": "Rollback"}
    cluster = watched(1, 2, 3, monitors=[price])
    measure(cluster, BAD)
    assert cluster.live() == 2
    cluster.now += timedelta(minutes=5)
    cluster.settle()
    assert cluster.live() == 1


# Revisions of one version share their series


def test_a_new_server_is_judged_once_the_window_holds_its_own_answers_alone() -> None:
    cluster = watched(1)
    good = cluster.selected()
    cluster.edit(server={"replicas": 2, "image": "mine:bad"})
    cluster.settle()
    bad = cluster.selected()
    measure(cluster, BAD)
    assert cluster.selected() == bad
    due = cluster.plan().requeue_at
    assert due is not None
    assert cluster.condition("Recovering") == ("True", "AwaitingWindow")
    assert f"of other pods of version 1 until {due:%Y-%m-%dT%H:%M:%SZ}: if it fires" in cluster.message("Recovering")
    cluster.now += timedelta(minutes=5)
    cluster.settle()
    assert cluster.selected() == good
    assert [(entry.revision, entry.digest) for entry in cluster.status.quarantine] == [(bad, None)]


@pytest.mark.parametrize("spec", [{"dryRun": True}, {"bakeDuration": "1m"}])
def test_a_monitor_that_will_roll_nothing_back_is_not_awaited(spec: dict[str, Any]) -> None:
    cluster = watched(1, **spec)
    cluster.edit(server={"replicas": 2, "image": "mine:bad"})
    cluster.settle()
    measure(cluster, BAD)
    assert cluster.condition("Recovering") is None


def test_the_errors_that_a_bad_server_left_in_the_window_are_no_fault_of_the_pods_that_took_its_place() -> None:
    cluster = watched(1)
    cluster.edit(server={"replicas": 2, "image": "mine:bad"})
    cluster.settle()
    cluster.now += timedelta(minutes=5)
    measure(cluster, BAD)
    assert cluster.live() == 1
    assert cluster.seen("NoRollbackTarget") == []
    measure(cluster, GOOD)
    cluster.now += timedelta(minutes=5)
    measure(cluster, BAD)
    assert len(cluster.seen("NoRollbackTarget")) == 1
