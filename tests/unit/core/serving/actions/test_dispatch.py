"""Actions: each is carried out once, and what became of it is recorded with its effect."""

from __future__ import annotations

import pytest

from tests.unit.core.serving.serving_cluster import serving


def test_a_pin_action_serves_its_version_until_unpin() -> None:
    world = serving(1, 2)
    pin = world.act("Pin", 1)
    world.settle()
    assert world.live() == 1
    assert world.record(pin) == ("Succeeded", "version 1 is pinned until Unpin")
    assert world.condition("Overridden") == ("True", "Pinned")
    assert "alice (ModelAction action-1)" in world.message("Overridden")
    world.add(3)
    world.settle()
    assert world.live() == 1
    unpin = world.act("Unpin")
    world.settle()
    assert world.live() == 3
    assert world.record(unpin) == ("Succeeded", "the pin is removed")
    assert world.condition("Overridden") is None


def test_a_pin_action_beats_the_pin_of_the_spec() -> None:
    world = serving(1, 2, 3, pin={"version": 2})
    world.add(2)
    world.settle()
    world.act("Pin", 3)
    world.settle()
    assert world.live() == 3
    world.act("Unpin")
    world.settle()
    assert world.live() == 2


def test_a_later_pin_action_replaces_an_earlier_one() -> None:
    world = serving(1, 2, 3)
    world.act("Pin", 1)
    world.act("Pin", 2)
    world.settle()
    assert world.live() == 2
    assert world.status.override is not None
    assert world.status.override.action == "action-2"


def test_a_pin_action_on_a_version_in_quarantine_is_refused() -> None:
    world = serving(1, 2)
    world.act("Rollback")
    world.settle()
    pin = world.act("Pin", 2)
    world.settle()
    assert world.record(pin) == (
        "Rejected",
        "version 2 was rolled back and is in quarantine; Release it first, or choose another version",
    )
    assert world.status.override is None
    assert world.live() == 1


def test_a_pin_action_on_an_unknown_version_is_refused() -> None:
    world = serving(1)
    pin = world.act("Pin", 7)
    world.settle()
    assert world.record(pin) == ("Rejected", "there is no version 7 of TrainingJob flights")
    assert world.status.actions[0].reason == "VersionNotFound"


def test_a_pin_action_on_a_rejected_version_is_refused() -> None:
    world = serving(1)
    world.add(2, "Rejected")
    pin = world.act("Pin", 2)
    world.settle()
    assert world.record(pin)[0] == "Rejected"
    assert "only verified and held versions can be pinned" in world.record(pin)[1]


def test_unpin_without_a_pin_action_is_refused() -> None:
    world = serving(1, pin={"version": 1})
    unpin = world.act("Unpin")
    world.settle()
    assert world.record(unpin)[0] == "Rejected"
    assert "spec.pin is removed in the spec" in world.record(unpin)[1]


def test_an_unknown_verb_is_refused() -> None:
    world = serving(1)
    action = world.act("Retrain")
    world.settle()
    assert world.record(action) == ("Rejected", "Retrain is not a verb of a ModelDeployment")


def test_actions_are_carried_out_in_the_order_in_which_they_were_created() -> None:
    world = serving(1, 2)
    world.act("Pin", 1)
    world.act("Unpin")
    world.act("Pin", 2)
    world.settle()
    assert [record.phase for record in world.status.actions] == ["Succeeded"] * 3
    assert world.live() == 2


def test_an_action_is_carried_out_once_though_its_own_status_lags_behind() -> None:
    world = serving(1, 2)
    world.act("Rollback")
    world.settle()
    world.add(3)
    world.settle()
    world.actions["action-1"]["status"]["phase"] = "Pending"
    assert world.plan().status == world.deployment["status"]


def test_a_completed_action_is_not_carried_out_again_when_its_record_is_gone() -> None:
    world = serving(1, 2)
    world.act("Pin", 1)
    world.settle()
    world.act("Unpin")
    world.settle()
    world.deployment["status"]["actions"] = []
    world.settle()
    assert world.live() == 2


def test_the_newest_20_records_are_kept() -> None:
    world = serving(1)
    for _ in range(25):
        world.act("Unpin")
        world.settle()
    assert [record.name for record in world.status.actions] == [f"action-{number}" for number in range(6, 26)]


def test_a_record_stays_while_its_action_still_reads_pending() -> None:
    """Without its record, the action would be carried out a second time."""
    world = serving(1)
    for _ in range(22):
        world.act("Unpin")
    plan = world.plan()
    recorded = [record["name"] for record in plan.status["actions"]]
    assert len(recorded) == 20
    world.deployment["status"] = plan.status
    assert world.plan().status["actions"] == plan.status["actions"]
    world.settle()
    assert {record.name for record in world.status.actions} >= {"action-21", "action-22"}


@pytest.mark.parametrize("writes", range(8))
@pytest.mark.parametrize(
    ("verb", "number", "serves"),
    [("Promote", 1, 1), ("Quarantine", 2, 1), ("Release", 2, 2), ("Abort", None, 2)],
)
def test_a_verb_is_carried_out_once_whichever_write_the_operator_crashes_before(
    verb: str, number: int | None, serves: int, writes: int
) -> None:
    world = serving(1, 2)
    action = world.act(verb, number)
    for _ in range(writes):
        world.step()
        world.kubelet()
    world.step(crash_after=0)
    world.settle()
    assert world.live() == serves
    assert [record.name for record in world.status.actions] == [action]
    assert len(world.status.quarantine) == (verb == "Quarantine")


def test_promotions_and_releases_are_told_once() -> None:
    world = serving(1, 2)
    world.act("Promote", 1)
    world.settle()
    world.act("Quarantine", 2)
    world.settle()
    world.act("Release", 2)
    world.settle()
    assert world.seen("Promoted") == ["version 1 is promoted by alice (action-1)"]
    assert len(world.seen("Quarantined")) == 1
    assert world.seen("Released") == ["version 2 is released from quarantine by alice (action-3)"]
