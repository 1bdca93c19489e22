"""Rollback: the bad revision is barred and a good one takes its place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.core.serving.serving_cluster import World, serving
from tests.unit.core.serving.serving_cluster_objects import digest, store


def test_rollback_restores_the_last_good_revision_and_bars_the_bad_one() -> None:
    world = serving(1, 2)
    good, bad = world.moves
    action = world.act("Rollback")
    world.settle()
    assert world.selected() == good
    assert world.live() == 1
    assert [(entry.revision, entry.number, entry.reason) for entry in world.status.quarantine] == [
        (bad, 2, "it is worse")
    ]
    assert world.status.quarantine[0].by == "alice (action-1)"
    assert world.record(action) == ("Succeeded", "version 1 serves")


def test_quarantine_and_the_way_out_of_it_are_one_write() -> None:
    world = serving(1, 2)
    world.act("Rollback")
    world.step()
    assert [entry.number for entry in world.status.quarantine] == [2]
    assert world.candidate() == 1
    assert world.record("action-1")[0] == "Pending"
    assert world.record("action-1")[1] == "rolling back to version 1"


def test_the_bad_revision_answers_until_the_good_one_can() -> None:
    world = serving(1, 2)
    good, bad = world.moves
    world.broken.add(good)
    world.act("Rollback")
    world.settle()
    assert world.selected() == bad
    assert world.replicas() == {1: 2, 2: 2}
    assert world.condition("Ready") == ("False", "RollingBack")
    assert world.condition("Reconciling") == ("True", "RollingBack")
    world.broken.clear()
    world.settle()
    assert world.selected() == good
    assert world.replicas() == {1: 2}
    assert world.condition("Ready") == ("True", "Serving")


def test_a_rollback_takes_up_the_frozen_deployment_though_the_spec_asks_for_other_pods_by_now() -> None:
    world = serving(1)
    good = world.selected()
    world.platform = replace(world.platform, server_image="steadfit/server:2")
    world.add(2)
    world.settle()
    world.act("Rollback")
    world.settle()
    assert world.selected() == good
    assert world.condition("Ready") == ("True", "Serving")
    assert world.condition("Progressing") == ("False", "OlderPodTemplate")
    world.platform = replace(world.platform, server_image="steadfit/server:3")
    world.settle()
    assert world.live() == 1
    assert world.selected() != good
    assert world.condition("Progressing") is None


def test_a_rollback_of_a_change_of_the_server_bars_the_revision_but_not_the_model() -> None:
    world = serving(1)
    good = world.selected()
    world.edit(server={"replicas": 2, "image": "mine:bad"})
    world.settle()
    bad = world.selected()
    world.act("Rollback")
    world.settle()
    assert world.selected() == good
    assert [(entry.revision, entry.digest) for entry in world.status.quarantine] == [(bad, None)]
    world.edit(server={"replicas": 2, "image": "mine:good"})
    world.settle()
    assert world.live() == 1
    assert world.selected() not in (good, bad)


def test_a_rolled_back_server_is_not_rendered_again_when_the_spec_returns_to_it() -> None:
    world = serving(1)
    good = world.selected()
    original = world.deployment["spec"]["server"]
    world.edit(server={"replicas": 2, "image": "mine:bad"})
    world.settle()
    bad = world.selected()
    world.act("Rollback")
    world.settle()
    world.edit(server=original)
    world.settle()
    assert world.condition("Progressing") is None
    world.edit(server={"replicas": 2, "image": "mine:bad"})
    world.settle()
    assert world.selected() == good
    assert world.moves.count(bad or "") == 1
    assert world.condition("Progressing") == ("False", "OlderPodTemplate")


def test_the_digest_is_barred_too_when_only_the_model_had_changed() -> None:
    world = serving(1, 2)
    world.act("Rollback")
    world.settle()
    assert world.status.quarantine[0].digest == world.versions[2]["spec"]["artifact"]["digest"]
    world.edit(server={"replicas": 2, "image": "mine:2"}, pin={"version": 2})
    world.settle()
    assert world.live() == 1
    assert world.condition("Stalled") == ("True", "RevisionQuarantined")


def test_after_a_rollback_only_a_newer_version_is_rolled_out() -> None:
    world = serving(1, 2, 3)
    world.act("Rollback", 1)
    world.settle()
    assert world.live() == 1
    world.add(4)
    world.settle()
    assert world.live() == 4


def test_a_named_version_is_rendered_and_rolled_out_in_place_of_the_bad_one() -> None:
    world = serving(1, 2, 3)
    action = world.act("Rollback", 1)
    world.settle()
    assert world.live() == 1
    assert world.record(action) == ("Succeeded", "version 1 serves")
    assert [entry.number for entry in world.status.quarantine] == [3]


def test_two_rollbacks_in_a_row_need_a_named_version_for_the_second() -> None:
    world = serving(1, 2, 3)
    world.act("Rollback")
    world.settle()
    second = world.act("Rollback")
    world.settle()
    assert world.record(second)[0] == "Rejected"
    assert "name a version" in world.record(second)[1]
    third = world.act("Rollback", 1)
    world.settle()
    assert world.record(third)[0] == "Succeeded"
    assert world.live() == 1


def test_a_second_rollback_while_one_is_under_way_is_refused() -> None:
    world = serving(1, 2)
    world.broken.add(world.moves[0])
    world.act("Rollback")
    world.settle()
    second = world.act("Rollback")
    world.settle()
    assert world.record(second) == ("Rejected", "version 2 is being rolled back already")


def test_a_rollback_under_way_can_be_sent_to_another_version() -> None:
    world = serving(1, 2, 3)
    world.broken.add(world.moves[1])
    first = world.act("Rollback")
    world.settle()
    second = world.act("Rollback", 1)
    world.settle()
    assert world.live() == 1
    assert (world.record(first)[0], world.record(second)[0]) == ("Succeeded", "Succeeded")
    assert [entry.number for entry in world.status.quarantine] == [3]


def test_a_newer_version_does_not_delay_a_rollback_and_comes_after_it() -> None:
    world = serving(1, 2)
    world.broken.add(world.moves[0])
    world.act("Rollback")
    world.settle()
    world.add(3, against=digest(1))
    world.settle()
    assert world.candidate() == 1
    world.broken.clear()
    world.settle()
    assert world.moves[2] == world.moves[0]
    assert world.live() == 3


def test_a_candidate_in_flight_is_dropped_by_a_rollback_and_not_barred() -> None:
    world = serving(1, 2)
    world.add(3)
    world.step()
    assert world.candidate() == 3
    world.act("Rollback")
    world.step()
    assert world.candidate() == 1
    world.settle()
    assert [entry.number for entry in world.status.quarantine] == [2]
    assert all(entry.number != 3 for entry in world.status.quarantine)


def test_what_was_compared_with_the_version_that_was_rolled_back_does_not_follow_it() -> None:
    world = serving(1, 2)
    world.add(3)
    world.act("Rollback")
    world.settle()
    assert (world.live(), world.candidate()) == (1, None)
    assert world.condition("Progressing") == ("False", "ChampionChanged")
    assert world.message("Progressing") == (
        "version 3 is not rolled out: it was compared with flights-v2, and flights-v1 serves here;"
        " a Retrain compares again, a Pin of version 3 serves it without a comparison"
    )
    world.add(4)
    world.settle()
    assert world.live() == 4
    assert world.condition("Progressing") is None


def test_a_rollback_whose_deployment_was_deleted_renders_the_good_version_anew() -> None:
    world = serving(1, 2)
    world.platform = replace(world.platform, server_image="steadfit/server:2")
    world.stores, stores = [], world.stores
    world.settle()
    for name in [name for name in world.workloads if world.moves[0] in name]:
        del world.workloads[name]
    world.stores = stores
    world.act("Rollback")
    world.settle()
    assert world.live() == 1
    assert world.moves[-1] not in world.moves[:2]


@pytest.mark.parametrize(
    ("numbers", "version", "sentence"),
    [
        ((), None, "no version serves yet, so there is nothing to roll back"),
        ((1,), None, "no good version that served before version 1 is left; name a version to serve"),
        ((1, 2), 2, "version 2 serves already; name another version"),
        ((1, 2), 9, "there is no version 9 of TrainingJob flights"),
    ],
)
def test_a_rollback_to_nowhere_is_refused_in_a_sentence(
    numbers: tuple[int, ...], version: int | None, sentence: str
) -> None:
    world = serving(*numbers)
    action = world.act("Rollback", version)
    world.settle()
    assert world.record(action) == ("Rejected", sentence)
    assert world.status.quarantine == []


def test_a_rollback_to_a_rejected_version_is_refused() -> None:
    world = World()
    world.add(1, "Rejected")
    world.add(2)
    world.settle()
    action = world.act("Rollback", 1)
    world.settle()
    assert world.record(action)[0] == "Rejected"
    assert "was rejected by its gate" in world.record(action)[1]


def test_a_rollback_of_what_the_spec_pins_serves_the_good_one_and_says_that_the_pin_is_in_quarantine() -> None:
    world = serving(1, 2)
    world.edit(pin={"version": 2})
    world.settle()
    action = world.act("Rollback")
    world.settle()
    assert world.live() == 1
    assert world.record(action)[0] == "Succeeded"
    assert world.condition("Stalled") == ("True", "RevisionQuarantined")


def test_a_rollback_lifts_the_pin_of_an_action() -> None:
    world = serving(1, 2)
    world.act("Pin", 1)
    world.settle()
    world.act("Rollback")
    world.settle()
    assert world.status.override is None
    assert world.live() == 2


@pytest.mark.parametrize("writes", range(12))
def test_a_crash_after_any_write_of_a_rollback_loses_nothing(writes: int) -> None:
    world = serving(1, 2)
    action = world.act("Rollback")
    for _ in range(writes):
        world.step(crash_after=1)
        world.kubelet()
    world.step(crash_after=0)
    world.settle()
    assert world.live() == 1
    assert world.record(action)[0] == "Succeeded"
    assert world.moves == [world.moves[0], world.moves[1], world.moves[0]]
    assert world.replicas() == {1: 2}


def test_the_newest_128_quarantine_entries_are_kept() -> None:
    world = serving(1, 2)
    entry = {"version": "old", "number": 0, "reason": "worse", "by": "bob", "at": "2026-01-01T00:00:00Z"}
    world.deployment["status"]["quarantine"] = [{**entry, "revision": f"r{index}"} for index in range(128)]
    world.act("Rollback")
    world.settle()
    kept = [item.revision for item in world.status.quarantine]
    assert len(kept) == 128
    assert kept[0] == "r1"
    assert kept[-1] == world.moves[1]


def test_a_rollback_under_way_is_not_rendered_anew_when_the_spec_changes() -> None:
    world = serving(1, 2)
    good = world.moves[0]
    world.broken.add(good)
    world.act("Rollback")
    world.settle()
    world.platform = replace(world.platform, server_image="steadfit/server:2")
    world.settle()
    assert world.status.candidate is not None
    assert world.status.candidate.revision == good
    world.broken.clear()
    world.settle()
    assert world.moves[2] == good
    assert world.live() == 1


def test_an_older_revision_that_serves_is_rendered_anew_when_its_deployment_is_deleted() -> None:
    world = serving(1)
    world.platform = replace(world.platform, server_image="steadfit/server:2")
    world.add(2)
    world.settle()
    world.act("Rollback")
    world.settle()
    del world.workloads[f"flights-{world.selected()}"]
    world.settle()
    assert world.live() == 1
    assert world.replicas() == {1: 2}
    assert world.condition("Ready") == ("True", "Serving")


def test_a_good_version_that_is_barred_before_it_serves_is_left_out() -> None:
    world = serving(1, 2, 3)
    world.broken.add(world.moves[1])
    world.act("Rollback")
    world.settle()
    assert world.candidate() == 2
    world.versions[2]["status"]["quarantine"] = {
        "reason": "worse",
        "by": "bob",
        "at": "2026-01-01T00:00:00Z",
        "deployment": "flights",
        "revision": world.moves[1],
    }
    world.broken.clear()
    world.settle()
    assert (world.live(), world.candidate()) == (3, None)
    assert world.condition("Stalled") == ("True", "NoRollbackTarget")
    world.act("Pin", 1)
    world.settle()
    assert world.live() == 1
    assert world.condition("Ready") == ("True", "Serving")


def test_a_rollback_has_not_succeeded_before_the_service_points_at_the_good_revision() -> None:
    world = serving(1, 2)
    action = world.act("Rollback")
    while world.live() == 2:
        world.step()
        world.kubelet()
    assert world.selected() == world.moves[1]
    assert world.record(action) == ("Pending", "the traffic is being moved")


def test_a_rollback_to_a_last_good_version_that_is_barred_elsewhere_in_its_status_is_refused() -> None:
    world = serving(1, 2)
    world.versions[1]["status"]["quarantine"] = {
        "reason": "worse",
        "by": "bob",
        "at": "2026-01-01T00:00:00Z",
        "deployment": "flights",
        "revision": world.moves[0],
    }
    action = world.act("Rollback")
    world.settle()
    assert world.record(action)[0] == "Rejected"
    assert world.live() == 2


def test_a_rollback_of_the_server_is_refused_when_the_older_pods_can_not_be_made_again() -> None:
    world = serving(1)
    world.edit(server={"replicas": 2, "image": "mine:bad"})
    world.settle()
    del world.workloads[f"flights-{world.moves[0]}"]
    action = world.act("Rollback")
    world.settle()
    assert world.record(action)[0] == "Rejected"
    assert world.status.quarantine == []


def test_a_rollback_is_not_forgotten_while_the_store_of_the_good_version_is_away() -> None:
    world = serving(1)
    world.add(2, against=None)
    world.act("Rollback", 2)
    world.step()
    world.stores = []
    world.settle()
    assert world.candidate() == 2
    assert world.condition("Stalled") == ("True", "StoreNotUsable")
    world.stores = [store()]
    world.settle()
    assert world.live() == 2
    assert world.record("action-1")[0] == "Succeeded"
