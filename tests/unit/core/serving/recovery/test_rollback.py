"""Rollback: the bad revision is in quarantine and a good one takes its place."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from steadfit.core.serving.status_bounds import MAX_QUARANTINE

from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_objects import digest, store


def test_rollback_restores_the_last_good_revision_and_bars_the_bad_one() -> None:
    cluster = serving(1, 2)
    good, bad = cluster.moves
    action = cluster.act("Rollback")
    cluster.settle()
    assert cluster.selected() == good
    assert cluster.live() == 1
    assert [(entry.revision, entry.number, entry.reason) for entry in cluster.status.quarantine] == [
        (bad, 2, "it is worse")
    ]
    assert cluster.status.quarantine[0].by == "alice (action-1)"
    assert cluster.record(action) == ("Succeeded", "version 1 serves")


def test_quarantine_and_the_way_out_of_it_are_one_write() -> None:
    cluster = serving(1, 2)
    cluster.act("Rollback")
    cluster.step()
    assert [entry.number for entry in cluster.status.quarantine] == [2]
    assert cluster.candidate() == 1
    assert cluster.record("action-1")[0] == "Pending"
    assert cluster.record("action-1")[1] == "rolling back to version 1"


def test_the_bad_revision_answers_until_the_good_one_can() -> None:
    cluster = serving(1, 2)
    good, bad = cluster.moves
    cluster.broken.add(good)
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.selected() == bad
    assert cluster.replicas() == {1: 2, 2: 2}
    assert cluster.condition("Ready") == ("False", "RollingBack")
    assert cluster.condition("Reconciling") == ("True", "RollingBack")
    cluster.broken.clear()
    cluster.settle()
    assert cluster.selected() == good
    assert cluster.replicas() == {1: 2}
    assert cluster.condition("Ready") == ("True", "Serving")


def test_a_rollback_takes_up_the_frozen_deployment_though_the_spec_asks_for_other_pods_by_now() -> None:
    cluster = serving(1)
    good = cluster.selected()
    cluster.edit(server={"replicas": 2, "image": "mine:2"})
    cluster.add(2)
    cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.selected() == good
    assert cluster.condition("Ready") == ("True", "Serving")
    assert cluster.condition("UpToDate") == ("False", "OlderPodTemplate")
    assert cluster.condition("Progressing") == ("False", "Quarantined"), "version 2 with its pod template"
    cluster.edit(server={"replicas": 2, "image": "mine:3"})
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.selected() != good
    assert cluster.condition("UpToDate") == ("True", "UpToDate")


def test_a_rollback_of_a_change_of_the_server_bars_the_revision_but_not_the_model() -> None:
    cluster = serving(1)
    good = cluster.selected()
    cluster.edit(server={"replicas": 2, "image": "mine:bad"})
    cluster.settle()
    bad = cluster.selected()
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.selected() == good
    assert [(entry.revision, entry.digest) for entry in cluster.status.quarantine] == [(bad, None)]
    cluster.edit(server={"replicas": 2, "image": "mine:good"})
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.selected() not in (good, bad)


def test_a_rolled_back_server_is_not_rendered_again_when_the_spec_returns_to_it() -> None:
    cluster = serving(1)
    good = cluster.selected()
    original = cluster.deployment["spec"]["server"]
    cluster.edit(server={"replicas": 2, "image": "mine:bad"})
    cluster.settle()
    bad = cluster.selected()
    cluster.act("Rollback")
    cluster.settle()
    cluster.edit(server=original)
    cluster.settle()
    assert cluster.condition("Progressing") == ("True", "NewestLive")
    cluster.edit(server={"replicas": 2, "image": "mine:bad"})
    cluster.settle()
    assert cluster.selected() == good
    assert cluster.moves.count(bad or "") == 1
    assert cluster.condition("Progressing") == ("False", "Quarantined")
    assert cluster.message("Progressing").startswith(f"the pod template of version 1 (revision {bad}), not its model, ")


def test_the_digest_is_quarantined_too_when_only_the_model_had_changed() -> None:
    cluster = serving(1, 2)
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.status.quarantine[0].digest == cluster.versions[2]["spec"]["artifact"]["digest"]
    cluster.edit(server={"replicas": 2, "image": "mine:2"}, pin={"version": 2})
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.condition("Stalled") == ("True", "RevisionQuarantined")


def test_after_a_rollback_only_a_newer_version_is_rolled_out() -> None:
    cluster = serving(1, 2, 3)
    cluster.act("Rollback", 1)
    cluster.settle()
    assert cluster.live() == 1
    cluster.add(4)
    cluster.settle()
    assert cluster.live() == 4


def test_a_named_version_is_rendered_and_rolled_out_in_place_of_the_bad_one() -> None:
    cluster = serving(1, 2, 3)
    action = cluster.act("Rollback", 1)
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.record(action) == ("Succeeded", "version 1 serves")
    assert [entry.number for entry in cluster.status.quarantine] == [3]


def test_a_rollback_with_nothing_to_go_back_to_needs_a_named_version() -> None:
    cluster = serving(1, 2)
    cluster.add(3, "Held", against=digest(1))
    cluster.act("Rollback")
    cluster.settle()
    cluster.now += timedelta(minutes=1)
    second = cluster.act("Rollback")
    cluster.settle()
    assert cluster.record(second)[0] == "Rejected"
    assert "a Rollback to version 3, by its number" in cluster.record(second)[1]
    third = cluster.act("Rollback", 3)
    cluster.settle()
    assert cluster.record(third)[0] == "Succeeded"
    assert cluster.live() == 3


def test_a_second_rollback_while_one_is_under_way_succeeds_with_the_first() -> None:
    cluster = serving(1, 2)
    cluster.broken.add(cluster.moves[0])
    first = cluster.act("Rollback")
    cluster.settle()
    second = cluster.act("Rollback")
    cluster.settle()
    assert cluster.record(second) == cluster.record(first) == ("Pending", "rolling back to version 1")
    cluster.broken.clear()
    cluster.settle()
    assert cluster.record(second) == cluster.record(first) == ("Succeeded", "version 1 serves")
    assert [entry.number for entry in cluster.status.quarantine] == [2]


def test_a_rollback_under_way_can_be_sent_to_another_version() -> None:
    cluster = serving(1, 2, 3)
    cluster.broken.add(cluster.moves[1])
    first = cluster.act("Rollback")
    cluster.settle()
    second = cluster.act("Rollback", 1)
    cluster.settle()
    assert cluster.live() == 1
    assert (cluster.record(first)[0], cluster.record(second)[0]) == ("Succeeded", "Succeeded")
    assert [entry.number for entry in cluster.status.quarantine] == [3]


def test_a_newer_version_does_not_delay_a_rollback_and_comes_after_it() -> None:
    cluster = serving(1, 2)
    cluster.broken.add(cluster.moves[0])
    cluster.act("Rollback")
    cluster.settle()
    cluster.add(3, against=digest(1))
    cluster.settle()
    assert cluster.candidate() == 1
    cluster.broken.clear()
    cluster.settle()
    assert cluster.moves[2] == cluster.moves[0]
    assert cluster.live() == 3


def test_a_candidate_in_flight_is_dropped_by_a_rollback_and_not_quarantined() -> None:
    cluster = serving(1, 2)
    cluster.add(3)
    cluster.step()
    assert cluster.candidate() == 3
    cluster.act("Rollback")
    cluster.step()
    assert cluster.candidate() == 1
    cluster.settle()
    assert [entry.number for entry in cluster.status.quarantine] == [2]
    assert all(entry.number != 3 for entry in cluster.status.quarantine)


def test_what_was_compared_with_the_version_that_was_rolled_back_does_not_follow_it() -> None:
    cluster = serving(1, 2)
    cluster.add(3)
    cluster.act("Rollback")
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)
    assert cluster.condition("Progressing") == ("False", "ChampionChanged")
    assert cluster.message("Progressing") == (
        "version 3 is not rolled out: it was compared with flights-v2, and flights-v1 serves here;"
        " a Retrain compares again, a Promote of version 3 serves it without a comparison"
    )
    cluster.add(4)
    cluster.settle()
    assert cluster.live() == 4
    assert cluster.condition("Progressing") == ("True", "NewestLive")


def test_a_rollback_whose_pod_template_was_deleted_renders_the_good_version_anew() -> None:
    cluster = serving(1, 2)
    cluster.platform = replace(cluster.platform, server_image="steadfit/server:2")
    del cluster.workloads[f"flights-{cluster.moves[0]}"]
    del cluster.frozen_templates[f"flights-{cluster.moves[0]}"]
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.moves[-1] not in cluster.moves[:2]


TRAIN = "train another version; spec.server.replicas 0 stops serving meanwhile"


@pytest.mark.parametrize(
    ("numbers", "version", "sentence"),
    [
        ((), None, "no version serves yet, so there is nothing to roll back"),
        ((1,), None, "no good version that served before version 1 is left to roll back to; " + TRAIN),
        ((1, 2), 2, "version 2 serves already; name another version"),
        ((1, 2), 9, "there is no version 9 of TrainingJob flights"),
    ],
)
def test_a_rollback_to_nowhere_is_refused_in_a_sentence(
    numbers: tuple[int, ...], version: int | None, sentence: str
) -> None:
    cluster = serving(*numbers)
    action = cluster.act("Rollback", version)
    cluster.settle()
    assert cluster.record(action) == ("Rejected", sentence)
    assert cluster.status.quarantine == []


@pytest.mark.parametrize("verb", ["Rollback", "Quarantine"])
def test_where_nothing_served_before_the_refusal_names_a_version_that_a_rollback_may_name(verb: str) -> None:
    cluster = serving(1)
    cluster.add(2, "Held")
    cluster.settle()
    action = cluster.act(verb, 1 if verb == "Quarantine" else None)
    cluster.settle()
    phase, message = cluster.record(action)
    assert phase == "Rejected"
    assert message.endswith(
        "; a Rollback to version 2, by its number, replaces it; spec.server.replicas 0 stops serving meanwhile"
    )
    cluster.act("Rollback", 2)
    cluster.settle()
    assert cluster.live() == 2


def test_a_rollback_without_replicas_does_not_say_that_the_version_serves() -> None:
    cluster = serving(1, 2)
    cluster.edit(server={"replicas": 0})
    cluster.settle()
    action = cluster.act("Rollback")
    cluster.settle()
    assert cluster.live() == 1
    message = "version 1 is live, without pods, as spec.server.replicas is 0"
    assert cluster.record(action) == ("Succeeded", message)


def test_a_rollback_to_a_rejected_version_is_refused() -> None:
    cluster = ServingCluster()
    cluster.add(1, "Rejected")
    cluster.add(2)
    cluster.settle()
    action = cluster.act("Rollback", 1)
    cluster.settle()
    assert cluster.record(action)[0] == "Rejected"
    assert "was rejected by its gate" in cluster.record(action)[1]


def test_a_rollback_of_what_the_spec_pins_serves_the_good_one_and_says_that_the_pin_is_in_quarantine() -> None:
    cluster = serving(1, 2)
    cluster.edit(pin={"version": 2})
    cluster.settle()
    action = cluster.act("Rollback")
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.record(action)[0] == "Succeeded"
    assert cluster.condition("Stalled") == ("True", "RevisionQuarantined")


def test_a_rollback_lifts_the_pin_of_an_action() -> None:
    cluster = serving(1, 2)
    cluster.act("Pin", 1)
    cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.status.override is None
    assert cluster.live() == 2


@pytest.mark.parametrize("writes", range(12))
def test_a_crash_after_any_write_of_a_rollback_loses_nothing(writes: int) -> None:
    cluster = serving(1, 2)
    action = cluster.act("Rollback")
    for _ in range(writes):
        cluster.step(crash_after=1)
        cluster.kubelet()
    cluster.step(crash_after=0)
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.record(action)[0] == "Succeeded"
    assert cluster.moves == [cluster.moves[0], cluster.moves[1], cluster.moves[0]]
    assert cluster.replicas() == {1: 2}


def test_the_newest_quarantine_entries_are_kept() -> None:
    cluster = serving(1, 2)
    entry = {"version": "old", "number": 0, "reason": "worse", "by": "bob", "at": "2026-01-01T00:00:00Z"}
    cluster.deployment["status"]["quarantine"] = [{**entry, "revision": f"r{index}"} for index in range(MAX_QUARANTINE)]
    cluster.act("Rollback")
    cluster.settle()
    kept = [item.revision for item in cluster.status.quarantine]
    assert len(kept) == MAX_QUARANTINE
    assert kept[0] == "r1"
    assert kept[-1] == cluster.moves[1]


def test_a_rollback_under_way_is_not_rendered_anew_when_the_spec_changes() -> None:
    cluster = serving(1, 2)
    good = cluster.moves[0]
    cluster.broken.add(good)
    cluster.act("Rollback")
    cluster.settle()
    cluster.platform = replace(cluster.platform, server_image="steadfit/server:2")
    cluster.settle()
    assert cluster.status.candidate is not None
    assert cluster.status.candidate.revision == good
    cluster.broken.clear()
    cluster.settle()
    assert cluster.moves[2] == good
    assert cluster.live() == 1


def test_an_older_revision_that_serves_is_rendered_anew_when_its_deployment_is_deleted() -> None:
    cluster = serving(1)
    cluster.platform = replace(cluster.platform, server_image="steadfit/server:2")
    cluster.add(2)
    cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    del cluster.workloads[f"flights-{cluster.selected()}"]
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.replicas() == {1: 2}
    assert cluster.condition("Ready") == ("True", "Serving")


def test_a_good_version_that_is_quarantined_before_it_serves_is_left_out() -> None:
    cluster = serving(1, 2)
    cluster.add(3, "Held", against=digest(1))
    cluster.broken.add(cluster.moves[0])
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.candidate() == 1
    cluster.versions[1]["status"]["quarantine"] = {
        "reason": "worse",
        "by": "bob",
        "at": "2026-01-01T00:00:00Z",
        "deployment": "flights",
        "revision": cluster.moves[0],
    }
    cluster.broken.clear()
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (2, None)
    assert cluster.condition("Stalled") == ("True", "NoRollbackTarget")
    cluster.act("Pin", 3)
    cluster.settle()
    assert cluster.live() == 3
    assert cluster.condition("Ready") == ("True", "Serving")


def test_a_rollback_has_not_succeeded_before_the_service_points_at_the_good_revision() -> None:
    cluster = serving(1, 2)
    action = cluster.act("Rollback")
    while cluster.live() == 2:
        cluster.step()
        cluster.kubelet()
    assert cluster.selected() == cluster.moves[1]
    assert cluster.record(action) == ("Pending", "the traffic is being moved")


def test_a_rollback_to_a_last_good_version_that_is_quarantined_elsewhere_in_its_status_is_refused() -> None:
    cluster = serving(1, 2)
    cluster.versions[1]["status"]["quarantine"] = {
        "reason": "worse",
        "by": "bob",
        "at": "2026-01-01T00:00:00Z",
        "deployment": "flights",
        "revision": cluster.moves[0],
    }
    action = cluster.act("Rollback")
    cluster.settle()
    assert cluster.record(action)[0] == "Rejected"
    assert cluster.live() == 2


def test_a_rollback_of_the_server_is_refused_when_the_older_pods_can_not_be_made_again() -> None:
    cluster = serving(1)
    cluster.edit(server={"replicas": 2, "image": "mine:bad"})
    cluster.settle()
    del cluster.workloads[f"flights-{cluster.moves[0]}"]
    del cluster.frozen_templates[f"flights-{cluster.moves[0]}"]
    action = cluster.act("Rollback")
    cluster.settle()
    assert cluster.record(action)[0] == "Rejected"
    assert cluster.status.quarantine == []


def test_a_rollback_of_the_server_makes_the_older_pods_again_that_were_deleted() -> None:
    cluster = serving(1)
    cluster.edit(server={"replicas": 2, "image": "mine:bad"})
    cluster.settle()
    good = cluster.moves[0]
    del cluster.workloads[f"flights-{good}"]
    action = cluster.act("Rollback")
    cluster.settle()
    assert cluster.record(action)[0] == "Succeeded"
    assert cluster.moves[-1] == good


def test_a_rollback_is_not_forgotten_while_the_store_of_the_good_version_is_away() -> None:
    cluster = serving(1)
    cluster.add(2, against=None)
    cluster.act("Rollback", 2)
    cluster.step()
    cluster.stores = []
    cluster.settle()
    assert cluster.candidate() == 2
    assert cluster.condition("Stalled") == ("True", "StoreNotUsable")
    cluster.stores = [store()]
    cluster.settle()
    assert cluster.live() == 2
    assert cluster.record("action-1")[0] == "Succeeded"
