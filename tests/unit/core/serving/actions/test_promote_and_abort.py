"""Promote and Abort: a person's word about a candidate, or about a version, instead of a verdict."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.unit.core.serving.serving_cluster import ServingCluster, serving

from .action_clusters import carried_out, outcome, revision_of_version, with_candidate

COLD = {"replicas": 2, "drains": False}
"""A server whose last good revision has no pods, so that going back to it takes some passes."""


@pytest.mark.parametrize("phase", ["Starting", "Analysing", "Paused"])
@pytest.mark.parametrize("number", [None, 2], ids=["the candidate", "its number"])
def test_promote_lets_the_candidate_of_a_canary_through(phase: str, number: int | None) -> None:
    cluster = with_candidate(phase)
    cluster.deployment["status"]["candidate"]["revision"] = revision_of_version(cluster, 2)
    cluster.act("Promote", number)
    after = carried_out(cluster)
    assert after.candidate is not None
    assert (after.candidate.phase, after.candidate.promoted_by) == ("Promoting", "alice (action-1)")
    assert outcome(after) == (
        "Succeeded",
        "version 2 is promoted without a verdict; it takes all traffic once its pods are ready, and is abandoned if"
        " they are not within 1h; the condition Progressing shows which",
    )


@pytest.mark.parametrize(
    ("cluster", "why"),
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
def test_promote_of_nothing_is_refused(cluster: Callable[[], ServingCluster], why: str) -> None:
    there = cluster()
    there.act("Promote")
    after = carried_out(there)
    assert outcome(after) == ("Rejected", why)
    assert after.candidate == there.status.candidate


@pytest.mark.parametrize("phase", ["Verified", "Held"])
def test_promote_of_a_version_rolls_it_out_at_once_and_it_stays(phase: str) -> None:
    """Version 3 was compared with version 2; it must not come back as soon as version 2 serves."""
    cluster = serving(1, 2, 3)
    cluster.judge(2, phase)
    promoted = cluster.act("Promote", 2)
    cluster.settle()
    assert cluster.live() == 2
    assert cluster.record(promoted)[0] == "Succeeded"
    assert cluster.status.override is None
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (2, None)


def test_what_was_promoted_is_replaced_by_a_version_that_was_made_later() -> None:
    cluster = serving(1, 2, 3)
    cluster.act("Promote", 2)
    cluster.settle()
    cluster.add(4)
    cluster.settle()
    assert cluster.live() == 4
    assert cluster.status.promoted is None
    cluster.settle()
    assert cluster.live() == 4


def test_what_was_promoted_serves_again_after_a_pin() -> None:
    cluster = serving(1, 2, 3)
    cluster.act("Promote", 2)
    cluster.settle()
    cluster.act("Pin", 1)
    cluster.settle()
    assert cluster.live() == 1
    cluster.act("Unpin")
    cluster.settle()
    assert cluster.live() == 2


def test_a_rollback_ends_a_promotion() -> None:
    cluster = serving(1, 2, 3)
    cluster.act("Promote", 2)
    cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.live() == 3
    assert cluster.status.promoted is None


def test_a_version_that_was_given_up_may_be_promoted() -> None:
    cluster = with_candidate()
    cluster.deployment["status"]["candidate"]["revision"] = revision_of_version(cluster, 2)
    cluster.act("Abort")
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)
    assert [entry.number for entry in cluster.status.abandoned] == [2]
    cluster.act("Promote", 2)
    cluster.settle()
    assert cluster.live() == 2
    assert cluster.status.abandoned == []


CANARY = {"canary": {"steps": [{"weight": 25}]}}
OTHER_PODS = {"replicas": 2, "env": [{"name": "A", "value": "1"}]}


@pytest.mark.parametrize("given_up", [False, True], ids=["tried", "given up"])
def test_promote_lets_other_pods_of_what_serves_through(given_up: bool) -> None:
    """A new server of the same version is a revision of its own, and is tried like any other."""
    cluster = serving(1, strategy=CANARY)
    assert cluster.status.live is not None
    before = cluster.status.live.revision
    cluster.edit(server=OTHER_PODS)
    cluster.settle()
    assert cluster.status.candidate is not None
    tried = cluster.status.candidate.revision
    if given_up:
        cluster.act("Abort")
        cluster.settle()
        assert cluster.candidate() is None
        assert cluster.status.live is not None
        assert cluster.status.live.revision == before
    promoted = cluster.act("Promote", 1)
    cluster.settle()
    assert cluster.record(promoted)[0] == "Succeeded"
    assert cluster.status.live is not None
    assert cluster.status.live.revision == tried
    cluster.settle()
    assert cluster.status.live.revision == tried


def rejected(cluster: ServingCluster) -> None:
    cluster.add(2, "Rejected")


def rolled_back(cluster: ServingCluster) -> None:
    cluster.add(2)
    cluster.settle()
    cluster.act("Rollback")
    cluster.settle()


@pytest.mark.parametrize(
    ("given", "number", "why"),
    [
        (lambda cluster: None, 7, "there is no version 7 of TrainingJob flights"),
        (lambda cluster: None, 1, "version 1 serves already"),
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
    given: Callable[[ServingCluster], None], number: int, why: str
) -> None:
    cluster = serving(1)
    given(cluster)
    promoted = cluster.act("Promote", number)
    cluster.settle()
    assert cluster.record(promoted) == ("Rejected", why)
    assert cluster.live() == 1
    assert cluster.status.promoted is None


@pytest.mark.parametrize("phase", ["Starting", "Analysing", "Paused", "Promoting"])
def test_abort_gives_the_candidate_up_and_bars_it_not(phase: str) -> None:
    cluster = with_candidate(phase)
    cluster.act("Abort")
    after = carried_out(cluster)
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
    cluster = serving(1, 2)
    cluster.add(3, "Held")
    cluster.broken.add(revision_of_version(cluster, 3))
    cluster.act("Promote", 3)
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (2, 3)
    cluster.act("Abort")
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), cluster.status.promoted) == (2, None, None)


def test_abort_without_a_candidate_is_refused() -> None:
    cluster = serving(1)
    aborted = cluster.act("Abort")
    cluster.settle()
    assert cluster.record(aborted) == (
        "Rejected",
        "there is no candidate to abort",
    )


def test_the_way_out_of_a_rollback_cannot_be_aborted() -> None:
    cluster = serving(1, 2, server=COLD)
    cluster.act("Rollback")
    cluster.step()
    aborted = cluster.act("Abort")
    cluster.settle()
    assert cluster.record(aborted)[0] == "Rejected"
    assert "version 1 replaces version 2, which was rolled back" in cluster.record(aborted)[1]
    assert cluster.live() == 1


def test_a_pinned_candidate_is_unpinned_and_not_aborted() -> None:
    cluster = serving(1, 2, server=COLD)
    cluster.act("Pin", 1)
    cluster.step()
    aborted = cluster.act("Abort")
    cluster.settle()
    assert cluster.record(aborted) == (
        "Rejected",
        "version 1 comes up because of a pin; Unpin it, or remove spec.pin",
    )


@pytest.mark.parametrize(
    ("number", "phase"), [(1, "Verified"), (2, "Held"), (4, "Held"), (4, "Verified")], ids=lambda one: str(one)
)
@pytest.mark.parametrize("canary", [False, True], ids=["blue-green", "canary"])
def test_a_promotion_that_was_given_up_is_named_in_progressing(number: int, phase: str, canary: bool) -> None:
    """Whatever its number: that its action has ended says only that the promotion began."""
    cluster = serving(1, 2, 3)
    if canary:
        cluster.edit(strategy={"canary": {"steps": [{"weight": 50}]}})
    if number == 4:
        cluster.add(4, phase)
    cluster.judge(number, phase)
    cluster.broken.add(revision_of_version(cluster, number))
    cluster.act("Promote", number)
    cluster.settle()
    assert cluster.candidate() == number
    cluster.now += timedelta(hours=2)
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (3, None)
    phase, message = cluster.record("action-1")
    assert phase == "Succeeded"
    assert "is abandoned if they are not within 1h" in message
    assert cluster.condition("Progressing") == ("False", "CandidateAbandoned")
    assert f"version {number} " in cluster.message("Progressing")
    assert "its pods were not ready within 1h: 0 of 2 pods are ready" in cluster.message("Progressing")
    assert cluster.message("Progressing").endswith(f"a Promote of version {number} serves it")
    cluster.edit(strategy=None)
    cluster.add(5)
    cluster.settle()
    assert (cluster.live(), cluster.condition("Progressing")) == (5, ("True", "NewestLive"))


def test_a_promotion_of_the_former_training_job_that_was_given_up_is_named_in_progressing() -> None:
    cluster = serving(1, 2)
    cluster.make_the_job_again(with_versions=False)
    cluster.broken.add(revision_of_version(cluster, 1))
    cluster.act("Promote", 1)
    cluster.settle()
    cluster.now += timedelta(hours=2)
    cluster.settle()
    assert cluster.condition("Progressing") == ("False", "CandidateAbandoned")
    assert cluster.message("Progressing").endswith("a Promote of version 1 serves it")


def test_a_version_that_was_abandoned_before_the_live_one_came_is_not_named_any_more() -> None:
    cluster = serving(1, 2)
    cluster.broken.add(revision_of_version(cluster, 1))
    cluster.act("Promote", 1)
    cluster.settle()
    cluster.act("Abort")
    cluster.settle()
    assert cluster.condition("Progressing") == ("False", "CandidateAbandoned")
    cluster.add(3)
    cluster.settle()
    assert (cluster.live(), cluster.condition("Progressing")) == (3, ("True", "NewestLive"))
