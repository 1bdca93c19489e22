"""ModelDeployment: how the versions of one model are served."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

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
    Label,
    Model,
    Object,
    ObjectName,
    PrinterColumn,
    Status,
    cel,
    list_map,
    name_rule,
    validations,
)
from .pod import EnvVars, LocalObjectReference, PodSettings, ResourceRequirements


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


class Drift(Model):
    """Inputs that no longer look like the training data, by bins frozen at training."""

    statistic: Literal["PSI", "JS"] = "PSI"
    """PSI: population stability index, less what chance alone gives (natural logarithm). JS: Jensen-Shannon distance
    (base 2, from 0 to 1)."""
    max: Annotated[float, Field(gt=0, le=100)]
    """Fires above this value."""
    features: Annotated[
        Any,
        WithJsonSchema(
            {
                # A value of several types is invisible to CEL. Bounds of a list hold for whatever is none, and so does
                # `maxItems: 0`: not to satisfy it takes a list with something in it.
                "x-kubernetes-preserve-unknown-fields": True,
                "anyOf": [{"enum": ["Weighted", "Any"]}, {"maxItems": 64, "not": {"maxItems": 0}}],
            }
        ),
    ] = "Weighted"
    """Weighted: the mean of all features by importance. Any: the largest one. Or a list of features: the largest of
    these. `prediction` stands for the model's own answers."""


class Quality(Model):
    """How good the answers were, by outcomes that were posted back."""

    metric: Literal["accuracy", "roc_auc", "brier_score", "calibration_error", "mae", "rmse"]
    """Metric over the window."""
    min: float | None = None
    """Fires below this value."""
    max: float | None = None
    """Fires above this value."""

    model_config = {
        "json_schema_extra": validations(
            cel("has(self.min) != has(self.max)", "a quality monitor needs a condition: set min or max"),
            cel(
                "has(self.min) == (self.metric in ['accuracy', 'roc_auc'])",
                "accuracy and roc_auc are better when larger (set min); the others are better when smaller (set max)",
            ),
        )
    }


class ErrorRate(Model):
    """Share of inference requests that the server failed (5xx)."""

    max: Annotated[float, Field(gt=0, lt=1)]
    """Fires above this share."""


class Latency(Model):
    """Time from an inference request to its answer."""

    quantile: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Which quantile."""
    max: Duration
    """Fires above this time."""


class Query(Model):
    """A PromQL expression of one's own; it must give one number."""

    source: ObjectName = "default"
    """Name of the MetricSource."""
    prom_ql: Annotated[str, Field(alias="promQL", min_length=1, max_length=4096)]
    """Expression; its result must be a scalar or a vector of one series."""
    min: float | None = None
    """Fires below this value."""
    max: float | None = None
    """Fires above this value."""

    model_config = {
        "json_schema_extra": validations(
            cel("has(self.min) != has(self.max)", "a query monitor needs a condition: set min or max")
        )
    }


