"""The bake of a new version: how long monitors can roll it back after it took all of the traffic.

A revision bakes once. When it comes back, the same numbers more likely come from the world or from the load.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.base import parse_duration
from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus


def until(status: ModelDeploymentStatus, deployment: ModelDeployment) -> datetime | None:
    """Return when the bake of the live version ends, or has ended; None without a live version."""
    live = status.live
    if live is None:
        return None
    return live.since if live.baked else live.since + parse_duration(deployment.spec.bake_duration)


def applies(status: ModelDeploymentStatus, deployment: ModelDeployment, now: datetime) -> bool:
    """Return whether the live version still bakes."""
    end = until(status, deployment)
    return end is not None and now < end
