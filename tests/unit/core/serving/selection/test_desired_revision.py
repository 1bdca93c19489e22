"""Which version is wished for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.selection import desired_revision

from tests.unit.core.serving.serving_cluster import World, serving
from tests.unit.core.serving.serving_cluster_objects import digest


def test_the_newest_verified_version_serves() -> None:
    world = World()
    for number in (1, 2, 3):
        world.add(number)
    world.settle()
    assert world.live() == 3


@pytest.mark.parametrize("phase", ["Rejected", None])
def test_a_version_without_a_good_verdict_is_not_rolled_out(phase: str | None) -> None:
    world = serving(1)
    world.add(2, phase)
    world.settle()
    assert (world.live(), world.candidate()) == (1, None)


def test_a_duplicate_is_not_rolled_out() -> None:
    world = serving(1)
    world.add(2, duplicateOf="flights-v1", artifact={"uri": "s3://models/1/", "digest": digest(1)})
    world.settle()
    assert (world.live(), world.candidate(), len(world.workloads)) == (1, None, 1)


def test_what_a_threshold_edit_rejects_serves_until_a_newer_version_is_verified() -> None:
    world = serving(1, 2)
    world.judge(2, "Rejected")
    world.settle()
    assert world.live() == 2
    assert world.condition("Ready") == ("True", "Serving")
    assert world.condition("Serving") == ("True", "RejectedVersionServing")
    world.add(3)
    world.settle()
    assert world.live() == 3
    assert world.condition("Serving") == ("True", "Serving")


def test_a_candidate_that_is_rejected_before_it_serves_is_dropped() -> None:
    world = serving(1)
    world.add(2)
    world.step()
    assert world.candidate() == 2
    world.judge(2, "Rejected")
    world.settle()
    assert (world.live(), world.candidate()) == (1, None)
    assert world.replicas() == {1: 2}
    assert world.seen("RolloutCancelled")


def test_a_newer_version_replaces_a_candidate_that_does_not_come_up() -> None:
    world = serving(1)
    world.add(2)
    world.step()
    assert world.status.candidate is not None
    world.broken.add(world.status.candidate.revision)
    world.settle()
    assert (world.live(), world.candidate()) == (1, 2)
    world.add(3)
    world.settle()
    assert (world.live(), world.candidate()) == (3, None)
    assert world.replicas() == {1: 0, 3: 2}


@pytest.mark.parametrize("pin", [{"version": 1}, {"digest": digest(1)}])
def test_a_pin_in_the_spec_beats_newer_versions_until_it_is_removed(pin: dict[str, object]) -> None:
    world = serving(1, 2)
    world.edit(pin=pin)
    world.settle()
    assert world.live() == 1
    world.add(3)
    world.settle()
    assert world.live() == 1
    world.edit(pin=None)
    world.settle()
    assert world.live() == 3


def test_without_its_pin_a_deployment_returns_to_the_version_that_served_before() -> None:
    world = serving(1, 2, 3)
    world.edit(pin={"version": 1})
    world.settle()
    world.edit(pin={"version": 2})
    world.settle()
    world.edit(pin=None)
    world.settle()
    assert world.live() == 3


def test_without_its_pin_a_deployment_does_not_return_to_what_was_rejected_meanwhile() -> None:
    world = serving(1, 2)
    world.edit(pin={"version": 1})
    world.settle()
    world.judge(2, "Rejected")
    world.edit(pin=None)
    world.settle()
    assert world.live() == 1


def test_a_pin_to_a_duplicate_serves_the_version_that_it_duplicates() -> None:
    world = serving(1, 2)
    world.add(3, duplicateOf="flights-v1", artifact={"uri": "s3://models/1/", "digest": digest(1)})
    world.edit(pin={"version": 3})
    world.settle()
    assert world.live() == 1
    assert world.condition("Ready") == ("True", "Serving")


def test_a_pin_to_an_unknown_version_is_stalled_while_the_old_one_serves_and_heals_when_it_appears() -> None:
    world = serving(1)
    world.edit(pin={"version": 2})
    world.settle()
    assert world.condition("Stalled") == ("True", "VersionNotFound")
    assert world.condition("Ready") == ("False", "VersionNotFound")
    assert world.condition("Serving") == ("True", "Serving")
    assert world.live() == 1
    world.add(2)
    world.settle()
    assert world.live() == 2
    assert world.condition("Stalled") is None
    assert world.condition("Ready") == ("True", "Serving")


def test_a_pin_to_an_unknown_digest_names_it() -> None:
    world = serving(1, pin={"digest": digest(9)})
    assert world.condition("Stalled") == ("True", "VersionNotFound")
    assert digest(9) in world.message("Stalled")


def test_a_pin_to_a_rejected_version_is_stalled() -> None:
    world = serving(1)
    world.add(2, "Rejected")
    world.edit(pin={"version": 2})
    world.settle()
    assert world.condition("Stalled") == ("True", "VersionNotVerified")
    assert world.live() == 1


def test_a_pinned_version_that_serves_goes_on_when_a_threshold_edit_rejects_it() -> None:
    world = serving(1, pin={"version": 1})
    world.judge(1, "Rejected")
    world.settle()
    assert world.live() == 1
    assert world.condition("Ready") == ("True", "Serving")


def test_a_pin_to_a_quarantined_version_is_stalled_and_never_served() -> None:
    world = serving(1, 2)
    world.act("Rollback")
    world.settle()
    world.edit(pin={"version": 2})
    world.settle()
    assert world.condition("Stalled") == ("True", "RevisionQuarantined")
    assert world.live() == 1
    assert world.moves == [world.moves[0], world.moves[1], world.moves[0]]


def test_a_lost_status_does_not_bring_back_what_the_version_says_was_rolled_back() -> None:
    world = World()
    world.add(1)
    world.add(2)
    quarantine = {
        "reason": "worse",
        "by": "alice",
        "at": "2026-01-01T00:00:00Z",
        "deployment": "flights",
        "revision": "x",
    }
    world.versions[2]["status"]["quarantine"] = quarantine
    world.settle()
    assert world.live() == 1


def test_a_version_that_another_deployment_rolled_back_may_serve_here() -> None:
    world = World()
    world.add(1)
    quarantine = {
        "reason": "worse",
        "by": "alice",
        "at": "2026-01-01T00:00:00Z",
        "deployment": "elsewhere",
        "revision": "x",
    }
    world.versions[1]["status"]["quarantine"] = quarantine
    world.settle()
    assert world.live() == 1


def test_a_version_whose_store_is_missing_waits_while_the_old_one_serves_and_heals_when_it_appears() -> None:
    world = serving(1)
    world.add(2, storeRef={"name": "other"})
    world.settle()
    assert (world.live(), world.candidate()) == (1, None)
    assert world.condition("Progressing") == ("False", "StoreNotUsable")
    assert "there is no ArtifactStore other" in world.message("Progressing")
    assert world.condition("Ready") == ("True", "Serving")
    world.stores.append({**world.stores[0], "metadata": {"name": "other", "uid": "store-other"}})
    world.settle()
    assert world.live() == 2
    assert world.condition("Progressing") is None


def test_a_first_version_whose_store_is_missing_is_stalled_and_heals() -> None:
    world = World()
    world.stores, stores = [], world.stores
    world.add(1)
    world.settle()
    assert world.condition("Stalled") == ("True", "StoreNotUsable")
    world.stores = stores
    world.settle()
    assert world.condition("Ready") == ("True", "Serving")


def test_what_serves_is_left_alone_when_its_store_goes_away() -> None:
    world = serving(1)
    world.stores = []
    world.settle()
    assert world.live() == 1
    assert world.replicas() == {1: 2}
    assert world.condition("Ready") == ("True", "Serving")
    assert world.condition("Progressing") is None


def test_a_deployment_whose_pods_cannot_be_made_again_alike_is_rendered_anew() -> None:
    world = serving(1)
    world.platform = replace(world.platform, server_image="steadfit/server:2")
    world.workloads.clear()
    world.settle()
    assert world.live() == 1
    assert world.replicas() == {1: 2}
    assert world.condition("Ready") == ("True", "Serving")


def test_a_deployment_of_the_live_revision_that_was_deleted_is_made_again() -> None:
    world = serving(1)
    before = set(world.workloads)
    world.workloads.clear()
    world.settle()
    assert set(world.workloads) == before
    assert world.condition("Ready") == ("True", "Serving")


def test_what_serves_goes_on_when_its_version_object_is_deleted() -> None:
    world = serving(1)
    del world.versions[1]
    world.settle()
    assert world.live() == 1
    assert world.replicas() == {1: 2}
    assert world.condition("Ready") == ("True", "Serving")


def test_without_its_pin_a_deployment_returns_to_what_a_rollback_restored() -> None:
    world = serving(1, 2, 3)
    world.act("Rollback")
    world.settle()
    world.act("Pin", 1)
    world.settle()
    assert world.live() == 1
    world.act("Unpin")
    world.settle()
    assert world.live() == 2


def test_a_duplicate_is_not_rolled_out_with_a_change_of_the_server_either() -> None:
    world = serving(1)
    world.add(2, duplicateOf="flights-v1", artifact={"uri": "s3://models/1/", "digest": digest(1)})
    world.platform = replace(world.platform, server_image="steadfit/server:2")
    world.settle()
    assert world.live() == 1


def test_a_version_that_is_being_deleted_is_not_rolled_out() -> None:
    world = serving(1)
    world.add(2)
    world.versions[2]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    world.settle()
    assert (world.live(), world.candidate()) == (1, None)


def test_a_version_that_was_made_again_with_another_artifact_is_another_revision() -> None:
    world = serving(1)
    world.add(1, artifact={"uri": "s3://models/9/", "digest": digest(9)})
    world.settle()
    assert world.status.live is not None
    assert world.status.live.digest == digest(9)
    assert world.selected() == world.status.live.revision


def test_a_pin_to_the_last_good_version_takes_up_its_frozen_deployment() -> None:
    world = serving(1)
    world.platform = replace(world.platform, server_image="steadfit/server:2")
    world.add(2)
    world.settle()
    world.edit(pin={"version": 1})
    world.settle()
    assert world.selected() == world.moves[0]


def test_a_pin_together_with_a_change_of_the_server_is_rendered_anew() -> None:
    world = serving(1, 2)
    world.edit(pin={"version": 1}, server={"replicas": 2, "image": "mine:2"})
    world.settle()
    assert world.live() == 1
    assert world.selected() not in world.moves[:2]


# Promotion is compare-and-swap.


def test_a_version_that_was_compared_with_another_one_than_what_serves_is_not_rolled_out() -> None:
    world = serving(1, 2)
    world.add(3, against=digest(1))
    world.settle()
    assert (world.live(), world.candidate()) == (2, None)
    assert world.condition("Progressing") == ("False", "ChampionChanged")
    assert world.condition("Ready") == ("True", "Serving")


def test_a_version_that_was_compared_with_nothing_is_not_rolled_out_over_one_that_serves() -> None:
    world = serving(1)
    world.add(2, against=None)
    world.settle()
    assert world.live() == 1
    assert "it was not compared with any version, and flights-v1 serves here" in world.message("Progressing")


def test_an_older_version_that_was_compared_with_what_serves_comes_before_a_newer_one_that_was_not() -> None:
    world = serving(1)
    world.add(2)
    world.add(3, against=digest(2))
    world.step()
    assert world.candidate() == 2
    world.settle()
    assert world.live() == 3, "and then the newer one, which was compared with it"


def test_a_deployment_that_is_made_after_several_versions_comes_up_on_the_newest_verified_one() -> None:
    world = World()
    world.add(1, against=None)
    world.add(2, against=digest(1))
    world.add(3, against=digest(2))
    world.add(4, "Held", against=digest(3))
    world.add(5, "Rejected", against=digest(3))
    world.settle()
    assert world.live() == 3
    assert world.condition("Progressing") is None


def test_a_new_deployment_does_not_come_up_on_a_version_that_only_beat_one_that_was_rolled_back_here() -> None:
    world = World()
    world.add(1)
    world.add(2, against=digest(1))
    world.add(3, against=digest(2))
    world.versions[2]["status"]["quarantine"] = {
        "reason": "worse", "by": "ada", "at": "2026-01-01T00:00:00Z", "deployment": "flights", "revision": "x",
    }  # fmt: skip
    world.settle()
    assert world.live() == 1


def test_a_version_that_has_taken_the_place_of_its_champion_stays() -> None:
    world = serving(1, 2)
    assert world.live() == 2
    world.settle()
    assert len(world.moves) == 2


def test_a_held_version_serves_when_it_is_pinned_and_never_by_itself() -> None:
    world = serving(1)
    world.add(2, "Held")
    world.settle()
    assert (world.live(), world.condition("Progressing")) == (1, None)
    world.act("Pin", 2)
    world.settle()
    assert world.live() == 2
    world.act("Unpin")
    world.settle()
    assert world.live() == 1


def test_a_first_version_that_is_held_serves_by_a_pin_and_goes_on_without_it() -> None:
    world = World()
    world.add(1, "Held")
    world.settle()
    assert world.live() is None
    world.act("Pin", 1)
    world.settle()
    world.act("Unpin")
    world.settle()
    assert world.live() == 1
    world.add(2)
    world.settle()
    assert world.live() == 2


def test_what_was_trained_under_a_pin_and_compared_with_the_pinned_version_follows_it() -> None:
    world = serving(1, 2)
    world.act("Pin", 1)
    world.settle()
    world.add(3)
    world.act("Unpin")
    world.settle()
    assert world.live() == 3


def test_what_was_compared_before_a_pin_follows_once_its_champion_is_back() -> None:
    world = serving(1, 2)
    world.act("Pin", 1)
    world.settle()
    world.add(3, against=digest(2))
    world.settle()
    assert world.live() == 1
    world.act("Unpin")
    world.settle()
    assert world.live() == 3
    assert [world.moves[index] for index in (0, 1)] == [world.moves[2], world.moves[3]]


def test_a_deployment_of_another_name_is_told_that_only_a_pin_helps() -> None:
    world = serving(1)
    world.add(2, against=digest(9))
    raw = {**world.deployment, "metadata": {**world.deployment["metadata"], "name": "elsewhere"}}
    raw["spec"] = {**raw["spec"], "trainingJobRef": {"name": "flights"}}
    observed = replace(world.observe(), deployment=ModelDeployment.model_validate(raw))
    problem = desired_revision.choose(world.status, Fleet(observed), world.now).problem
    assert problem is not None
    assert problem.message.endswith("flights-v1 serves here; a Pin of version 2 serves it without a comparison")
