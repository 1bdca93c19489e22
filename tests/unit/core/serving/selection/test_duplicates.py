"""A version with the artifact of an older one: a candidate unless that artifact serves, or is in quarantine."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.core.serving.canaries import STEPS, tried
from tests.unit.core.serving.serving_cluster import serving
from tests.unit.core.serving.serving_cluster_objects import digest


def same_as(number: int) -> dict[str, Any]:
    return {
        "duplicateOf": f"flights-v{number}",
        "artifact": {"uri": f"s3://models/{number}/", "digest": digest(number)},
    }


def test_a_reverted_recipe_is_rolled_out_although_its_model_is_an_older_one() -> None:
    cluster = serving(1, 2)
    cluster.add(3, **same_as(1))
    cluster.settle()
    assert cluster.live() == 3
    assert cluster.answering() == {3}, "its pods are measured under its own number"
    cluster.add(4, against=digest(2))
    cluster.settle()
    assert cluster.live() == 3, "and what was compared with the one before does not follow"


def test_the_good_model_serves_again_after_a_bad_feed_was_mended() -> None:
    cluster = serving(1, 2, strategy=STEPS)
    while cluster.candidate():
        cluster.finds("Pass")
        cluster.settle()
        cluster.now += (cluster.plan().requeue_at or cluster.now) - cluster.now
    assert cluster.live() == 2
    cluster.add(3, **same_as(1))
    cluster.settle()
    assert (tried(cluster).number, tried(cluster).phase) == (3, "Analysing"), "it is judged like any other"


@pytest.mark.parametrize("between", [[], [2]], ids=["nothing between", "a candidate between"])
def test_a_duplicate_of_what_serves_rolls_nothing_out_and_ends_the_rollout_of_an_older_version(
    between: list[int],
) -> None:
    cluster = serving(1, strategy=STEPS)
    for number in between:
        cluster.add(number)
        cluster.settle()
        assert cluster.candidate() == number
    cluster.add(3, **same_as(1))
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), len(cluster.moves)) == (1, None, len(cluster.moves))
    assert cluster.answering() == {1}


def test_a_duplicate_of_a_version_in_quarantine_is_in_quarantine() -> None:
    cluster = serving(1, 2)
    cluster.act("Rollback")
    cluster.settle()
    cluster.add(3, **same_as(2))
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None)
    name = cluster.act("Promote", 3)
    cluster.settle()
    assert cluster.record(name)[0] == "Rejected"


def test_a_duplicate_with_a_pod_template_that_was_rolled_back_is_in_quarantine_too() -> None:
    cluster = serving(1)
    cluster.edit(server={"replicas": 2, "image": "server:bad"})
    cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    assert [entry.digest for entry in cluster.status.quarantine] == [None]
    cluster.add(2)
    cluster.settle()
    assert cluster.live() == 2
    cluster.add(3, **same_as(1))
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (2, None)
    assert cluster.condition("Progressing") == ("False", "RevisionQuarantined")


def test_a_lost_status_finds_a_duplicate_that_serves() -> None:
    cluster = serving(1, 2)
    cluster.add(3, **same_as(1))
    cluster.settle()
    before = cluster.status.live
    cluster.deployment["status"] = {"observedGeneration": -1}
    cluster.settle()
    assert before is not None
    assert cluster.status.live is not None
    assert (cluster.status.live.revision, cluster.live()) == (before.revision, 3)
    assert len(cluster.moves) == 3


# Going back


def test_a_rollback_reaches_every_good_version_that_served_one_after_the_other() -> None:
    cluster = serving(1, 2, 3, 4)
    for good in (3, 2, 1):
        name = cluster.act("Rollback")
        cluster.settle()
        assert (cluster.live(), cluster.record(name)[0]) == (good, "Succeeded")
        cluster.now += timedelta(minutes=1)
    name = cluster.act("Rollback")
    cluster.settle()
    assert cluster.record(name) == (
        "Rejected",
        "no good version that served before version 1 is left to roll back to (version 2 is in quarantine;"
        " version 3 is in quarantine; version 4 is in quarantine); train another version;"
        " spec.server.replicas 0 stops serving meanwhile",
    )


def test_a_rollback_leaves_out_what_is_in_quarantine_or_not_verified_any_more() -> None:
    cluster = serving(1, 2, 3, 4)
    cluster.act("Quarantine", 3)
    cluster.settle()
    cluster.judge(2, "Rejected")
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.live() == 1


def test_a_quarantine_of_what_serves_goes_back_further_than_one_step() -> None:
    cluster = serving(1, 2, 3)
    for bad, good in ((3, 2), (2, 1)):
        cluster.act("Quarantine", bad)
        cluster.settle()
        assert cluster.live() == good


def test_a_rollback_whose_choice_is_quarantined_meanwhile_goes_back_further() -> None:
    cluster = serving(1, 2, 3)
    cluster.act("Rollback")
    cluster.step()
    assert cluster.candidate() == 2
    cluster.act("Quarantine", 2)
    cluster.settle()
    assert cluster.live() == 1
