"""An outage during a rollback abandons no version for good that never failed by itself: the entries end with it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest
from steadfit.core import names

from tests.unit.core.serving.canaries import STEPS
from tests.unit.core.serving.serving_cluster import ServingCluster, serving

DEADLINE = timedelta(hours=1, minutes=1)


class AllBut(set[str]):
    """Every revision but some: those whose pods run already."""

    def __init__(self, running: Iterable[str]) -> None:
        super().__init__()
        self.running = set(running)

    def __contains__(self, revision: object) -> bool:
        return revision not in self.running


def in_an_outage(cluster: ServingCluster) -> ServingCluster:
    """Let no pods become ready but those of the live version: they cannot load their models."""
    assert cluster.status.live
    cluster.broken = AllBut([cluster.status.live.revision])
    return cluster


def over(cluster: ServingCluster) -> None:
    """End the outage."""
    cluster.broken = set()
    cluster.settle()


def tried(cluster: ServingCluster, deadlines: int) -> list[int | None]:
    """Return the candidates of so many deadlines, one after the other."""
    found = []
    for _ in range(deadlines):
        cluster.settle()
        found.append(cluster.candidate())
        cluster.now += DEADLINE
        cluster.settle()
    return found


def given_up(cluster: ServingCluster) -> list[int]:
    return [one.number for one in cluster.status.abandoned]


def test_an_outage_that_hits_every_target_of_a_rollback_abandons_none_for_good() -> None:
    cluster = in_an_outage(serving(1, 2, 3, 4, 5))
    cluster.act("Rollback")
    assert tried(cluster, 6) == [4, 3, 2, 1, 1, 1], "no target is tried twice"
    assert given_up(cluster) == [4, 3, 2]
    over(cluster)
    assert (cluster.live(), cluster.candidate(), given_up(cluster)) == (1, None, [])
    cluster.now += timedelta(hours=3)
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, None), "the rollback has ended with the version that serves"


@pytest.mark.parametrize(("deadlines", "target"), [(0, 4), (1, 3), (2, 2), (3, 1)])
def test_the_target_of_a_rollback_at_the_end_of_an_outage_serves_and_bars_no_other(deadlines: int, target: int) -> None:
    cluster = in_an_outage(serving(1, 2, 3, 4, 5))
    cluster.act("Rollback")
    tried(cluster, deadlines)
    over(cluster)
    assert (cluster.live(), given_up(cluster)) == (target, [])


def test_the_next_rollback_goes_back_to_what_the_outage_has_hit() -> None:
    cluster = in_an_outage(serving(1, 2, 3))
    cluster.act("Rollback")
    tried(cluster, 1)
    over(cluster)
    cluster.now += timedelta(minutes=1)
    cluster.act("Rollback")
    cluster.settle()
    assert cluster.live() == 2


def test_a_release_during_a_rollback_ends_its_entries() -> None:
    cluster = in_an_outage(serving(1, 2, 3))
    cluster.act("Rollback")
    tried(cluster, 1)
    assert given_up(cluster) == [2]
    cluster.act("Release", 3)
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), given_up(cluster)) == (3, None, [])


def test_a_status_that_is_lost_during_a_rollback_keeps_what_was_tried() -> None:
    cluster = serving()
    for number in (1, 2, 3, 4):
        cluster.add(number)
        cluster.settle()
        cluster.versions_notice()
    in_an_outage(cluster).act("Rollback")
    tried(cluster, 1)
    cluster.versions_notice()
    (entry,) = [one.dump() for one in cluster.status.quarantine]
    cluster.versions[4]["status"]["quarantine"] = {
        "deployment": "flights", **{key: entry[key] for key in ("reason", "by", "at", "revision")}
    }  # fmt: skip
    cluster.actions, cluster.deployment["status"] = {}, {"observedGeneration": -1}
    cluster.settle()
    assert (cluster.candidate(), given_up(cluster)) == (2, [3])
    over(cluster)
    assert (cluster.live(), given_up(cluster)) == (2, [])


def test_a_version_that_misses_its_deadline_beside_one_that_may_serve_stays_abandoned() -> None:
    cluster = in_an_outage(serving(1))
    cluster.add(2)
    assert tried(cluster, 1) == [2]
    over(cluster)
    assert (cluster.live(), given_up(cluster)) == (1, [2])


def test_a_live_version_that_cannot_be_started_again_is_replaced_after_an_outage_that_hits_every_target() -> None:
    cluster = in_an_outage(serving(1, 2, 3))
    lost = cluster.status.live
    assert lost
    del cluster.versions[3], cluster.workloads[names.workload_name("flights", lost.revision)]
    cluster.frozen_templates = {}
    assert tried(cluster, 4) == [2, 1, 1, 1]
    over(cluster)
    assert (cluster.live(), cluster.answering(), given_up(cluster)) == (1, {1}, [])


def test_a_version_that_was_only_pinned_is_replaced_after_an_outage_that_hits_what_was_let_through() -> None:
    cluster = serving(1, strategy=STEPS)
    cluster.add(2)
    cluster.settle()
    cluster.act("Abort")
    cluster.settle()
    cluster.act("Pin", 2)
    cluster.settle()
    assert cluster.live() == 2
    in_an_outage(cluster).act("Unpin")
    assert tried(cluster, 3) == [1, 1, 1]
    over(cluster)
    assert (cluster.live(), given_up(cluster)) == (1, [2]), "what a person has aborted stays so"
