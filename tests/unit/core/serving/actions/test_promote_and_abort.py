"""Promote and Abort: a person's word about a candidate, or about a version, instead of a verdict."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.core.serving.serving_cluster import World, serving

from .action_clusters import carried_out, outcome, revision_of_version, with_candidate

COLD = {"replicas": 2, "drains": False}
"""A server whose last good revision has no pods, so that going back to it takes some passes."""


@pytest.mark.parametrize("phase", ["Starting", "Analysing", "Paused"])
@pytest.mark.parametrize("number", [None, 2], ids=["the candidate", "its number"])
def test_promote_lets_the_candidate_of_a_canary_through(phase: str, number: int | None) -> None:
    world = with_candidate(phase)
    world.deployment["status"]["candidate"]["revision"] = revision_of_version(world, 2)
    world.act("Promote", number)
    after = carried_out(world)
    assert after.candidate is not None
    assert (after.candidate.phase, after.candidate.promoted_by) == ("Promoting", "alice (action-1)")
    assert outcome(after) == (
        "Succeeded",
        "version 2 is promoted without a verdict; it takes all traffic once its pods are ready",
    )


@pytest.mark.parametrize(
    ("world", "why"),
    [
        (lambda: serving(1), "there is no candidate to promote; name a version"),
        (lambda: with_candidate("Promoting"), "version 2 is promoted already"),
        (
            lambda: with_candidate(championRevision=None),
            "version 2 needs no verdict: it takes the traffic as soon as its pods are ready",
        ),
        (
            lambda: serving(1, 2, pin={"version": 1}),
            "a version is pinned here; Unpin it, or remove spec.pin, before you promote another",
        ),
    ],
    ids=["no candidate", "promoting", "blue-green", "pinned"],
)
def test_promote_of_nothing_is_refused(world: Callable[[], World], why: str) -> None:
    there = world()
    there.act("Promote")
    after = carried_out(there)
    assert outcome(after) == ("Rejected", why)
    assert after.candidate == there.status.candidate


@pytest.mark.parametrize("phase", ["Verified", "Held"])
def test_promote_of_a_version_rolls_it_out_at_once_and_it_stays(phase: str) -> None:
    """Version 3 was compared with version 2; it must not come back as soon as version 2 serves."""
    world = serving(1, 2, 3)
    world.judge(2, phase)
    promoted = world.act("Promote", 2)
    world.settle()
    assert world.live() == 2
    assert world.record(promoted)[0] == "Succeeded"
    assert world.status.override is None
    world.settle()
    assert (world.live(), world.candidate()) == (2, None)


def test_what_was_promoted_is_replaced_by_a_version_that_was_made_later() -> None:
    world = serving(1, 2, 3)
    world.act("Promote", 2)
    world.settle()
    world.add(4)
    world.settle()
    assert world.live() == 4
    assert world.status.promoted is None
    world.settle()
    assert world.live() == 4


def test_what_was_promoted_serves_again_after_a_pin() -> None:
    world = serving(1, 2, 3)
    world.act("Promote", 2)
    world.settle()
    world.act("Pin", 1)
    world.settle()
    assert world.live() == 1
    world.act("Unpin")
    world.settle()
    assert world.live() == 2


def test_a_rollback_ends_a_promotion() -> None:
    world = serving(1, 2, 3)
    world.act("Promote", 2)
    world.settle()
    world.act("Rollback")
    world.settle()
    assert world.live() == 3
    assert world.status.promoted is None


def test_a_version_that_was_given_up_may_be_promoted() -> None:
    world = with_candidate()
    world.deployment["status"]["candidate"]["revision"] = revision_of_version(world, 2)
    world.act("Abort")
    world.settle()
    assert (world.live(), world.candidate()) == (1, None)
    assert [entry.number for entry in world.status.abandoned] == [2]
    world.act("Promote", 2)
    world.settle()
    assert world.live() == 2
    assert world.status.abandoned == []


CANARY = {"canary": {"steps": [{"weight": 25}]}}
OTHER_PODS = {"replicas": 2, "env": [{"name": "A", "value": "1"}]}


@pytest.mark.parametrize("given_up", [False, True], ids=["tried", "given up"])
def test_promote_lets_other_pods_of_what_serves_through(given_up: bool) -> None:
    """A new server of the same version is a revision of its own, and is tried like any other."""
    world = serving(1, strategy=CANARY)
    assert world.status.live is not None
    before = world.status.live.revision
    world.edit(server=OTHER_PODS)
    world.settle()
    assert world.status.candidate is not None
    tried = world.status.candidate.revision
    if given_up:
        world.act("Abort")
        world.settle()
        assert world.candidate() is None
        assert world.status.live is not None
        assert world.status.live.revision == before
    promoted = world.act("Promote", 1)
    world.settle()
    assert world.record(promoted)[0] == "Succeeded"
    assert world.status.live is not None
    assert world.status.live.revision == tried
    world.settle()
    assert world.status.live.revision == tried


def rejected(world: World) -> None:
    world.add(2, "Rejected")


def rolled_back(world: World) -> None:
    world.add(2)
    world.settle()
    world.act("Rollback")
    world.settle()


@pytest.mark.parametrize(
    ("given", "number", "why"),
    [
        (lambda world: None, 7, "there is no version 7 of TrainingJob flights"),
        (lambda world: None, 1, "version 1 serves already"),
        (
            rejected,
            2,
            "version 2 was rejected by its gate; only verified and held versions can be pinned or promoted",
        ),
        (rolled_back, 2, "version 2 was rolled back and is in quarantine; Release it first, or choose another version"),
    ],
    ids=["unknown", "live", "rejected", "quarantined"],
)
def test_promote_of_a_version_that_may_not_serve_is_refused(
    given: Callable[[World], None], number: int, why: str
) -> None:
    world = serving(1)
    given(world)
    promoted = world.act("Promote", number)
    world.settle()
    assert world.record(promoted) == ("Rejected", why)
    assert world.live() == 1
    assert world.status.promoted is None


@pytest.mark.parametrize("phase", ["Starting", "Analysing", "Paused", "Promoting"])
def test_abort_gives_the_candidate_up_and_bars_it_not(phase: str) -> None:
    world = with_candidate(phase)
    world.act("Abort")
    after = carried_out(world)
    assert after.candidate is None
    assert after.quarantine == []
    (entry,) = after.abandoned
    assert (entry.revision, entry.number, entry.reason, entry.by) == (
        "c2c2c2c2c2",
        2,
        "it is worse",
        "alice (action-1)",
    )
    assert outcome(after) == ("Succeeded", "version 2 is abandoned; version 1 keeps serving")


def test_abort_ends_a_promotion_that_does_not_come_up() -> None:
    world = serving(1, 2)
    world.add(3, "Held")
    world.broken.add(revision_of_version(world, 3))
    world.act("Promote", 3)
    world.settle()
    assert (world.live(), world.candidate()) == (2, 3)
    world.act("Abort")
    world.settle()
    assert (world.live(), world.candidate(), world.status.promoted) == (2, None, None)


def test_abort_without_a_candidate_is_refused() -> None:
    world = serving(1)
    aborted = world.act("Abort")
    world.settle()
    assert world.record(aborted) == (
        "Rejected",
        "there is no candidate to abort",
    )


def test_the_way_out_of_a_rollback_cannot_be_aborted() -> None:
    world = serving(1, 2, server=COLD)
    world.act("Rollback")
    world.step()
    aborted = world.act("Abort")
    world.settle()
    assert world.record(aborted)[0] == "Rejected"
    assert "version 1 replaces version 2, which was rolled back" in world.record(aborted)[1]
    assert world.live() == 1


def test_a_pinned_candidate_is_unpinned_and_not_aborted() -> None:
    world = serving(1, 2, server=COLD)
    world.act("Pin", 1)
    world.step()
    aborted = world.act("Abort")
    world.settle()
    assert world.record(aborted) == (
        "Rejected",
        "version 1 comes up because of a pin; Unpin it, or remove spec.pin",
    )
