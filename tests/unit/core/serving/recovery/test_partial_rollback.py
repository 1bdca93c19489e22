"""Going back needs enough pods of the good revision and not all of them; until then it takes what its pods allow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.core.serving import serving_cluster_gateways
from tests.unit.core.serving.canaries import champion
from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_gateways import TRAFFIC, shares

ONE_STEP = {"canary": {"steps": [{"weight": 50}]}}


def rolling_back(replicas: int, ready: int, **spec: Any) -> ServingCluster:
    """Return a cluster that rolls back from version 2 to version 1, of which so many pods become ready."""
    cluster = ServingCluster(replicas=replicas, **spec)
    cluster.gateway = serving_cluster_gateways.accepts
    for number in (1, 2):
        cluster.add(number)
        cluster.settle()
        cluster.finds("Pass")
        cluster.settle()
    assert cluster.live() == 2
    assert cluster.status.last_good is not None
    cluster.most_ready[cluster.status.last_good.revision] = ready
    cluster.kubelet()
    cluster.act("Rollback")
    cluster.settle()
    return cluster


@pytest.mark.parametrize("spec", [{}, {"strategy": ONE_STEP}, {"traffic": TRAFFIC}], ids=["plain", "canary", "gateway"])
def test_nine_of_ten_pods_are_enough_to_go_back(spec: dict[str, Any]) -> None:
    cluster = rolling_back(10, 9, **spec)
    assert (cluster.live(), cluster.candidate(), cluster.answering()) == (1, None, {1})
    assert cluster.replicas()[1] == 10
    assert cluster.message("PodsReady").startswith("9 of 10 pods of version 1 are ready: the server ended")
    if "traffic" in spec:
        assert shares(cluster) == {1: 100}


def test_the_good_version_takes_what_its_pods_allow_until_they_are_enough() -> None:
    cluster = rolling_back(10, 3, strategy=ONE_STEP)
    assert (cluster.live(), cluster.candidate(), cluster.answering()) == (2, 1, {1, 2})
    assert cluster.replicas() == {1: 10, 2: 7}
    assert "3 of 10 pods are ready" in cluster.message("Ready")
    assert "with 8 of them it takes all of the traffic" in cluster.message("Ready")
    cluster.most_ready[cluster.status.candidate.revision] = 8  # type: ignore[union-attr]
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (1, {1})


def test_the_bad_version_takes_all_of_the_traffic_again_when_the_good_one_loses_its_pods() -> None:
    cluster = rolling_back(10, 3, strategy=ONE_STEP)
    cluster.most_ready[cluster.status.candidate.revision] = 0  # type: ignore[union-attr]
    cluster.settle()
    assert (cluster.answering(), cluster.replicas()) == ({2}, {1: 10, 2: 10})


def test_gateways_share_the_traffic_by_the_pods_that_are_ready() -> None:
    cluster = rolling_back(10, 3, traffic=TRAFFIC)
    assert shares(cluster) == {1: 30, 2: 70}
    cluster.most_ready.clear()
    cluster.settle()
    assert shares(cluster) == {1: 100}


@pytest.mark.parametrize("spec", [{}, {"strategy": ONE_STEP}, {"traffic": TRAFFIC}], ids=["plain", "canary", "gateway"])
def test_after_the_progress_deadline_one_ready_pod_is_enough_to_go_back(spec: dict[str, Any]) -> None:
    cluster = rolling_back(2, 1, **spec)
    assert cluster.live() == 2
    cluster.now += timedelta(hours=1)
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (1, {1})


def test_one_ready_pod_is_enough_when_the_bad_version_has_none() -> None:
    cluster = rolling_back(4, 1)
    assert (cluster.live(), cluster.answering()) == (2, {2})
    cluster.broken.add(champion(cluster))
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (1, {1})


def test_a_live_version_takes_the_traffic_again_with_enough_of_its_pods() -> None:
    cluster = serving(1, 2, drains=True, replicas=10)
    cluster.broken.add(champion(cluster))
    cluster.settle()
    assert cluster.answering() == {1}
    cluster.most_ready[champion(cluster)] = 9
    cluster.broken.clear()
    cluster.settle()
    assert cluster.answering() == {2}
