"""ModelDeployment: how the versions of one model are served."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .actionrecord import ActionRecords
from .base import (
    AGE,
    MESSAGE,
    READY,
    REASON,
    Definition,
    Digest,
    Duration,
    Image,
    Model,
    Object,
    PrinterColumn,
    Status,
    cel,
    list_map,
    name_rule,
    validations,
)
from .monitor import Monitors, MonitorState
from .pod import EnvVars, LocalObjectReference, PodSettings, ResourceRequirements
from .rollout import (
    Abandoned,
    AutomaticRollback,
    Candidate,
    Diagnosis,
    Override,
    Promoted,
    QuarantineEntry,
    Released,
    RevisionRef,
)
from .strategy import Analysis, RolloutLimits, Strategy, Traffic


class Server(Model):
    """The pods that answer."""

    image: Image | None = None
    """Image of the server; the operator's own default when absent."""
    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """How many pods answer. Leave it out of Git when an autoscaler sets it."""
    resources: ResourceRequirements = ResourceRequirements(
        requests={"cpu": "100m", "memory": "256Mi"}, limits={"memory": "1Gi"}
    )
    """Resources of a pod."""
    env: EnvVars = []
    """Extra environment of the server."""
    pod: PodSettings = PodSettings()
    """Where and as whom the pods run."""
    drains: bool | None = None
    """Whether the image closes its clients' connections when its pod's annotation asks for it, as the default image
    does; when absent, an image of your own is taken not to."""


class Pin(Model):
    """The one version to serve."""

    version: Annotated[int, Field(ge=1)] | None = None
    """Number of the version."""
    digest: Digest | None = None
    """Digest of the version's artifact."""

    model_config = {
        "json_schema_extra": validations(
            cel("has(self.version) != has(self.digest)", "pin a version or a digest: exactly one of them"),
        )
    }


class Capture(Model):
    """Requests, answers and later outcomes that are kept in the store, to be learned from."""

    sample: Annotated[float, Field(gt=0, le=1)]
    """Share of requests that is kept."""
    flush_interval: Duration = "60s"
    """How long rows wait at most until they are written. A monitor of action Recover compares versions on what is
    written by then, so it ought to be short beside the monitor's window."""


class ModelDeploymentSpec(Model):
    """How versions are served."""

    training_job_ref: LocalObjectReference | None = None
    """The TrainingJob whose versions are served; the one of the same name when absent."""
    server: Server = Server()
    """The pods that answer."""
    pin: Pin | None = None
    """Serve this version; the newest verified one when absent."""
    strategy: Strategy | None = None
    """How a new revision takes over; blueGreen when absent."""
    analysis: Analysis = Analysis()
    """What a canary must show."""
    traffic: Traffic | None = None
    """How requests reach the pods; by a Service of the ModelDeployment's name, which is always there, when absent."""
    bake_duration: Duration = "24h"
    """How long after its promotion a version can be rolled back by a monitor of action Rollback. As long, the last good
    version keeps its pods."""
    limits: RolloutLimits = RolloutLimits()
    """What is done by itself, and how often."""
    dry_run: bool = False
    """Only tell what would be done by itself: no rollback, quarantine or retraining follows from a measurement."""
    monitors: Monitors = []
    """What is watched while it serves."""
    capture: Capture | None = None
    """Keep requests, answers and outcomes in the store; nothing is kept when absent."""
    ready_policy: Literal["Accepted", "FirstModel"] = "FirstModel"
    """FirstModel: Ready once a version serves. Accepted: Ready once the spec is valid."""

    model_config = {
        "json_schema_extra": validations(
            cel(
                "has(self.traffic) || !has(self.strategy) || !has(self.strategy.canary)"
                " || self.strategy.canary.steps.all(s, s.weight <= 50)",
                "pods behind a Service cannot express a weight above 50: the champion keeps all of its pods, and a"
                " candidate never gets more than it has; leave it out, or set traffic.gatewayAPI",
            )
        )
    }


class ModelDeploymentStatus(Status):
    """What serves, and what is coming up."""

    replicas: int = 0
    """Ready pods of the live revision."""
    selector: str = ""
    """Label selector of the live revision's pods, for autoscalers."""
    url: str | None = None
    """Address of the Service inside the cluster."""
    live: RevisionRef | None = None
    """The revision that takes the traffic; the Service is pointed at it from this entry."""
    last_good: RevisionRef | None = None
    """The revision that took the traffic before, and was not rolled back."""
    candidate: Candidate | None = None
    """The revision that is coming up; its Deployment is created from this entry."""
    abandoned: Annotated[list[Abandoned], Field(max_length=16, json_schema_extra=list_map("revision"))] = []
    """Candidates that were given up without being found worse."""
    rollbacks: Annotated[list[AutomaticRollback], Field(max_length=100)] = []
    """Rollbacks of the last 24 h that nobody asked for, oldest first."""
    diagnoses: Annotated[list[Diagnosis], Field(max_length=32, json_schema_extra=list_map("monitor"))] = []
    """Root causes of firing monitors of action Recover: the model or the data."""
    version_floor: int | None = None
    """Number of the version that served last without a pin. Without a pin, only a newer version replaces it."""
    quarantine: Annotated[list[QuarantineEntry], Field(max_length=128, json_schema_extra=list_map("revision"))] = []
    """What was rolled back."""
    released: Annotated[list[Released], Field(max_length=128, json_schema_extra=list_map("version"))] = []
    """What was let out of quarantine."""
    override: Override | None = None
    """A pin set by a ModelAction."""
    promoted: Promoted | None = None
    """A version let through by a ModelAction; it serves until a newer one takes its place."""
    monitors: Annotated[list[MonitorState], Field(max_length=32, json_schema_extra=list_map("name"))] = []
    """Where the monitors stand that something follows from by itself."""
    actions: ActionRecords = []
    """The newest ModelActions and what became of them."""


class ModelDeployment(Object):
    """How the versions of one model are served: server, replicas, pin."""

    spec: ModelDeploymentSpec
    status: ModelDeploymentStatus = ModelDeploymentStatus()

    @property
    def training_job(self) -> str:
        """Name of the TrainingJob whose versions are served."""
        return self.spec.training_job_ref.name if self.spec.training_job_ref else self.name


DEFINITION = Definition(
    model=ModelDeployment,
    plural="modeldeployments",
    description="How the versions of one model are served: server, replicas, pin.",
    short_names=("mdep",),
    rules=(name_rule("a ModelDeployment"),),
    scale=True,
    columns=(
        READY,
        REASON,
        PrinterColumn("Version", ".status.live.version", description="What serves"),
        PrinterColumn("Replicas", ".status.replicas", "integer", description="Ready pods that serve"),
        PrinterColumn("Candidate", ".status.candidate.version", description="What is coming up"),
        PrinterColumn("Revision", ".status.live.revision", priority=1, description="What serves, as a revision"),
        PrinterColumn("URL", ".status.url", priority=1, description="Address inside the cluster"),
        MESSAGE,
        AGE,
    ),
)
