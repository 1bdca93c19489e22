"""Quarantine and Release: a person keeps an artifact from traffic, and lets it out again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.core.serving.serving_cluster import World, serving
from tests.unit.core.serving.serving_cluster_objects import digest

from .action_clusters import carried_out, with_candidate


def test_quarantine_of_what_serves_is_a_rollback_by_digest() -> None:
    world = serving(1, 2)
    done = world.act("Quarantine", 2)
    world.settle()
    assert world.live() == 1
    assert world.record(done) == ("Succeeded", "version 2 is in quarantine until Release; rolling back to version 1")
    assert {entry.digest for entry in world.status.quarantine} == {digest(2)}


def test_quarantine_bars_the_artifact_though_the_server_had_changed_too() -> None:
    """A rollback would bar the revision alone, as the server may be to blame; a person's word is about the version."""
    world = serving(1)
    world.add(2)
    world.edit(server={"replicas": 2, "env": [{"name": "A", "value": "1"}]})
    world.settle()
    assert world.live() == 2
    world.act("Quarantine", 2)
    world.settle()
    assert world.live() == 1
    world.edit(server={"replicas": 2, "env": [{"name": "A", "value": "2"}]})
    pinned = world.act("Pin", 2)
    world.settle()
    assert world.live() == 1
    assert world.record(pinned)[0] == "Rejected"


def test_quarantine_of_what_serves_with_nothing_to_go_back_to_is_refused() -> None:
    world = serving(1)
    done = world.act("Quarantine", 1)
    world.settle()
    assert world.record(done)[0] == "Rejected"
    assert "no good version that served before version 1 is left" in world.record(done)[1]
    assert world.live() == 1
    assert world.status.quarantine == []


def test_quarantine_of_what_serves_when_only_other_pods_of_it_served_before_is_refused() -> None:
    world = serving(1)
    world.edit(server={"replicas": 2, "env": [{"name": "A", "value": "1"}]})
    world.settle()
    done = world.act("Quarantine", 1)
    world.settle()
    assert world.record(done)[0] == "Rejected"
    assert "Rollback to another version first" in world.record(done)[1]
    assert (world.live(), world.status.quarantine) == (1, [])


def test_quarantine_of_the_candidate_drops_it() -> None:
    world = with_candidate()
    world.act("Quarantine", 2)
    after = carried_out(world)
    assert after.candidate is None
    assert after.live == world.status.live
    assert [(entry.revision, entry.digest) for entry in after.quarantine] == [("c2c2c2c2c2", digest(2))]


def test_quarantine_of_a_version_that_never_served_keeps_it_away() -> None:
    world = serving(1)
    world.add(2, None)
    world.act("Quarantine", 2)
    world.settle()
    world.judge(2, "Verified")
    world.settle()
    assert world.live() == 1
    assert [(entry.number, entry.digest) for entry in world.status.quarantine] == [(2, digest(2))]


def test_quarantine_without_the_versions_store_counts_by_digest() -> None:
    world = serving(1)
    world.add(2, None, storeRef={"name": "elsewhere"})
    world.act("Quarantine", 2)
    world.settle()
    assert [entry.digest for entry in world.status.quarantine] == [digest(2)]


def test_quarantine_of_a_pinned_version_lifts_the_pin() -> None:
    world = serving(1, 2)
    world.act("Pin", 1)
    world.settle()
    world.act("Quarantine", 1)
    world.settle()
    assert world.live() == 2
    assert world.status.override is None


@pytest.mark.parametrize(
    ("number", "why"),
    [(7, "there is no version 7 of TrainingJob flights"), (2, "version 2 is in quarantine already")],
)
def test_quarantine_of_an_unknown_version_or_twice_is_refused(number: int, why: str) -> None:
    world = serving(1, 2)
    world.act("Quarantine", 2)
    world.settle()
    again = world.act("Quarantine", number)
    world.settle()
    assert world.record(again) == ("Rejected", why)


def forget(world: World, number: int) -> None:
    """Let the version's plan take the note away."""
    (item,) = [item for item in world.status.released if item.number == number]
    status = world.versions[number]["status"]
    status.pop("quarantine", None)
    status["releases"] = [{"deployment": "flights", "at": item.at.isoformat()}]


def test_release_ends_a_quarantine_and_rolls_nothing_out() -> None:
    """Version 2 was compared with version 1, which serves: without the release's memory it would be the next."""
    world = serving(1, 2)
    world.act("Rollback")
    world.settle()
    released = world.act("Release", 2)
    world.settle()
    assert world.status.quarantine == []
    assert world.record(released) == (
        "Pending",
        "version 2 is released; the note beside its artifact is being deleted",
    )
    forget(world, 2)
    world.settle()
    assert world.record(released) == ("Succeeded", "version 2 is released; Promote or Pin serves it")
    assert (world.live(), world.candidate()) == (1, None)


@pytest.mark.parametrize("verb", ["Promote", "Pin"])
def test_a_released_version_serves_when_a_person_asks_for_it(verb: str) -> None:
    world = serving(1, 2)
    world.act("Rollback")
    world.settle()
    remembered = {"reason": "r", "by": "b", "at": world.now.isoformat(), "deployment": "flights", "revision": "x"}
    world.versions[2]["status"]["quarantine"] = remembered
    world.act("Release", 2)
    world.settle()
    world.act(verb, 2)
    world.settle()
    assert world.live() == 2


def test_what_a_version_remembers_of_a_later_quarantine_bars_it_again() -> None:
    world = serving(1, 2)
    world.act("Rollback")
    world.settle()
    world.act("Release", 2)
    world.settle()
    later = (world.now + timedelta(hours=1)).isoformat()
    remembered = {"reason": "r", "by": "b", "at": later, "deployment": "flights", "revision": "x"}
    world.versions[2]["status"]["quarantine"] = remembered
    pinned = world.act("Pin", 2)
    world.settle()
    assert world.record(pinned)[0] == "Rejected"


def test_release_also_ends_the_quarantine_of_a_revision_without_its_digest() -> None:
    world = serving(1)
    world.edit(server={"replicas": 2, "env": [{"name": "A", "value": "1"}]})
    world.settle()
    world.act("Rollback")
    world.settle()
    assert [entry.digest for entry in world.status.quarantine] == [None]
    world.act("Release", 1)
    world.settle()
    assert world.status.quarantine == []


def test_release_of_a_version_whose_object_is_gone_ends_its_entries() -> None:
    world = serving(1, 2)
    world.act("Rollback")
    world.settle()
    del world.versions[2]
    released = world.act("Release", 2)
    world.settle()
    assert world.status.quarantine == []
    assert world.record(released) == (
        "Succeeded",
        "version 2 is released; its ModelVersion is gone, so the note beside its artifact stays",
    )


def test_release_of_an_unknown_version_is_refused() -> None:
    world = serving(1)
    released = world.act("Release", 7)
    world.settle()
    assert world.record(released) == ("Rejected", "there is no version 7 of TrainingJob flights")


def test_release_of_a_version_that_nobody_remembers_takes_its_note_away_all_the_same() -> None:
    """When both statuses were wiped, only the store knows."""
    world = serving(1)
    released = world.act("Release", 1)
    world.settle()
    assert world.record(released)[0] == "Pending"
    assert [item.number for item in world.status.released] == [1]


def test_a_second_release_of_a_version_takes_the_first_ones_place() -> None:
    world = serving(1)
    first, second = world.act("Release", 1), world.act("Release", 1)
    world.settle()
    assert world.record(first) == ("Succeeded", "a later Release of the same version replaced this one")
    assert world.record(second)[0] == "Pending"
