"""Bake: how long a version that has taken over can still be put back by what is measured.

It counts from when the revision took all of the traffic. As long, the last good one is kept ready to take it again.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.base import parse_duration
from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus


def until(status: ModelDeploymentStatus, deployment: ModelDeployment) -> datetime | None:
    """Return when the bake of what serves ends, or has ended; None while nothing serves."""
    live = status.live
    return live.since + parse_duration(deployment.spec.bake_duration) if live else None


def applies(status: ModelDeploymentStatus, deployment: ModelDeployment, now: datetime) -> bool:
    """Return whether what serves still bakes."""
    end = until(status, deployment)
    return end is not None and now < end
