"""What serves goes back also while another version is tried beside it, and never for what that one did."""

from __future__ import annotations

from typing import Any

import pytest
from steadfit.core import names
from steadfit.core.types import Signal

from tests.unit.core.serving.canaries import STEPS, tried
from tests.unit.core.serving.serving_cluster import World, serving

from .test_automatic_rollback import BAD, ERRORS, FIRES, GOOD, measure
from .test_diagnosis import FALLEN, QUALITY, WORSE, end


def trying(*monitors: dict[str, Any]) -> World:
    """Return a world in which version 1 is the last good one, version 2 serves, and version 3 is tried beside it."""
    world = serving(1, 2, monitors=list(monitors), capture={"sample": 1.0}, analysis={"maxDuration": "1000h"})
    world.edit(strategy=STEPS)
    world.settle()
    world.add(3)
    world.settle()
    assert (world.live(), tried(world).number, tried(world).phase) == (2, 3, "Analysing")
    return world


@pytest.mark.parametrize("monitor", [ERRORS, QUALITY], ids=["rollback", "recover"])
def test_in_the_middle_of_a_canary_the_last_good_version_takes_all_of_the_traffic(monitor: dict[str, Any]) -> None:
    world = trying(monitor)
    if monitor is ERRORS:
        measure(world, BAD)
    else:
        measure(world, FALLEN, "quality")
        end(world, WORSE)
    assert (world.live(), world.candidate()) == (1, None)
    assert [entry.number for entry in world.status.quarantine] == [2]
    assert world.service is not None
    live = world.status.live
    assert live is not None
    assert world.service["spec"]["selector"] == {names.MODEL_DEPLOYMENT: "flights", names.REVISION: live.revision}
    assert world.replicas() == {1: 2}


def test_the_requests_that_a_new_server_of_the_same_version_fails_are_not_held_against_the_one_that_serves() -> None:
    world = serving(1, 2, monitors=[ERRORS], analysis={"maxDuration": "1000h"})
    world.edit(strategy=STEPS, server={"replicas": 2, "image": "mine:bad"})
    world.settle()
    assert tried(world).number == 2
    measure(world, BAD)
    assert world.live() == 2
    assert (world.status.quarantine, tried(world).number) == ([], 2)


def test_what_was_rolled_back_by_itself_does_not_come_back_by_the_promotion_that_a_person_gave_it() -> None:
    world = serving(1, monitors=[ERRORS])
    world.add(2, phase="Held")
    world.act("Promote", 2)
    world.settle()
    assert world.live() == 2
    measure(world, BAD)
    assert world.live() == 1
    measure(world, GOOD)
    assert world.live() == 1
    assert world.status.quarantine[0].reason == FIRES


def test_no_data_of_the_monitor_leaves_the_canary_as_it_is() -> None:
    world = trying(ERRORS)
    measure(world, Signal(reason="MetricSource default: it cannot be reached", code="Unreachable"))
    assert (world.live(), tried(world).phase) == (2, "Analysing")
