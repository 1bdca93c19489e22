"""Worlds in which a version is tried beside another one."""

from __future__ import annotations

from typing import Any

from steadfit.api.rollout import Candidate

from .serving_cluster import ServingCluster, serving

STEPS = {"canary": {"steps": [{"weight": 25}, {"weight": 50, "pause": "10m"}]}}
"""Two pods of a champion make a third and a half of them."""


def trying(replicas: int = 2, strategy: dict[str, Any] | None = None, **spec: Any) -> ServingCluster:
    """Return a cluster in which version 1 serves, and version 2 takes the traffic of the first step beside it."""
    cluster = serving(1, replicas=replicas, strategy=strategy or STEPS, **spec)
    cluster.add(2)
    cluster.settle()
    assert tried(cluster).phase == "Analysing"
    return cluster


def tried(cluster: ServingCluster) -> Candidate:
    candidate = cluster.status.candidate
    assert candidate is not None
    return candidate


def champion(cluster: ServingCluster) -> str:
    live = cluster.status.live
    assert live is not None
    return live.revision
