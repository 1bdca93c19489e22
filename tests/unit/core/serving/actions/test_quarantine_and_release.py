"""Quarantine and Release: a person keeps an artifact from traffic, and lets it out again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_objects import digest

from .action_clusters import carried_out, with_candidate


def test_quarantine_of_what_serves_is_a_rollback_by_digest() -> None:
    cluster = serving(1, 2)
    done = cluster.act("Quarantine", 2)
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.record(done) == ("Succeeded", "version 2 is in quarantine until Release; rolling back to version 1")
    assert {entry.digest for entry in cluster.status.quarantine} == {digest(2)}


def test_quarantine_bars_the_artifact_though_the_server_had_changed_too() -> None:
    """A rollback would bar the revision alone, as the server may be to blame; a person's word is about the version."""
    cluster = serving(1)
    cluster.add(2)
    cluster.edit(server={"replicas": 2, "env": [{"name": "A", "value": "1"}]})
    cluster.settle()
    assert cluster.live() == 2
    cluster.act("Quarantine", 2)
    cluster.settle()
    assert cluster.live() == 1
    cluster.edit(server={"replicas": 2, "env": [{"name": "A", "value": "2"}]})
    pinned = cluster.act("Pin", 2)
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.record(pinned)[0] == "Rejected"


def test_quarantine_of_what_serves_with_nothing_to_go_back_to_is_refused() -> None:
    cluster = serving(1)
    done = cluster.act("Quarantine", 1)
    cluster.settle()
    assert cluster.record(done)[0] == "Rejected"
    assert (
        "version 1 serves, and no good version that served before version 1 is left to roll back to; train"
        in cluster.record(done)[1]
    )
    assert cluster.live() == 1
    assert cluster.status.quarantine == []


def test_quarantine_of_what_serves_when_only_other_pods_of_it_served_before_is_refused() -> None:
    cluster = serving(1)
    cluster.edit(server={"replicas": 2, "env": [{"name": "A", "value": "1"}]})
    cluster.settle()
    done = cluster.act("Quarantine", 1)
    cluster.settle()
    assert cluster.record(done)[0] == "Rejected"
    assert "train another version; spec.server.replicas 0 stops serving" in cluster.record(done)[1]
    assert (cluster.live(), cluster.status.quarantine) == (1, [])


def test_quarantine_of_the_candidate_drops_it() -> None:
    cluster = with_candidate()
    cluster.act("Quarantine", 2)
    after = carried_out(cluster)
    assert after.candidate is None
    assert after.live == cluster.status.live
    assert [(entry.revision, entry.digest) for entry in after.quarantine] == [("c2c2c2c2c2", digest(2))]


def test_quarantine_of_a_version_that_never_served_keeps_it_away() -> None:
    cluster = serving(1)
    cluster.add(2, None)
    cluster.act("Quarantine", 2)
    cluster.settle()
    cluster.judge(2, "Verified")
    cluster.settle()
    assert cluster.live() == 1
    assert [(entry.number, entry.digest) for entry in cluster.status.quarantine] == [(2, digest(2))]


def test_quarantine_without_the_versions_store_counts_by_digest() -> None:
    cluster = serving(1)
    cluster.add(2, None, storeRef={"name": "elsewhere"})
    cluster.act("Quarantine", 2)
    cluster.settle()
    assert [entry.digest for entry in cluster.status.quarantine] == [digest(2)]


def test_quarantine_of_a_pinned_version_lifts_the_pin() -> None:
    cluster = serving(1, 2)
    cluster.act("Pin", 1)
    cluster.settle()
    cluster.act("Quarantine", 1)
    cluster.settle()
    assert cluster.live() == 2
    assert cluster.status.override is None


def test_quarantine_of_an_unknown_version_is_refused() -> None:
    cluster = serving(1, 2)
    unknown = cluster.act("Quarantine", 7)
    cluster.settle()
    assert cluster.record(unknown) == ("Rejected", "there is no version 7 of TrainingJob flights")


def test_a_second_quarantine_of_a_version_succeeds_and_changes_nothing() -> None:
    cluster = serving(1, 2)
    cluster.act("Quarantine", 2)
    cluster.settle()
    before = cluster.status.quarantine
    again = cluster.act("Quarantine", 2)
    cluster.settle()
    assert cluster.record(again) == ("Succeeded", "version 2 is in quarantine already, by alice (action-1)")
    assert cluster.status.quarantine == before


def forget(cluster: ServingCluster, number: int) -> None:
    """Let the version's plan take the note away."""
    (item,) = [item for item in cluster.status.released if item.number == number]
    status = cluster.versions[number]["status"]
    status.pop("quarantine", None)
    status["releases"] = [{"deployment": "flights", "at": item.at.isoformat()}]


