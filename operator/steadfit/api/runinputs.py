"""What a TrainingRun takes over from its TrainingJob, and which of it is an input: a reason to train again."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import Duration, Image, Model, NotInput, ObjectName, Quantity, Scalar
from .data import DataSources, Evaluation
from .pod import EnvVars, PodSettings, ResourceRequirements

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
    """Longest time from the Job to its pod: in a queue, or while a quota is full."""
    start_timeout: Duration = "10m"
    """Longest time from the pod to its first container, and from one step to the next (scheduling, images, volumes),
    and for which the API server may refuse the pod."""
    run_timeout: Duration = "6h"
    """Longest time the training container may run."""
    retries: Annotated[int, Field(ge=0, le=10)] = 3
    """How often a retryable failure is tried again: after 30s, doubling, at most 10m."""
    workspace: Quantity = "10Gi"
    """Size limit of the run's scratch volume (data and output)."""
    cooldown: Duration = "1h"
    """Time after a run, or after its version took over, in which alerts and monitors start none. What fires then is
    evaluated again when it ends. Make it longer than the windows of the monitors."""
    max_runs_per_day: Annotated[int, Field(ge=1, le=48)] = 4
    """How many runs alerts and monitors may start within 24 hours."""
    break_after: Annotated[int, Field(ge=1, le=20)] = 3
    """After this many runs in a row by alerts and monitors without a better version the cooldown doubles with
    every further one, up to 24 hours."""


class RunInputs(Model):
    """The part of a recipe that is copied into a run.

    Every field is also an input, so that a run starts when it changes, unless it is marked `NotInput`, here or in the
    models below.
    """

    image: Image
    """Image of the training container."""
    command: Words = []
    """Entrypoint of the training container; the image's own when empty."""
    args: Words = []
    """Arguments of the training container."""
    env: EnvVars = []
    """Environment of the training container."""
    resources: ResourceRequirements = ResourceRequirements(
        requests={"cpu": "500m", "memory": "1Gi"}, limits={"memory": "1Gi"}
    )
    """Resources of the training container."""
    params: Params = {}
    """Parameters, written to /steadfit/params.json."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    """Seed of all randomness, also in STEADFIT_SEED."""
    pod: NotInput[PodSettings] = PodSettings()
    """Where and as whom the run's pod runs."""
    store_ref: NotInput[StoreRef] = StoreRef()
    """Where artifacts and records are written."""
    data: DataSources
    """What the model learns from."""
    evaluation: Evaluation
    """How a version is judged."""
    limits: NotInput[Limits] = Limits()
    """How long a run may take and how often it is tried."""
