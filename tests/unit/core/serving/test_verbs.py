"""Actions: each is carried out once, and what became of it is recorded with its effect."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core import verbs
from steadfit.core.problem import Problem
from steadfit.core.revision import render

from .world import World, serving
from .world_objects import digest


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
    assert world.record(unpin) == ("Succeeded", "the pin is lifted")
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
    assert "spec.pin is changed in the spec" in world.record(unpin)[1]


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


COLD = {"replicas": 2, "drains": False}
"""A server whose last good revision has no pods, so that going back to it takes some passes."""


# Promote


def trying(phase: str = "Analysing", **fields: object) -> World:
    """Return a world in which version 1 serves and version 2 is the candidate of a canary."""
    world = serving(1)
    world.add(2)
    live = world.status.live
    assert live is not None
    world.deployment["status"]["candidate"] = {
        "revision": "c2c2c2c2c2",
        "version": "flights-v2",
        "number": 2,
        "digest": digest(2),
        "templateDigest": live.template_digest,
        "since": "2026-01-01T00:00:00Z",
        "phase": phase,
        "against": live.revision,
        "step": 0,
        **fields,
    }
    return world


def carried_out(world: World) -> ModelDeploymentStatus:
    """Return the status after the verbs alone, whatever the rest of the plan makes of it."""
    return verbs.carry_out(world.status, world.fleet, world.now)


def outcome(status: ModelDeploymentStatus) -> tuple[str, str]:
    """Return phase and message of the newest record."""
    return status.actions[-1].phase, status.actions[-1].message


@pytest.mark.parametrize("phase", ["Starting", "Analysing", "Paused"])
@pytest.mark.parametrize("number", [None, 2], ids=["the candidate", "its number"])
def test_promote_lets_the_candidate_of_a_canary_through(phase: str, number: int | None) -> None:
    world = trying(phase)
    world.deployment["status"]["candidate"]["revision"] = revision_of_version(world, 2)
    world.act("Promote", number)
    after = carried_out(world)
    assert after.candidate is not None
    assert (after.candidate.phase, after.candidate.promoted_by) == ("Promoting", "alice (action-1)")
    assert outcome(after) == (
        "Succeeded",
        "version 2 is let through without a verdict; it takes all traffic once its pods are ready",
    )


def revision_of_version(world: World, number: int) -> str:
    """Return the revision that a version would be served as."""
    version = world.fleet.version_named(f"flights-v{number}")
    assert version is not None
    rendering = render(version, world.fleet)
    assert not isinstance(rendering, Problem)
    return rendering.revision


@pytest.mark.parametrize(
    ("world", "why"),
    [
        (lambda: serving(1), "no version is being tried, so there is nothing to promote; name a version"),
        (lambda: trying("Promoting"), "version 2 was let through already"),
        (
            lambda: trying(against=None),
            "version 2 waits for no verdict: it takes the traffic as soon as its pods are ready",
        ),
        (
            lambda: serving(1, 2, pin={"version": 1}),
            "a version is pinned here; Unpin it, or take spec.pin away, before you promote another",
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
    world = trying()
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
        (lambda world: None, 1, "version 1 is what serves"),
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


# Abort


@pytest.mark.parametrize("phase", ["Starting", "Analysing", "Paused", "Promoting"])
def test_abort_gives_the_candidate_up_and_bars_it_not(phase: str) -> None:
    world = trying(phase)
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
    assert outcome(after) == ("Succeeded", "version 2 is given up; version 1 goes on")


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
        "no version is coming up or being tried, so there is nothing to give up",
    )


def test_the_way_out_of_a_rollback_cannot_be_aborted() -> None:
    world = serving(1, 2, server=COLD)
    world.act("Rollback")
    world.step()
    aborted = world.act("Abort")
    world.settle()
    assert world.record(aborted)[0] == "Rejected"
    assert "version 1 takes the place of version 2, which was rolled back" in world.record(aborted)[1]
    assert world.live() == 1


def test_a_pinned_candidate_is_unpinned_and_not_aborted() -> None:
    world = serving(1, 2, server=COLD)
    world.act("Pin", 1)
    world.step()
    aborted = world.act("Abort")
    world.settle()
    assert world.record(aborted) == (
        "Rejected",
        "version 1 comes up because of a pin; Unpin it, or take spec.pin away",
    )


# Quarantine


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
    assert "nothing good that served before version 1 is left" in world.record(done)[1]
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
    world = trying()
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


# Release


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
        "version 2 is released; the note beside its artifact is being taken away",
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
        "version 2 is released; its ModelVersion is gone, and what its store knows stays",
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
    assert world.record(first) == ("Succeeded", "a later Release of the same version took over")
    assert world.record(second)[0] == "Pending"


# Crashes


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
    assert world.seen("Promoted") == ["version 1 is let through by alice (action-1)"]
    assert len(world.seen("Quarantined")) == 1
    assert world.seen("Released") == ["version 2 is let out of quarantine by alice (action-3)"]
