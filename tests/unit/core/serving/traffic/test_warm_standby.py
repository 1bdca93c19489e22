"""How many warm pods there are, how long, and that they yield to the pods of what serves or is tried."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.core.serving.serving_cluster import ServingCluster, serving

HOUR = timedelta(hours=1)
FULL = 'pods "flights-x" is forbidden: exceeded quota: compute, requested: limits.cpu=1, used: 8, limited: 8'


def swapped(**spec: Any) -> ServingCluster:
    """Return a cluster in which version 2 serves and version 1 is warm."""
    return serving(1, 2, drains=True, **spec)


def crowd(cluster: ServingCluster, revision: str) -> None:
    """Let one pod of a revision find no node."""
    cluster.unschedulable.add(revision)
    cluster.half.add(revision)
    cluster.settle()


def live_revision(cluster: ServingCluster) -> str:
    assert cluster.status.live is not None
    return cluster.status.live.revision


def test_there_are_as_many_warm_pods_as_the_spec_says_and_they_stay_as_long_whatever_the_bake_is() -> None:
    cluster = swapped(replicas=4, bakeDuration="10m", warm={"replicas": 1, "for": "1h"})
    assert cluster.status.live is not None
    end = cluster.status.live.since + HOUR
    assert cluster.replicas() == {1: 1, 2: 4}
    cluster.now = end - timedelta(minutes=5)
    cluster.settle()
    assert (cluster.replicas(), cluster.plan().requeue_at) == ({1: 1, 2: 4}, end)
    cluster.now = end
    cluster.settle()
    assert cluster.replicas() == {1: 0, 2: 4}


@pytest.mark.parametrize(
    ("warm", "pods"), [({}, 2), ({"replicas": 9}, 2), ({"replicas": 1}, 1), ({"replicas": 0}, 0), ({"for": "1s"}, 0)]
)
def test_warm_pods_are_never_more_than_those_that_serve(warm: dict[str, Any], pods: int) -> None:
    assert swapped(warm=warm).replicas() == {1: pods, 2: 2}


def test_a_rollback_to_fewer_warm_pods_starts_the_rest() -> None:
    cluster = swapped(replicas=4, warm={"replicas": 1})
    cluster.act("Rollback")
    cluster.settle()
    assert (cluster.live(), cluster.answering(), cluster.replicas()[1]) == (1, {1}, 4)


def test_an_autoscaler_counts_the_live_pods_alone_and_fixed_warm_pods_do_not_follow_it() -> None:
    cluster = swapped(warm={"replicas": 1})
    cluster.edit(server={"replicas": 5})
    cluster.settle()
    assert (cluster.replicas(), cluster.status.replicas) == ({1: 1, 2: 5}, 5)
    assert live_revision(cluster) in cluster.status.selector


def test_warm_pods_end_when_a_pod_of_the_live_version_finds_no_node_and_an_event_says_so() -> None:
    cluster = swapped()
    crowd(cluster, live_revision(cluster))
    assert cluster.replicas() == {1: 0, 2: 2}
    reason = "version 2: the pod cannot be scheduled: 0/3 nodes are available"
    (message,) = cluster.seen("WarmPodsReleased")
    assert message.startswith("the warm pods of version 1 (revision ")
    assert message.endswith(f") end, because other pods need their room: {reason}")
    assert cluster.status.warm_release is not None
    assert cluster.status.warm_release.reason == reason


def test_warm_pods_end_when_the_quota_refuses_a_pod_of_the_live_version() -> None:
    cluster = swapped()
    cluster.refused[live_revision(cluster)] = FULL
    cluster.most_ready[live_revision(cluster)] = 1
    cluster.settle()
    assert cluster.replicas() == {1: 0, 2: 2}
    assert "exceeded quota: compute" in cluster.seen("WarmPodsReleased")[0]


def test_warm_pods_end_when_a_pod_of_a_candidate_finds_no_node() -> None:
    cluster = swapped()
    cluster.add(3)
    cluster.step()
    candidate = cluster.status.candidate
    assert candidate is not None
    crowd(cluster, candidate.revision)
    assert cluster.replicas() == {1: 0, 2: 2, 3: 2}
    cluster.unschedulable.clear()
    cluster.half.clear()
    cluster.settle()
    assert (cluster.live(), cluster.replicas()[2]) == (3, 2), "the next last good version is warm again"
    assert cluster.status.warm_release is None


def test_what_has_yielded_does_not_come_back_and_the_record_ends_with_its_time() -> None:
    cluster = swapped()
    crowd(cluster, live_revision(cluster))
    cluster.unschedulable.clear()
    cluster.half.clear()
    cluster.settle()
    assert cluster.replicas() == {1: 0, 2: 2}
    assert cluster.status.live is not None
    end = cluster.status.live.since + 24 * HOUR
    assert cluster.plan().requeue_at == end
    cluster.now = end
    cluster.settle()
    assert (cluster.status.warm_release, cluster.replicas()) == (None, {1: 0, 2: 2})


def test_a_rollback_after_the_warm_pods_have_yielded_starts_them() -> None:
    cluster = swapped()
    crowd(cluster, live_revision(cluster))
    cluster.act("Rollback")
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (1, {1})


def test_warm_pods_that_answer_do_not_yield() -> None:
    cluster = swapped()
    cluster.unschedulable.add(live_revision(cluster))
    cluster.most_ready[live_revision(cluster)] = 0
    cluster.settle()
    assert (cluster.answering(), cluster.replicas(), cluster.status.warm_release) == ({1}, {1: 2, 2: 2}, None)


@pytest.mark.parametrize("message", ["serviceaccount flights-server not found", "violates PodSecurity"])
def test_warm_pods_do_not_yield_to_pods_that_their_room_would_not_help(message: str) -> None:
    cluster = swapped()
    cluster.refused[live_revision(cluster)] = message
    cluster.most_ready[live_revision(cluster)] = 1
    cluster.settle()
    assert cluster.replicas() == {1: 2, 2: 2}
    crashing = swapped()
    crashing.half.add(live_revision(crashing))
    crashing.settle()
    assert crashing.replicas() == {1: 2, 2: 2}
