"""What serves goes back also while another version is tried beside it, and never for what that one did."""

from __future__ import annotations

from typing import Any

import pytest
from steadfit.core import names
from steadfit.core.types import Signal

from tests.unit.core.serving.canaries import STEPS, tried
from tests.unit.core.serving.serving_cluster import ServingCluster, serving

from .test_automatic_rollback import BAD, ERRORS, FIRES, GOOD, measure
from .test_diagnosis import FALLEN, QUALITY, WORSE, end


def trying(*monitors: dict[str, Any]) -> ServingCluster:
    """Return a cluster in which version 1 is the last good one, version 2 serves, and version 3 is tried beside it."""
    cluster = serving(1, 2, monitors=list(monitors), capture={"sample": 1.0}, analysis={"maxDuration": "1000h"})
    cluster.edit(strategy=STEPS)
    cluster.settle()
    cluster.add(3)
    cluster.settle()
    assert (cluster.live(), tried(cluster).number, tried(cluster).phase) == (2, 3, "Analysing")
    return cluster


@pytest.mark.parametrize("monitor", [ERRORS, QUALITY], ids=["rollback", "recover"])
def test_in_the_middle_of_a_canary_the_last_good_version_takes_all_of_the_traffic(monitor: dict[str, Any]) -> None:
    cluster = trying(monitor)
    if monitor is ERRORS:
        measure(cluster, BAD)
    else:
        measure(cluster, FALLEN, "quality")
        end(cluster, WORSE)
    assert (cluster.live(), cluster.candidate()) == (1, None)
    assert [entry.number for entry in cluster.status.quarantine] == [2]
    assert cluster.service is not None
    live = cluster.status.live
    assert live is not None
    assert cluster.service["spec"]["selector"] == {names.MODEL_DEPLOYMENT: "flights", names.REVISION: live.revision}
    assert cluster.replicas() == {1: 2}


def test_the_requests_that_a_new_server_of_the_same_version_fails_are_not_held_against_the_one_that_serves() -> None:
    cluster = serving(1, 2, monitors=[ERRORS], analysis={"maxDuration": "1000h"})
    cluster.edit(strategy=STEPS, server={"replicas": 2, "image": "mine:bad"})
    cluster.settle()
    assert tried(cluster).number == 2
    measure(cluster, BAD)
    assert cluster.live() == 2
    assert (cluster.status.quarantine, tried(cluster).number) == ([], 2)


def test_what_was_rolled_back_by_itself_does_not_come_back_by_the_promotion_that_a_person_gave_it() -> None:
    cluster = serving(1, monitors=[ERRORS])
    cluster.add(2, phase="Held")
    cluster.act("Promote", 2)
    cluster.settle()
    assert cluster.live() == 2
    measure(cluster, BAD)
    assert cluster.live() == 1
    measure(cluster, GOOD)
    assert cluster.live() == 1
    assert cluster.status.quarantine[0].reason == FIRES


def test_no_data_of_the_monitor_leaves_the_canary_as_it_is() -> None:
    cluster = trying(ERRORS)
    measure(cluster, Signal(reason="MetricSource default: it cannot be reached", code="Unreachable"))
    assert (cluster.live(), tried(cluster).phase) == (2, "Analysing")
