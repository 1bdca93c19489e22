"""Actions: each is carried out once, and what became of it is recorded with its effect."""

from __future__ import annotations

import pytest
from steadfit.core.action_records import MAX_RECORDS

from tests.unit.core.serving.serving_cluster import serving


def test_a_pin_action_serves_its_version_until_unpin() -> None:
    cluster = serving(1, 2)
    pin = cluster.act("Pin", 1)
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.record(pin) == ("Succeeded", "version 1 is pinned until Unpin")
    assert cluster.condition("Overridden") == ("True", "Pinned")
    assert "alice (ModelAction action-1)" in cluster.message("Overridden")
    cluster.add(3)
    cluster.settle()
    assert cluster.live() == 1
    unpin = cluster.act("Unpin")
    cluster.settle()
    assert cluster.live() == 3
    assert cluster.record(unpin) == ("Succeeded", "the pin is removed: version 1 serves until a newer one replaces it")
    assert cluster.condition("Overridden") is None


def test_a_pin_action_beats_the_pin_of_the_spec() -> None:
    cluster = serving(1, 2, 3, pin={"version": 2})
    cluster.add(2)
    cluster.settle()
    cluster.act("Pin", 3)
    cluster.settle()
    assert cluster.live() == 3
    cluster.act("Unpin")
    cluster.settle()
    assert cluster.live() == 2


def test_a_later_pin_action_replaces_an_earlier_one() -> None:
    cluster = serving(1, 2, 3)
    cluster.act("Pin", 1)
    cluster.act("Pin", 2)
    cluster.settle()
    assert cluster.live() == 2
    assert cluster.status.override is not None
    assert cluster.status.override.action == "action-2"


def test_a_pin_action_on_a_version_in_quarantine_is_refused() -> None:
    cluster = serving(1, 2)
    cluster.act("Rollback")
    cluster.settle()
    pin = cluster.act("Pin", 2)
    cluster.settle()
    assert cluster.record(pin) == (
        "Rejected",
        "version 2 was rolled back and is in quarantine; Release it first, or choose another version",
    )
    assert cluster.status.override is None
    assert cluster.live() == 1


def test_a_pin_action_on_an_unknown_version_is_refused() -> None:
    cluster = serving(1)
    pin = cluster.act("Pin", 7)
    cluster.settle()
    assert cluster.record(pin) == ("Rejected", "there is no version 7 of TrainingJob flights")
    assert cluster.status.actions[0].reason == "VersionNotFound"


def test_a_pin_action_on_a_rejected_version_is_refused() -> None:
    cluster = serving(1)
    cluster.add(2, "Rejected")
    pin = cluster.act("Pin", 2)
    cluster.settle()
    assert cluster.record(pin)[0] == "Rejected"
    assert "only verified and held versions can be pinned" in cluster.record(pin)[1]


def test_unpin_without_a_pin_action_is_refused() -> None:
    cluster = serving(1, pin={"version": 1})
    unpin = cluster.act("Unpin")
    cluster.settle()
    assert cluster.record(unpin)[0] == "Rejected"
    assert "spec.pin is removed in the spec" in cluster.record(unpin)[1]


def test_an_unknown_verb_is_refused() -> None:
    cluster = serving(1)
    action = cluster.act("Retrain")
    cluster.settle()
    assert cluster.record(action) == ("Rejected", "Retrain is not a verb of a ModelDeployment")


def test_actions_are_carried_out_in_the_order_in_which_they_were_created() -> None:
    cluster = serving(1, 2)
    cluster.act("Pin", 1)
    cluster.act("Unpin")
    cluster.act("Pin", 2)
    cluster.settle()
    assert [record.phase for record in cluster.status.actions] == ["Succeeded"] * 3
    assert cluster.live() == 2


def test_an_action_is_carried_out_once_though_its_own_status_lags_behind() -> None:
    cluster = serving(1, 2)
    cluster.act("Rollback")
    cluster.settle()
    cluster.add(3)
    cluster.settle()
    cluster.actions["action-1"]["status"]["phase"] = "Pending"
    assert cluster.plan().status == cluster.deployment["status"]


def test_a_completed_action_is_not_carried_out_again_when_its_record_is_gone() -> None:
    cluster = serving(1, 2)
    cluster.act("Pin", 1)
    cluster.settle()
    cluster.act("Unpin")
    cluster.settle()
    cluster.deployment["status"]["actions"] = []
    cluster.settle()
    assert cluster.live() == 2


def test_the_newest_records_are_kept() -> None:
    cluster = serving(1)
    for _ in range(MAX_RECORDS + 5):
        cluster.act("Unpin")
        cluster.settle()
    kept = [record.name for record in cluster.status.actions]
    assert kept == [f"action-{number}" for number in range(6, 6 + MAX_RECORDS)]


def test_no_number_of_rejected_actions_drops_the_record_of_one_that_had_an_effect() -> None:
    cluster = serving(1, 2)
    back = cluster.act("Rollback")
    cluster.settle()
    for _ in range(MAX_RECORDS + 1):
        cluster.act("Abort")
        cluster.settle()
    assert cluster.record(back) == ("Succeeded", "version 1 serves")
    assert sum(record.phase == "Rejected" for record in cluster.status.actions) == MAX_RECORDS


def test_a_record_stays_while_its_action_still_reads_pending() -> None:
    """Without its record, the action would be carried out a second time."""
    cluster = serving(1)
    for _ in range(MAX_RECORDS + 2):
        cluster.act("Unpin")
    plan = cluster.plan()
    recorded = [record["name"] for record in plan.status["actions"]]
    assert len(recorded) == MAX_RECORDS
    cluster.deployment["status"] = plan.status
    assert cluster.plan().status["actions"] == plan.status["actions"]
    cluster.settle()
    assert {record.name for record in cluster.status.actions} >= {
        f"action-{MAX_RECORDS + 1}",
        f"action-{MAX_RECORDS + 2}",
    }


@pytest.mark.parametrize("writes", range(8))
@pytest.mark.parametrize(
    ("verb", "number", "serves"),
    [("Promote", 1, 1), ("Quarantine", 2, 1), ("Release", 2, 2), ("Abort", None, 2)],
)
def test_a_verb_is_carried_out_once_whichever_write_the_operator_crashes_before(
    verb: str, number: int | None, serves: int, writes: int
) -> None:
    cluster = serving(1, 2)
    action = cluster.act(verb, number)
    for _ in range(writes):
        cluster.step()
        cluster.kubelet()
    cluster.step(crash_after=0)
    cluster.settle()
    assert cluster.live() == serves
    assert [record.name for record in cluster.status.actions] == [action]
    assert len(cluster.status.quarantine) == (verb == "Quarantine")


def test_promotions_and_releases_are_told_once() -> None:
    cluster = serving(1, 2)
    cluster.act("Promote", 1)
    cluster.settle()
    cluster.act("Quarantine", 2)
    cluster.settle()
    cluster.act("Release", 2)
    cluster.settle()
    assert cluster.seen("Promoted") == ["version 1 is promoted by alice (action-1)"]
    assert len(cluster.seen("Quarantined")) == 1
    assert cluster.seen("Released") == ["version 2 is released from quarantine by alice (action-3)"]
