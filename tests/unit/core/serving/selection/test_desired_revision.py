"""Which version is wished for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.selection import not_rolled_out

from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_objects import digest


def test_the_newest_verified_version_serves() -> None:
    cluster = ServingCluster()
    for number in (1, 2, 3):
        cluster.add(number)
    cluster.settle()
    assert cluster.live() == 3


@pytest.mark.parametrize("phase", ["Rejected", None])
def test_a_version_without_a_good_verdict_is_not_rolled_out(phase: str | None) -> None:
    cluster = serving(1)
    cluster.add(2, phase)
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)


def test_a_duplicate_is_not_rolled_out() -> None:
    cluster = serving(1)
    cluster.add(2, duplicateOf="flights-v1", artifact={"uri": "s3://models/1/", "digest": digest(1)})
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), len(cluster.workloads)) == (1, None, 1)


def test_what_a_threshold_edit_rejects_serves_until_a_newer_version_is_verified() -> None:
    cluster = serving(1, 2)
    cluster.judge(2, "Rejected")
    cluster.settle()
    assert cluster.live() == 2
    assert cluster.condition("Ready") == ("True", "Serving")
    assert cluster.condition("Serving") == ("True", "RejectedVersionServing")
    cluster.add(3)
    cluster.settle()
    assert cluster.live() == 3
    assert cluster.condition("Serving") == ("True", "Serving")


def test_a_candidate_that_is_rejected_before_it_serves_is_dropped() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.step()
    assert cluster.candidate() == 2
    cluster.judge(2, "Rejected")
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)
    assert cluster.replicas() == {1: 2}
    assert cluster.seen("RolloutCancelled")


def test_a_newer_version_replaces_a_candidate_that_does_not_come_up() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.step()
    assert cluster.status.candidate is not None
    cluster.broken.add(cluster.status.candidate.revision)
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, 2)
    cluster.add(3)
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (3, None)
    assert cluster.replicas() == {1: 0, 3: 2}


@pytest.mark.parametrize("pin", [{"version": 1}, {"digest": digest(1)}])
def test_a_pin_in_the_spec_beats_newer_versions_until_it_is_removed(pin: dict[str, object]) -> None:
    cluster = serving(1, 2)
    cluster.edit(pin=pin)
    cluster.settle()
    assert cluster.live() == 1
    cluster.add(3)
    cluster.settle()
    assert cluster.live() == 1
    cluster.edit(pin=None)
    cluster.settle()
    assert cluster.live() == 3


def test_without_its_pin_a_deployment_returns_to_the_version_that_served_before() -> None:
    cluster = serving(1, 2, 3)
    cluster.edit(pin={"version": 1})
    cluster.settle()
    cluster.edit(pin={"version": 2})
    cluster.settle()
    cluster.edit(pin=None)
    cluster.settle()
    assert cluster.live() == 3


def test_without_its_pin_a_deployment_does_not_return_to_what_was_rejected_meanwhile() -> None:
    cluster = serving(1, 2)
    cluster.edit(pin={"version": 1})
    cluster.settle()
    cluster.judge(2, "Rejected")
    cluster.edit(pin=None)
    cluster.settle()
    assert cluster.live() == 1


def test_a_pin_to_a_duplicate_serves_it_and_one_to_a_duplicate_of_what_serves_rolls_nothing_out() -> None:
    cluster = serving(1, 2)
    cluster.add(3, "Held", duplicateOf="flights-v1", artifact={"uri": "s3://models/1/", "digest": digest(1)})
    cluster.edit(pin={"version": 3})
    cluster.settle()
    assert cluster.live() == 3
    assert cluster.condition("Ready") == ("True", "Serving")
    cluster.edit(pin={"version": 1})
    cluster.settle()
    assert cluster.live() == 3
    assert cluster.condition("Ready") == ("True", "Serving")


def test_a_pin_to_an_unknown_version_is_stalled_while_the_old_one_serves_and_heals_when_it_appears() -> None:
    cluster = serving(1)
    cluster.edit(pin={"version": 2})
    cluster.settle()
    assert cluster.condition("Stalled") == ("True", "VersionNotFound")
    assert cluster.condition("Ready") == ("False", "VersionNotFound")
    assert cluster.condition("Serving") == ("True", "Serving")
    assert cluster.live() == 1
    cluster.add(2)
    cluster.settle()
    assert cluster.live() == 2
    assert cluster.condition("Stalled") is None
    assert cluster.condition("Ready") == ("True", "Serving")


def test_a_pin_to_an_unknown_digest_names_it() -> None:
    cluster = serving(1, pin={"digest": digest(9)})
    assert cluster.condition("Stalled") == ("True", "VersionNotFound")
    assert digest(9) in cluster.message("Stalled")


def test_a_pin_to_a_rejected_version_is_stalled() -> None:
    cluster = serving(1)
    cluster.add(2, "Rejected")
    cluster.edit(pin={"version": 2})
    cluster.settle()
    assert cluster.condition("Stalled") == ("True", "VersionNotVerified")
    assert cluster.live() == 1


def test_a_pinned_version_that_serves_goes_on_when_a_threshold_edit_rejects_it() -> None:
    cluster = serving(1, pin={"version": 1})
    cluster.judge(1, "Rejected")
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.condition("Ready") == ("True", "Serving")


def test_a_pin_to_a_quarantined_version_is_stalled_and_never_served() -> None:
    cluster = serving(1, 2)
    cluster.act("Rollback")
    cluster.settle()
    cluster.edit(pin={"version": 2})
    cluster.settle()
    assert cluster.condition("Stalled") == ("True", "RevisionQuarantined")
    assert cluster.live() == 1
    assert cluster.moves == [cluster.moves[0], cluster.moves[1], cluster.moves[0]]


def test_a_lost_status_does_not_bring_back_what_the_version_says_was_rolled_back() -> None:
    cluster = ServingCluster()
    cluster.add(1)
    cluster.add(2)
    quarantine = {
        "reason": "worse",
        "by": "alice",
        "at": "2026-01-01T00:00:00Z",
        "deployment": "flights",
        "revision": "x",
    }
    cluster.versions[2]["status"]["quarantine"] = quarantine
    cluster.settle()
    assert cluster.live() == 1


def test_a_version_that_another_deployment_rolled_back_may_serve_here() -> None:
    cluster = ServingCluster()
    cluster.add(1)
    quarantine = {
        "reason": "worse",
        "by": "alice",
        "at": "2026-01-01T00:00:00Z",
        "deployment": "elsewhere",
        "revision": "x",
    }
    cluster.versions[1]["status"]["quarantine"] = quarantine
    cluster.settle()
    assert cluster.live() == 1


def test_a_version_whose_store_is_missing_waits_while_the_old_one_serves_and_heals_when_it_appears() -> None:
    cluster = serving(1)
    cluster.add(2, storeRef={"name": "other"})
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)
    assert cluster.condition("Progressing") == ("False", "StoreNotUsable")
    assert "there is no ArtifactStore other" in cluster.message("Progressing")
    assert cluster.condition("Ready") == ("True", "Serving")
    cluster.stores.append({**cluster.stores[0], "metadata": {"name": "other", "uid": "store-other"}})
    cluster.settle()
    assert cluster.live() == 2
    assert cluster.condition("Progressing") == ("True", "NewestLive")


def test_a_first_version_whose_store_is_missing_is_stalled_and_heals() -> None:
    cluster = ServingCluster()
    cluster.stores, stores = [], cluster.stores
    cluster.add(1)
    cluster.settle()
    assert cluster.condition("Stalled") == ("True", "StoreNotUsable")
    cluster.stores = stores
    cluster.settle()
    assert cluster.condition("Ready") == ("True", "Serving")


def test_what_serves_is_left_alone_when_its_store_goes_away() -> None:
    cluster = serving(1)
    cluster.stores = []
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.replicas() == {1: 2}
    assert cluster.condition("Ready") == ("True", "Serving")
    assert cluster.condition("Progressing") == ("True", "NewestLive")


def test_a_deployment_whose_pods_cannot_be_made_again_alike_is_rendered_anew() -> None:
    cluster = serving(1)
    cluster.platform = replace(cluster.platform, server_image="steadfit/server:2")
    cluster.workloads.clear()
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.replicas() == {1: 2}
    assert cluster.condition("Ready") == ("True", "Serving")


def test_a_deployment_of_the_live_revision_that_was_deleted_is_made_again() -> None:
    cluster = serving(1)
    before = set(cluster.workloads)
    cluster.workloads.clear()
    cluster.settle()
    assert set(cluster.workloads) == before
    assert cluster.condition("Ready") == ("True", "Serving")


def test_what_serves_goes_on_when_its_version_object_is_deleted() -> None:
    cluster = serving(1)
    del cluster.versions[1]
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.replicas() == {1: 2}
    assert cluster.condition("Ready") == ("True", "Serving")


def test_without_its_pin_a_deployment_returns_to_what_a_rollback_restored() -> None:
    cluster = serving(1, 2, 3)
    cluster.act("Rollback")
    cluster.settle()
    cluster.act("Pin", 1)
    cluster.settle()
    assert cluster.live() == 1
    cluster.act("Unpin")
    cluster.settle()
    assert cluster.live() == 2


def test_a_duplicate_is_not_rolled_out_with_a_change_of_the_server_either() -> None:
    cluster = serving(1)
    cluster.add(2, duplicateOf="flights-v1", artifact={"uri": "s3://models/1/", "digest": digest(1)})
    cluster.platform = replace(cluster.platform, server_image="steadfit/server:2")
    cluster.settle()
    assert cluster.live() == 1


def test_a_version_that_is_being_deleted_is_not_rolled_out() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.versions[2]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)


def test_a_pin_to_the_last_good_version_takes_up_its_frozen_deployment() -> None:
    cluster = serving(1)
    cluster.platform = replace(cluster.platform, server_image="steadfit/server:2")
    cluster.add(2)
    cluster.settle()
    cluster.edit(pin={"version": 1})
    cluster.settle()
    assert cluster.selected() == cluster.moves[0]


def test_a_pin_together_with_a_change_of_the_server_is_rendered_anew() -> None:
    cluster = serving(1, 2)
    cluster.edit(pin={"version": 1}, server={"replicas": 2, "image": "mine:2"})
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.selected() not in cluster.moves[:2]


# Promotion is compare-and-swap.


def test_a_version_that_was_compared_with_another_one_than_what_serves_is_not_rolled_out() -> None:
    cluster = serving(1, 2)
    cluster.add(3, against=digest(1))
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (2, None)
    assert cluster.condition("Progressing") == ("False", "ChampionChanged")
    assert cluster.condition("Ready") == ("True", "Serving")


def test_a_version_that_was_compared_with_nothing_is_not_rolled_out_over_one_that_serves() -> None:
    cluster = serving(1)
    cluster.add(2, against=None)
    cluster.settle()
    assert cluster.live() == 1
    assert "it was not compared with any version, and flights-v1 serves here" in cluster.message("Progressing")


def test_an_older_version_that_was_compared_with_what_serves_comes_before_a_newer_one_that_was_not() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.add(3, against=digest(2))
    cluster.step()
    assert cluster.candidate() == 2
    cluster.settle()
    assert cluster.live() == 3, "and then the newer one, which was compared with it"


def test_a_deployment_that_is_made_after_several_versions_comes_up_on_the_newest_verified_one() -> None:
    cluster = ServingCluster()
    cluster.add(1, against=None)
    cluster.add(2, against=digest(1))
    cluster.add(3, against=digest(2))
    cluster.add(4, "Held", against=digest(3))
    cluster.add(5, "Rejected", against=digest(3))
    cluster.settle()
    assert cluster.live() == 3
    assert cluster.condition("Progressing") == ("False", "Rejected"), "the newest one, which hides the one before it"


def test_a_new_deployment_does_not_come_up_on_a_version_that_only_beat_one_that_was_rolled_back_here() -> None:
    cluster = ServingCluster()
    cluster.add(1)
    cluster.add(2, against=digest(1))
    cluster.add(3, against=digest(2))
    cluster.versions[2]["status"]["quarantine"] = {
        "reason": "worse", "by": "ada", "at": "2026-01-01T00:00:00Z", "deployment": "flights", "revision": "x",
    }  # fmt: skip
    cluster.settle()
    assert cluster.live() == 1


def test_a_version_that_has_taken_the_place_of_its_champion_stays() -> None:
    cluster = serving(1, 2)
    assert cluster.live() == 2
    cluster.settle()
    assert len(cluster.moves) == 2


def test_a_held_version_serves_when_it_is_pinned_and_never_by_itself() -> None:
    cluster = serving(1)
    cluster.add(2, "Held")
    cluster.settle()
    assert (cluster.live(), cluster.condition("Progressing")) == (1, ("False", "Held"))
    assert cluster.message("Progressing") == "version 2 is held; a Promote of version 2 serves it"
    cluster.act("Pin", 2)
    cluster.settle()
    assert cluster.live() == 2
    cluster.act("Unpin")
    cluster.settle()
    assert cluster.live() == 1


def test_a_first_version_that_is_held_serves_by_a_pin_and_goes_on_without_it() -> None:
    cluster = ServingCluster()
    cluster.add(1, "Held")
    cluster.settle()
    assert cluster.live() is None
    cluster.act("Pin", 1)
    cluster.settle()
    cluster.act("Unpin")
    cluster.settle()
    assert cluster.live() == 1
    cluster.add(2)
    cluster.settle()
    assert cluster.live() == 2


def test_what_was_trained_under_a_pin_and_compared_with_the_pinned_version_follows_it() -> None:
    cluster = serving(1, 2)
    cluster.act("Pin", 1)
    cluster.settle()
    cluster.add(3)
    cluster.act("Unpin")
    cluster.settle()
    assert cluster.live() == 3


def test_what_was_compared_before_a_pin_follows_once_its_champion_is_back() -> None:
    cluster = serving(1, 2)
    cluster.act("Pin", 1)
    cluster.settle()
    cluster.add(3, against=digest(2))
    cluster.settle()
    assert cluster.live() == 1
    cluster.act("Unpin")
    cluster.settle()
    assert cluster.live() == 3
    assert [cluster.moves[index] for index in (0, 1)] == [cluster.moves[2], cluster.moves[3]]


def test_a_deployment_of_another_name_is_told_that_only_a_promote_helps() -> None:
    cluster = serving(1)
    cluster.add(2, against=digest(9))
    raw = {**cluster.deployment, "metadata": {**cluster.deployment["metadata"], "name": "elsewhere"}}
    raw["spec"] = {**raw["spec"], "trainingJobRef": {"name": "flights"}}
    observed = replace(cluster.observe(), deployment=ModelDeployment.model_validate(raw))
    problem = not_rolled_out.problem(cluster.status, Fleet(observed))
    assert problem is not None
    assert problem.message.endswith("flights-v1 serves here; a Promote of version 2 serves it without a comparison")
