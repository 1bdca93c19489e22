"""Shares of the traffic as pods."""

from __future__ import annotations

from typing import Any

import pytest
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.rollout import Candidate
from steadfit.core.serving.traffic import pod_shares

from tests.unit.core.serving.serving_cluster import START, ServingCluster

GATEWAY = {"gatewayAPI": {"parentRefs": [{"name": "public"}]}}


def deployment(replicas: int, **spec: Any) -> ModelDeployment:
    return ServingCluster(replicas=replicas, **spec).observe().deployment


def candidate(weight: int | None, **fields: Any) -> Candidate:
    return Candidate(
        revision="b",
        version="flights-v2",
        number=2,
        digest="sha256:2",
        template_digest="sha256:t",
        since=START,
        **{"championRevision": "a", "weight": weight, **fields},
    )


@pytest.mark.parametrize(
    ("replicas", "weight", "pods"),
    [
        (1, 1, 1),
        (1, 50, 1),
        (2, 10, 1),
        (2, 25, 1),
        (2, 50, 2),
        (3, 25, 1),
        (4, 20, 1),
        (9, 10, 1),
        (9, 25, 3),
        (10, 33, 5),
        (100, 1, 1),
        (1000, 50, 1000),
        (0, 25, 0),
    ],
)
def test_the_candidate_gets_the_pods_that_come_nearest_to_its_share(replicas: int, weight: int, pods: int) -> None:
    there = deployment(replicas)
    assert pod_shares.pods_for_weight(weight, there) == pods


@pytest.mark.parametrize("weight", range(1, 51))
def test_a_candidate_never_has_more_pods_than_the_champion_and_always_one(weight: int) -> None:
    for replicas in (1, 2, 3, 7, 50):
        assert 1 <= pod_shares.pods_for_weight(weight, deployment(replicas)) <= replicas


@pytest.mark.parametrize(("replicas", "weight", "pods"), [(1, 5, 1), (10, 5, 1), (10, 45, 5), (10, 90, 9), (3, 99, 3)])
def test_behind_a_gateway_pods_only_have_to_bear_the_share(replicas: int, weight: int, pods: int) -> None:
    there = deployment(replicas, traffic=GATEWAY)
    assert pod_shares.pods_for_weight(weight, there) == pods


def test_what_was_let_through_and_what_is_not_tried_have_all_pods() -> None:
    there = deployment(8)
    assert pod_shares.desired_pods(candidate(10, phase="Promoting"), there) == 8
    assert pod_shares.desired_pods(candidate(None, championRevision=None), there) == 8
