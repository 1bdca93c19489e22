"""Only what was let through stands in, or is gone back to: one policy, whoever asks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from steadfit.core.types import Signal

from .canaries import STEPS, champion
from .serving_cluster import ServingCluster, serving

ERRORS = {"name": "errors", "errorRate": {"max": 0.05}, "window": "5m", "action": "Rollback"}


def held_first(**spec: Any) -> ServingCluster:
    """Return a cluster in which version 2 serves, after a held version 1 served by a pin alone."""
    cluster = ServingCluster(**spec)
    cluster.add(1, "Held")
    cluster.act("Pin", 1)
    cluster.settle()
    cluster.add(2)
    cluster.act("Unpin")
    cluster.settle()
    assert cluster.live() == 2
    return cluster


def go_back(cluster: ServingCluster, by: str) -> int | None:
    """Let a person or a monitor go back to whatever is good, and return what serves then."""
    if by == "person":
        cluster.act("Rollback")
    else:
        cluster.signals["errors"] = Signal(0.2, 1000)
    for _ in range(4):
        cluster.now += timedelta(minutes=2)
        cluster.settle()
    return cluster.live()


BY = pytest.mark.parametrize("by", ["person", "monitor"])


@BY
def test_nothing_goes_back_to_a_held_version_that_only_a_pin_has_served(by: str) -> None:
    cluster = held_first(monitors=[ERRORS])
    assert go_back(cluster, by) == 2
    assert cluster.status.quarantine == []


@BY
def test_a_held_version_that_a_person_promoted_is_gone_back_to(by: str) -> None:
    cluster = ServingCluster(monitors=[ERRORS])
    cluster.add(1, "Held")
    cluster.act("Promote", 1)
    cluster.settle()
    cluster.add(2)
    cluster.settle()
    assert cluster.live() == 2
    assert go_back(cluster, by) == 1


@BY
def test_nothing_goes_back_to_a_version_that_its_gate_rejects_by_now(by: str) -> None:
    cluster = serving(1, 2, monitors=[ERRORS])
    cluster.judge(1, "Rejected")
    assert go_back(cluster, by) == 2
    assert cluster.status.quarantine == []


@BY
def test_past_a_rejected_version_the_one_before_it_is_gone_back_to(by: str) -> None:
    cluster = serving(1, 2, 3, monitors=[ERRORS])
    cluster.judge(2, "Rejected")
    assert go_back(cluster, by) == 1


@BY
def test_nothing_goes_back_to_a_version_whose_object_was_deleted(by: str) -> None:
    cluster = serving(1, 2, monitors=[ERRORS])
    del cluster.versions[1]
    assert go_back(cluster, by) == 2


def test_a_rollback_that_names_a_rejected_version_is_rejected_although_it_is_the_last_good_one() -> None:
    cluster = serving(1, 2)
    cluster.judge(1, "Rejected")
    back = cluster.act("Rollback", 1)
    cluster.settle()
    assert (cluster.live(), cluster.record(back)[0]) == (2, "Rejected")


@BY
def test_nothing_goes_back_to_an_aborted_candidate_that_only_a_pin_has_served(by: str) -> None:
    cluster = serving(1, strategy=STEPS, monitors=[ERRORS])
    cluster.add(2)
    cluster.settle()
    cluster.act("Abort")
    cluster.settle()
    cluster.act("Pin", 2)
    cluster.settle()
    assert cluster.live() == 2
    cluster.act("Unpin")
    cluster.settle()
    assert cluster.live() == 1
    assert go_back(cluster, by) == 1


def test_a_version_that_only_a_pin_has_served_does_not_stand_in() -> None:
    cluster = held_first(drains=True)
    cluster.broken.add(champion(cluster))
    cluster.settle()
    assert cluster.answering() == set()


def test_a_version_that_was_let_through_stands_in_though_its_gate_rejects_it_by_now() -> None:
    cluster = serving(1, 2, drains=True)
    cluster.judge(1, "Rejected")
    cluster.broken.add(champion(cluster))
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (2, {1})


def test_a_rollback_whose_target_is_deleted_goes_to_the_version_before_it_and_stays_there() -> None:
    cluster = serving(1, 2, 3)
    cluster.broken.add(cluster.status.last_good.revision if cluster.status.last_good else "")
    cluster.act("Rollback")
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (3, 2)
    del cluster.versions[2]
    cluster.broken.clear()
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (1, {1})


def test_a_rollback_whose_target_is_deleted_goes_on_where_no_other_is_left() -> None:
    cluster = serving(1, 2)
    cluster.broken.add(cluster.status.last_good.revision if cluster.status.last_good else "")
    cluster.act("Rollback")
    cluster.settle()
    del cluster.versions[1]
    cluster.broken.clear()
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)


def test_a_live_version_whose_object_is_deleted_goes_on_serving() -> None:
    cluster = serving(1, 2)
    del cluster.versions[2]
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (2, None)


def test_applied_again_a_deployment_serves_what_served_although_its_gate_rejects_it_by_now() -> None:
    cluster = serving(1)
    cluster.judge(1, "Rejected")
    cluster.make_the_deployment_again()
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (1, {1})


def test_applied_again_a_deployment_does_not_serve_what_was_in_quarantine() -> None:
    cluster = serving(1, 2)
    cluster.act("Rollback")
    cluster.settle()
    cluster.versions[2]["status"]["quarantine"] = {
        "deployment": "flights",
        "revision": "barred",
        "reason": "it is worse",
        "by": "alice",
        "at": cluster.now.isoformat(),
    }
    cluster.judge(1, "Rejected")
    cluster.make_the_deployment_again()
    cluster.settle()
    assert cluster.live() == 1