def test_release_ends_a_quarantine_and_rolls_nothing_out() -> None:
    """Version 2 was compared with version 1, which serves: without the release's memory it would be the next."""
    cluster = serving(1, 2)
    cluster.act("Rollback")
    cluster.settle()
    released = cluster.act("Release", 2)
    cluster.settle()
    assert cluster.status.quarantine == []
    assert cluster.record(released) == (
        "Pending",
        "version 2 is released; the note beside its artifact is being deleted",
    )
    forget(cluster, 2)
    cluster.settle()
    assert cluster.record(released) == ("Succeeded", "version 2 is released; Promote or Pin serves it")
    assert (cluster.live(), cluster.candidate()) == (1, None)


@pytest.mark.parametrize("verb", ["Promote", "Pin"])
def test_a_released_version_serves_when_a_person_asks_for_it(verb: str) -> None:
    cluster = serving(1, 2)
    cluster.act("Rollback")
    cluster.settle()
    remembered = {"reason": "r", "by": "b", "at": cluster.now.isoformat(), "deployment": "flights", "revision": "x"}
    cluster.versions[2]["status"]["quarantine"] = remembered
    cluster.act("Release", 2)
    cluster.settle()
    cluster.act(verb, 2)
    cluster.settle()
    assert cluster.replicas()[2] == 0, "its servers would end while the note lies beside the artifact"
    assert "once the note of its quarantine is deleted" in cluster.message("Progressing")
    forget(cluster, 2)
    cluster.settle()
    assert cluster.live() == 2


def test_what_a_version_remembers_of_a_later_quarantine_bars_it_again() -> None:
    cluster = serving(1, 2)
    cluster.act("Rollback")
    cluster.settle()
    cluster.act("Release", 2)
    cluster.settle()
    later = (cluster.now + timedelta(hours=1)).isoformat()
    remembered = {"reason": "r", "by": "b", "at": later, "deployment": "flights", "revision": "x"}
    cluster.versions[2]["status"]["quarantine"] = remembered
    pinned = cluster.act("Pin", 2)
    cluster.settle()
    assert cluster.record(pinned)[0] == "Rejected"


def test_release_also_ends_the_quarantine_of_a_revision_without_its_digest() -> None:
    cluster = serving(1)
    cluster.edit(server={"replicas": 2, "env": [{"name": "A", "value": "1"}]})
    cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    assert [entry.digest for entry in cluster.status.quarantine] == [None]
    cluster.act("Release", 1)
    cluster.settle()
    assert cluster.status.quarantine == []


def test_release_of_a_version_whose_object_is_gone_ends_its_entries() -> None:
    cluster = serving(1, 2)
    cluster.act("Rollback")
    cluster.settle()
    del cluster.versions[2]
    released = cluster.act("Release", 2)
    cluster.settle()
    assert cluster.status.quarantine == []
    assert cluster.record(released) == (
        "Succeeded",
        "version 2 is released; its ModelVersion is gone, so the note beside its artifact stays",
    )


def test_release_of_an_unknown_version_is_refused() -> None:
    cluster = serving(1)
    released = cluster.act("Release", 7)
    cluster.settle()
    assert cluster.record(released) == ("Rejected", "there is no version 7 of TrainingJob flights")


def test_release_of_a_version_that_nobody_remembers_takes_its_note_away_all_the_same() -> None:
    """When both statuses were wiped, only the store knows."""
    cluster = serving(1)
    released = cluster.act("Release", 1)
    cluster.settle()
    assert cluster.record(released)[0] == "Pending"
    assert [item.number for item in cluster.status.released] == [1]


def test_a_second_release_of_a_version_takes_the_first_ones_place() -> None:
    cluster = serving(1)
    first, second = cluster.act("Release", 1), cluster.act("Release", 1)
    cluster.settle()
    assert cluster.record(first) == ("Succeeded", "a later Release of the same version replaced this one")
    assert cluster.record(second)[0] == "Pending"


def test_a_rollback_whose_last_target_goes_into_quarantine_says_that_none_is_left() -> None:
    cluster = serving(1, 2)
    back = cluster.act("Rollback")
    cluster.step()
    assert cluster.candidate() == 1
    cluster.act("Quarantine", 1)
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (2, None)
    left = "no good version that served before version 2 is left to roll back to (version 1 is in quarantine)"
    message = f"{left}; train or pin another one"
    assert f"version 2 was rolled back, and {message}" in cluster.message("Progressing")
    assert cluster.record(back) == ("Pending", message)
    cluster.add(3, against=None)
    cluster.settle()
    assert cluster.record(back) == ("Succeeded", "version 3 serves")
