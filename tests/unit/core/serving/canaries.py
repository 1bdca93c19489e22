"""Worlds in which a version is tried beside another one."""

from __future__ import annotations

from typing import Any

from steadfit.api.rollout import Candidate

from .serving_cluster import World, serving

STEPS = {"canary": {"steps": [{"weight": 25}, {"weight": 50, "pause": "10m"}]}}
"""Two pods of a champion make a third and a half of them."""


def trying(replicas: int = 2, strategy: dict[str, Any] | None = None, **spec: Any) -> World:
    """Return a world in which version 1 serves, and version 2 takes the traffic of the first step beside it."""
    world = serving(1, replicas=replicas, strategy=strategy or STEPS, **spec)
    world.add(2)
    world.settle()
    assert tried(world).phase == "Analysing"
    return world


def tried(world: World) -> Candidate:
    candidate = world.status.candidate
    assert candidate is not None
    return candidate


def champion(world: World) -> str:
    live = world.status.live
    assert live is not None
    return live.revision