class Monitor(Model):
    """One thing that is watched for as long as the ModelDeployment stands."""

    name: Label
    """Name of the monitor."""
    drift: Drift | None = None
    """Watch the inputs."""
    quality: Quality | None = None
    """Watch the outcomes."""
    error_rate: ErrorRate | None = None
    """Watch failed requests."""
    latency: Latency | None = None
    """Watch the time of answers."""
    query: Query | None = None
    """Watch an expression."""
    window: Duration = "1h"
    """Time that each value is taken over; for a query it is written in the expression."""
    for_: Duration | None = Field(default=None, alias="for")
    """How long the condition must hold before it fires; at once when absent."""
    clear: float | None = None
    """Level at which it stops firing (seconds for a latency); the level itself less a tenth of it when absent."""
    min_samples: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Fewer samples in the window are no data: drift 500, quality 200, others 100 when absent."""
    action: Literal["Retrain", "Alert"] = "Alert"
    """Alert: an alerting rule for Prometheus. Retrain: the operator starts a run of the TrainingJob as well."""

    model_config = {
        "json_schema_extra": validations(
            cel(
                "[has(self.drift), has(self.quality), has(self.errorRate), has(self.latency), has(self.query)]"
                ".filter(x, x).size() == 1",
                "a monitor needs one kind: set drift, quality, errorRate, latency or query",
            ),
            cel(
                "self.action == 'Alert' || has(self.drift) || has(self.quality) || has(self.query)",
                "errorRate and latency can't be mended by training: their action is Alert",
            ),
            cel(
                "!has(self.drift) || !has(self.minSamples) || self.minSamples >= 200",
                "drift needs at least 200 samples: with fewer, chance alone passes the usual levels",
            ),
        )
    }


Monitors = Annotated[list[Monitor], Field(max_length=32, json_schema_extra=list_map("name"))]
"""Monitors, at most one of a name."""


class Capture(Model):
    """Requests, answers and later outcomes that are kept in the store, to be learned from."""

    sample: Annotated[float, Field(gt=0, le=1)]
    """Share of requests that is kept."""


class ModelDeploymentSpec(Model):
    """How versions are served."""

    training_job_ref: LocalObjectReference | None = None
    """The TrainingJob whose versions are served; the one of the same name when absent."""
    server: Server = Server()
    """The pods that answer."""
    pin: Pin | None = None
    """Serve this version; the newest verified one when absent."""
    monitors: Monitors = []
    """What is watched while it serves."""
    capture: Capture | None = None
    """Keep requests, answers and outcomes in the store; nothing is kept when absent."""
    ready_policy: Literal["Accepted", "FirstModel"] = "FirstModel"
    """FirstModel: Ready once a version serves. Accepted: Ready once the spec is valid."""


class RevisionRef(Model):
    """A version together with the pod template it is served by."""

    revision: str
    """Hash of the artifact digest and the rendered pod template."""
    version: str
    """Name of the ModelVersion."""
    number: int
    """Its number."""
    digest: str
    """Digest of its artifact."""
    template_digest: str
    """Digest of the rendered pod template without the artifact: tells a change of the model from one of the server."""
    asked_template_digest: str | None = None
    """Digest of the template that the spec asked for when an older revision, frozen with another one, was taken up
    again. The version is rendered anew only when the spec asks for yet another template."""
    since: datetime
    """When it was decided on."""


class Candidate(RevisionRef):
    """The revision that is coming up."""

    message: str = ""
    """What it waits for, in its pods' own words."""


class QuarantineEntry(Model):
    """A revision that never takes traffic again until it is released."""

    revision: str
    """The revision."""
    version: str
    """Name of its ModelVersion."""
    number: int
    """Its number."""
    digest: str | None = None
    """Digest of the artifact, when only the model had changed: then no other revision of it serves either."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, in a sentence."""
    by: str
    """Who or what decided it."""
    at: datetime
    """When."""


class Override(Model):
    """A pin set by a ModelAction. It beats spec.pin until Unpin."""

    number: int
    """Number of the version."""
    action: str
    """Name of the ModelAction."""
    by: str
    """Who asked."""
    at: datetime
    """When."""


MonitorPhase = Literal["NoData", "OK", "Pending", "Firing"]


class MonitorState(Model):
    """Where a monitor of action Retrain stands; those of action Alert stand in Prometheus."""

    name: str
    """Name of the monitor."""
    phase: MonitorPhase
    """NoData: no verdict, so nothing follows. Pending: the condition holds, but not for long enough."""
    since: datetime
    """Since when."""
    value: float | None = None
    """The value when this phase began."""
    samples: int | None = None
    """The samples it was taken from, then."""
    message: Annotated[str, Field(max_length=1024)] = ""
    """The phase in a sentence."""


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
    automatic: int | None = None
    """Number of the version that served last without a pin. Without a pin, only a newer version replaces it."""
    quarantine: Annotated[list[QuarantineEntry], Field(max_length=128, json_schema_extra=list_map("revision"))] = []
    """What was rolled back."""
    override: Override | None = None
    """A pin set by a ModelAction."""
    monitors: Annotated[list[MonitorState], Field(max_length=32, json_schema_extra=list_map("name"))] = []
    """Where the monitors of action Retrain stand."""
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
