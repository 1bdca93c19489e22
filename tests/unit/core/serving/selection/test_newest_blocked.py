"""What is said of the newest version while it does not serve, and the next step."""

from __future__ import annotations

from typing import Any

import pytest
from steadfit.core.conditions import READY, RECONCILING, STALLED

from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_objects import digest

QUARANTINE = {
    "reason": "error rate doubled",
    "by": "jane",
    "at": "2026-01-01T00:00:00Z",
    "deployment": "flights",
    "revision": "x",
}


def with_quarantined(**spec: Any) -> ServingCluster:
    """Return a cluster whose only version is in quarantine."""
    cluster = ServingCluster(**spec)
    cluster.add(1)
    cluster.versions[1]["status"]["quarantine"] = dict(QUARANTINE)
    cluster.settle()
    return cluster


def test_the_only_version_is_in_quarantine_and_release_is_named_as_the_next_step() -> None:
    cluster = with_quarantined()
    assert cluster.live() is None
    assert cluster.condition(READY) == ("False", "Quarantined")
    assert cluster.condition(STALLED) == ("True", "Quarantined")
    assert cluster.condition("Progressing") == ("False", "Quarantined")
    message = "version 1 is in quarantine by jane: error rate doubled; a Release of version 1 lets it serve"
    assert cluster.message(READY) == cluster.message("Progressing") == message
    cluster.act("Release", 1)
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.condition("Progressing") is None


def test_the_only_version_is_in_quarantine_and_the_next_one_ends_the_wait() -> None:
    cluster = with_quarantined()
    cluster.add(2)
    cluster.settle()
    assert cluster.live() == 2
    assert cluster.condition(READY) == ("True", "Serving")


def test_with_the_policy_accepted_a_version_in_quarantine_leaves_a_deployment_ready() -> None:
    cluster = with_quarantined(readyPolicy="Accepted")
    assert cluster.condition(READY) == ("True", "Accepted")
    assert "a Release of version 1" in cluster.message(READY)
    assert cluster.condition("Progressing") == ("False", "Quarantined")


def test_the_only_version_is_held_and_promote_is_named_as_the_next_step() -> None:
    cluster = ServingCluster()
    cluster.add(1, "Rejected")
    cluster.add(2, "Held")
    cluster.settle()
    assert cluster.condition(STALLED) == ("True", "Held")
    assert cluster.condition("Progressing") == ("False", "Held")
    assert cluster.message(READY) == "version 2 is held; a Promote of version 2 serves it"
    cluster.act("Promote", 2)
    cluster.settle()
    assert cluster.live() == 2


def test_a_newer_version_in_quarantine_is_named_beside_the_one_that_serves() -> None:
    cluster = serving(1, 2)
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.condition(READY) == ("True", "Serving")
    assert cluster.condition("Progressing") == ("False", "Quarantined")
    assert cluster.message("Progressing").endswith("a Release and then a Promote of version 2 serve it")


def test_a_newer_version_that_was_rejected_is_named_beside_the_one_that_serves() -> None:
    cluster = serving(1)
    cluster.add(2, "Rejected")
    cluster.settle()
    assert cluster.condition("Progressing") == ("False", "Rejected")
    assert cluster.message("Progressing").startswith("version 2 is rejected")
    cluster.add(3)
    cluster.settle()
    assert cluster.condition("Progressing") is None


@pytest.mark.parametrize(
    ("by_action", "end"),
    [
        (True, "version 1 is pinned by alice until Unpin"),
        (False, "version 1 is pinned by spec.pin; remove it to serve newer versions"),
    ],
)
def test_a_newer_version_that_waits_for_a_pin_is_named_with_who_pinned(by_action: bool, end: str) -> None:
    cluster = serving(1)
    if by_action:
        cluster.act("Pin", 1)
    else:
        cluster.edit(pin={"version": 1})
    cluster.settle()
    assert cluster.condition("Progressing") is None
    cluster.add(2)
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.condition("Progressing") == ("False", "Pinned")
    assert cluster.message("Progressing") == f"version 2 is newer and is not rolled out: {end}"


def test_a_first_version_that_comes_up_is_no_stall_whatever_the_newest_waits_for() -> None:
    cluster = ServingCluster()
    cluster.add(1)
    cluster.add(2)
    cluster.versions[2]["status"]["quarantine"] = dict(QUARANTINE)
    cluster.add(3, against=digest(2))
    cluster.step()
    assert cluster.candidate() == 1
    assert cluster.condition(RECONCILING) == ("True", "FirstRollout")
