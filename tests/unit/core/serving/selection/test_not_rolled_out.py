"""What is said of the newest version while it does not serve, and the next step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from steadfit.core.conditions import READY, RECONCILING, STALLED

from tests.unit.core.serving.actions.test_quarantine_and_release import forget
from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_objects import digest

QUARANTINE = {
    "reason": "error rate doubled",
    "by": "jane",
    "at": "2026-01-01T00:00:00Z",
    "deployment": "flights",
    "revision": "x",
}


def with_quarantined(**spec: Any) -> ServingCluster:
    """Return a cluster whose only version is in quarantine."""
    cluster = ServingCluster(**spec)
    cluster.add(1)
    cluster.versions[1]["status"]["quarantine"] = dict(QUARANTINE)
    cluster.settle()
    return cluster


def test_the_only_version_is_in_quarantine_and_release_is_named_as_the_next_step() -> None:
    cluster = with_quarantined()
    assert cluster.live() is None
    assert cluster.condition(READY) == ("False", "Quarantined")
    assert cluster.condition(STALLED) == ("True", "Quarantined")
    assert cluster.condition("Progressing") == ("False", "Quarantined")
    message = "version 1 is in quarantine by jane: error rate doubled; a Release of version 1 lets it serve"
    assert cluster.message(READY) == cluster.message("Progressing") == message
    cluster.act("Release", 1)
    cluster.settle()
    forget(cluster, 1)
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.condition("Progressing") == ("True", "NewestLive")


def test_the_only_version_is_in_quarantine_and_the_next_one_ends_the_wait() -> None:
    cluster = with_quarantined()
    cluster.add(2)
    cluster.settle()
    assert cluster.live() == 2
    assert cluster.condition(READY) == ("True", "Serving")


def test_with_the_policy_accepted_a_version_in_quarantine_leaves_a_deployment_ready() -> None:
    cluster = with_quarantined(readyPolicy="Accepted")
    assert cluster.condition(READY) == ("True", "Accepted")
    assert "a Release of version 1" in cluster.message(READY)
    assert cluster.condition("Progressing") == ("False", "Quarantined")


def test_the_only_version_is_held_and_promote_is_named_as_the_next_step() -> None:
    cluster = ServingCluster()
    cluster.add(1, "Rejected")
    cluster.add(2, "Held")
    cluster.settle()
    assert cluster.condition(STALLED) == ("True", "Held")
    assert cluster.condition("Progressing") == ("False", "Held")
    assert cluster.message(READY) == "version 2 is held; a Promote of version 2 serves it"
    cluster.act("Promote", 2)
    cluster.settle()
    assert cluster.live() == 2


def test_a_newer_version_in_quarantine_is_named_beside_the_one_that_serves() -> None:
    cluster = serving(1, 2)
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.condition(READY) == ("True", "Serving")
    assert cluster.condition("Progressing") == ("False", "Quarantined")
    assert cluster.message("Progressing").endswith("a Release and then a Promote of version 2 serve it")


def test_a_newer_version_that_was_rejected_is_named_beside_the_one_that_serves() -> None:
    cluster = serving(1)
    cluster.add(2, "Rejected")
    cluster.settle()
    assert cluster.condition("Progressing") == ("False", "Rejected")
    assert cluster.message("Progressing").startswith("version 2 is rejected")
    cluster.add(3)
    cluster.settle()
    assert cluster.condition("Progressing") == ("True", "NewestLive")


@pytest.mark.parametrize(
    ("by_action", "end"),
    [
        (True, "version 1 is pinned by alice until Unpin"),
        (False, "version 1 is pinned by spec.pin; remove it to serve newer versions"),
    ],
)
def test_a_newer_version_that_waits_for_a_pin_is_named_with_who_pinned(by_action: bool, end: str) -> None:
    cluster = serving(1)
    if by_action:
        cluster.act("Pin", 1)
    else:
        cluster.edit(pin={"version": 1})
    cluster.settle()
    assert cluster.condition("Progressing") == ("True", "Pinned")
    assert cluster.message("Progressing").endswith(", and no newer version waits")
    cluster.add(2)
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.condition("Progressing") == ("False", "OlderVersionPinned")
    assert cluster.message("Progressing") == f"version 2 is newer and is not rolled out: {end}"


def test_a_first_version_that_comes_up_is_no_stall_whatever_the_newest_waits_for() -> None:
    cluster = ServingCluster()
    cluster.add(1)
    cluster.add(2)
    cluster.versions[2]["status"]["quarantine"] = dict(QUARANTINE)
    cluster.add(3, against=digest(2))
    cluster.step()
    assert cluster.candidate() == 1
    assert cluster.condition(RECONCILING) == ("True", "FirstRollout")


def rolled_back(*numbers: int) -> ServingCluster:
    """Return a cluster that went back from the last of these versions to the first."""
    cluster = serving(*numbers)
    cluster.act("Rollback", numbers[0])
    cluster.settle()
    return cluster


def released() -> ServingCluster:
    cluster = rolled_back(1, 2)
    cluster.act("Release", 2)
    return cluster


def released_and_unpinned() -> ServingCluster:
    cluster = released()
    cluster.settle()
    forget(cluster, 2)
    cluster.act("Pin", 2)
    cluster.settle()
    assert cluster.live() == 2
    cluster.act("Unpin")
    return cluster


def unpinned() -> ServingCluster:
    """Return a cluster in which version 3 is above version 1 and below the floor, and was pinned for a while."""
    cluster = promoted_beside_one_not_compared()
    cluster.settle()
    cluster.act("Pin", 3)
    cluster.settle()
    assert cluster.live() == 3
    cluster.act("Unpin")
    return cluster


def rolled_back_with_its_pod_template() -> ServingCluster:
    """Return a cluster that went back from a version with another server: its artifact is not in quarantine."""
    cluster = serving(1)
    cluster.edit(server={"replicas": 2, "image": "mine:2"})
    cluster.add(2)
    cluster.settle()
    cluster.act("Rollback")
    return cluster


def promoted_older() -> ServingCluster:
    cluster = serving(1, 2, 3)
    cluster.act("Promote", 1)
    return cluster


def promoted_beside_one_not_compared() -> ServingCluster:
    cluster = serving(1, 2)
    cluster.add(3, against=None)
    cluster.act("Promote", 1)
    return cluster


def aborted(cluster: ServingCluster, number: int) -> ServingCluster:
    """Return the cluster after the rollout of a version was aborted before its pods were ready."""
    cluster.add(number)
    cluster.step()
    cluster.act("Abort")
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)
    return cluster


def abandoned_then_quarantined() -> ServingCluster:
    cluster = aborted(serving(1), 2)
    cluster.add(3)
    cluster.settle()
    cluster.act("Rollback")
    return cluster


def abandoned_then_rejected() -> ServingCluster:
    cluster = aborted(serving(1), 2)
    cluster.add(3, "Rejected")
    return cluster


def held_then_not_compared() -> ServingCluster:
    cluster = serving(1)
    cluster.add(2, "Held")
    cluster.add(3, against=None)
    return cluster


def not_compared_then_held() -> ServingCluster:
    cluster = serving(1)
    cluster.add(2, against=None)
    cluster.add(3, "Held")
    return cluster


def held_then_rejected() -> ServingCluster:
    cluster = serving(1)
    cluster.add(2, "Held")
    cluster.add(3, "Rejected")
    return cluster


def pinned_and(phase: str) -> ServingCluster:
    cluster = serving(1)
    cluster.act("Pin", 1)
    cluster.settle()
    cluster.add(2, phase)
    return cluster


def quarantined_while_pinned() -> ServingCluster:
    cluster = rolled_back(1, 2)
    cluster.act("Pin", 1)
    return cluster


def abandoned_while_pinned() -> ServingCluster:
    cluster = aborted(serving(1), 2)
    cluster.act("Pin", 1)
    return cluster


@pytest.mark.parametrize(
    ("scene", "reason", "words"),
    [
        (released, "Released", "was released from quarantine by alice (action-2), and is not rolled out by itself;"),
        (released_and_unpinned, "Released", "itself; a Promote of version 2 serves it"),
        (rolled_back_with_its_pod_template, "Quarantined", "not its model, is in quarantine by alice (action-1): "),
        (promoted_older, "BelowVersionFloor", "version 3 served before, and version 1 was chosen since; a Promote of"),
        (promoted_beside_one_not_compared, "BelowVersionFloor", "existed when alice (action-1) promoted version 1; a "),
        (unpinned, "BelowVersionFloor", "version 3 existed when alice (action-1) promoted version 1; a Promote of"),
        (abandoned_then_quarantined, "Quarantined", "version 3 is in quarantine by alice"),
        (abandoned_then_rejected, "Rejected", "version 3 is rejected"),
        (held_then_not_compared, "ChampionChanged", "version 3 is not rolled out: it was not compared"),
        (not_compared_then_held, "Held", "version 3 is held"),
        (held_then_rejected, "Rejected", "version 3 is rejected"),
        (lambda: pinned_and("Verified"), "OlderVersionPinned", "version 2 is newer"),
        (lambda: pinned_and("Held"), "OlderVersionPinned", "version 2 is newer"),
        (lambda: pinned_and("Rejected"), "Rejected", "version 2 is rejected"),
        (quarantined_while_pinned, "Quarantined", "serve it, once version 1 is not pinned any more"),
        (abandoned_while_pinned, "OlderVersionPinned", "version 2 is newer"),
    ],
)  # fmt: skip
def test_the_cause_of_the_newest_version_is_named_and_the_first_that_applies_to_it(
    scene: Callable[[], ServingCluster], reason: str, words: str
) -> None:
    cluster = scene()
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.condition("Progressing") == ("False", reason)
    assert words in cluster.message("Progressing")


def test_a_promotion_that_was_abandoned_is_named_before_the_older_cause_of_the_newest_version() -> None:
    cluster = rolled_back(1, 2, 3)
    cluster.act("Promote", 2)
    cluster.step()
    cluster.act("Abort")
    cluster.settle()
    assert (cluster.live(), cluster.condition("Progressing")) == (1, ("False", "CandidateAbandoned"))
    first, second = cluster.message("Progressing").split("; a Promote of version 2 serves it; ")
    assert first.startswith("version 2 ")
    assert second.startswith("version 3 is in quarantine")
    assert second.endswith("; a Release and then a Promote of version 3 serve it")


def test_after_its_pod_template_was_rolled_back_a_version_is_served_by_another_one() -> None:
    cluster = rolled_back_with_its_pod_template()
    cluster.settle()
    end = "; with the same pods, a Release and then a Promote of version 2"
    assert cluster.message("Progressing").endswith(f"correct spec.server, then a Promote of version 2 serves it{end}")
    cluster.edit(server={"replicas": 2, "image": "mine:3"})
    cluster.settle()
    assert cluster.live() == 1
    assert cluster.message("Progressing").endswith("; spec.server has changed since: a Promote of version 2 serves it")
    cluster.act("Promote", 2)
    cluster.settle()
    assert (cluster.live(), cluster.condition("Progressing")) == (2, ("True", "NewestLive"))


def with_its_pod_template_rolled_back_after(verb: str) -> ServingCluster:
    """Return a cluster with an older story of version 2, in which the pods of version 1 were rolled back then."""
    cluster = rolled_back(1, 2)
    if verb == "Release":
        cluster.act("Release", 2)
        cluster.settle()
        forget(cluster, 2)
    cluster.edit(server={"replicas": 2, "image": "mine:2"})
    cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.live() == 1
    return cluster


@pytest.mark.parametrize("verb", ["Rollback", "Release"])
def test_a_pod_template_that_was_rolled_back_is_named_before_the_older_story_of_a_version(verb: str) -> None:
    cluster = with_its_pod_template_rolled_back_after(verb)
    assert cluster.condition("Progressing") == ("False", "Quarantined")
    first, older = cluster.message("Progressing").split(
        "; a Promote of version 1 serves it with the same pods after a "
    )
    assert first.startswith("the pod template of version 1 (revision ")
    assert "not its model, is in quarantine by alice" in first
    assert first.endswith("; change spec.server: version 1 continues to serve with its older pods until then")
    assert older.startswith("Release; version 2 ")
    cluster.edit(server={"replicas": 2, "image": "mine:3"})
    cluster.settle()
    assert cluster.status.live is not None
    assert cluster.status.live.asked_inputs_digest is None
    assert cluster.message("Progressing").startswith("version 2 ")


def test_a_pod_template_that_was_released_is_served_by_the_promote_that_is_named() -> None:
    cluster = with_its_pod_template_rolled_back_after("Rollback")
    before = cluster.status.live
    cluster.act("Release", 1)
    cluster.settle()
    forget(cluster, 1)
    cluster.settle()
    assert cluster.condition("Progressing") == ("False", "Released")
    assert "a Promote of version 1 serves it with the current spec.server" in cluster.message("Progressing")
    cluster.act("Promote", 1)
    cluster.settle()
    assert cluster.status.live is not None
    assert before is not None
    assert cluster.status.live.revision != before.revision


def test_a_version_that_was_compared_with_another_one_is_served_by_the_promote_that_is_named() -> None:
    cluster = held_then_not_compared()
    cluster.settle()
    assert "a Promote of version 3 serves it without a comparison" in cluster.message("Progressing")
    cluster.act("Promote", 3)
    cluster.settle()
    assert (cluster.live(), cluster.condition("Progressing")) == (3, ("True", "NewestLive"))


def test_a_newest_version_with_the_artifact_that_serves_holds_nothing_back() -> None:
    cluster = serving(1)
    cluster.add(2, "Held")
    cluster.settle()
    cluster.add(3, artifact={"uri": "s3://models/1/", "digest": digest(1)}, duplicateOf="flights-v1")
    cluster.settle()
    assert (cluster.live(), cluster.condition("Progressing")) == (1, ("True", "NewestLive"))
