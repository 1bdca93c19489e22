"""What a run takes over from its TrainingJob."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import Duration, Model, ObjectName, Quantity, Scalar

Words = Annotated[list[Annotated[str, Field(max_length=32768)]], Field(max_length=256)]
"""Words of a command line."""

Params = Annotated[dict[str, Scalar], Field(max_length=128)]
"""Parameters by name; values are strings, numbers or booleans."""


class StoreRef(Model):
    """The ArtifactStore that results are written to."""

    name: ObjectName = "default"
    """Name of the ArtifactStore."""


class Limits(Model):
    """How long a run may take and how often it is tried."""

    queue_timeout: Duration = "24h"
    """Longest time from the Job to its pod (admission, quota)."""
    start_timeout: Duration = "10m"
    """Longest time from the pod to its first container, and from one step to the next (scheduling, images, volumes)."""
    run_timeout: Duration = "6h"
    """Longest time the training container may run."""
    retries: Annotated[int, Field(ge=0, le=10)] = 3
    """How often a retryable failure is tried again: after 30s, doubling, at most 10m."""
    workspace: Quantity = "10Gi"
    """Size limit of the run's scratch volume (data and output)."""
    cooldown: Duration = "1h"
    """Time after a run, or after its version took over, in which alerts and monitors start none. What fires then is
    looked at again when it ends. Make it longer than the windows of the monitors."""
    max_runs_per_day: Annotated[int, Field(ge=1, le=48)] = 4
    """How many runs alerts and monitors may start within 24 hours."""
    break_after: Annotated[int, Field(ge=1, le=20)] = 3
    """After this many runs in a row by alerts and monitors that brought no better version the cooldown doubles with
    every further one, up to 24 hours."""
