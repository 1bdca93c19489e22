"""ModelDeployment: serves the versions of one model."""

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
    AdmittedTemplate,
    AutomaticRollback,
    Candidate,
    Diagnosis,
    LiveScores,
    Override,
    PodFailure,
    Promoted,
    QuarantineEntry,
    Refresh,
    Released,
    Replaced,
    RevisionRef,
    ServedVersion,
    TemplateRepair,
    TrafficRepair,
    VersionFloor,
    WarmRelease,
)
from .strategy import Analysis, RolloutLimits, Strategy, Traffic, Warm


class Server(Model):
    """The server pods."""

    image: Image | None = None
    """Image of the server; the operator's default image when absent."""
    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Number of pods. Leave it out of Git when an autoscaler sets it."""
    resources: ResourceRequirements = ResourceRequirements(
        requests={"cpu": "100m", "memory": "256Mi"}, limits={"memory": "1Gi"}
    )
    """Resources of a pod."""
    env: EnvVars = []
    """Additional environment variables of the server."""
    pod: PodSettings = PodSettings()
    """Scheduling, service account and labels of the pods."""
    drains: bool | None = None
    """Whether the image closes its clients' connections when its pod is annotated to drain, as the default image does.
    When absent, only the default image does."""


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
    """Capture of requests, answers and later outcomes in the store, as training data."""

    sample: Annotated[float, Field(gt=0, le=1)]
    """Share of requests to capture."""
    flush_interval: Duration = "60s"
    """Maximum time until captured rows are written. A monitor of action Recover compares versions on the written rows,
    so it should be short compared with the monitor's window."""


class ModelDeploymentSpec(Model):
    """Desired state of the ModelDeployment."""

    training_job_ref: LocalObjectReference | None = None
    """The TrainingJob whose versions are served; the one of the same name when absent."""
    server: Server = Server()
    """The server pods."""
    pin: Pin | None = None
    """Serve this version; the newest verified one when absent."""
    strategy: Strategy | None = None
    """How a new revision takes over; blueGreen when absent."""
    analysis: Analysis = Analysis()
    """The metrics that a canary must pass."""
    traffic: Traffic | None = None
    """Gateways that route requests. Without it, requests come through the Service of the ModelDeployment's name, which
    always exists."""
    progress_deadline: Duration = "1h"
    """How long the pods of a candidate may take to become ready, from its start and again from its promotion. After
    that it is abandoned, and the live version keeps serving. It is kept where no good version is live, or it is
    pinned."""
    bake_duration: Duration = "24h"
    """How long after its promotion a version can be rolled back by a monitor of action Rollback."""
    warm: Warm = Warm()
    """Pods of the last good version. They yield to those of the live version and of a candidate: when one of these
    finds no node, or is refused because a quota is full, all warm pods end."""
    limits: RolloutLimits = RolloutLimits()
    """Limits of automatic actions."""
    dry_run: bool = False
    """Only report automatic actions: no measurement causes a rollback, quarantine or retraining."""
    monitors: Monitors = []
    """Monitors of the live version."""
    capture: Capture | None = None
    """Capture requests, answers and outcomes in the store; nothing is captured when absent."""
    ready_policy: Literal["Accepted", "FirstModel"] = "FirstModel"
    """FirstModel: Ready once a version serves. Accepted: Ready once the spec is valid."""

    model_config = {
        "json_schema_extra": validations(
            cel(
                "has(self.traffic) || !has(self.strategy) || !has(self.strategy.canary)"
                " || self.strategy.canary.steps.all(s, s.weight <= 50)",
                "pods behind a Service cannot express a weight above 50: the champion keeps all of its pods, and a"
                " candidate never gets more than it has; remove the step, or set traffic.gatewayAPI",
            )
        )
    }


class ModelDeploymentStatus(Status):
    """Observed state: the live revision, the candidate, and the records of decisions."""

    replicas: int = 0
    """Ready pods of the live revision."""
    selector: str = ""
    """Label selector of the live revision's pods, for autoscalers."""
    url: str | None = None
    """Address of the Service inside the cluster."""
    live: RevisionRef | None = None
    """The revision that takes the traffic. The Service follows this entry."""
    last_good: RevisionRef | None = None
    """The previous live revision, if it was not rolled back."""
    replaced: Replaced | None = None
    """What was live before. A Rollback of that time is about it."""
    warm_release: WarmRelease | None = None
    """Why the last good revision has no warm pods; removed when they would have ended, or with the next live
    revision."""
    candidate: Candidate | None = None
    """The revision that comes up. Its Deployment is created from this entry."""
    abandoned: Annotated[list[Abandoned], Field(max_length=16, json_schema_extra=list_map("revision"))] = []
    """Candidates that were abandoned without being found worse."""
    rollbacks: Annotated[list[AutomaticRollback], Field(max_length=100)] = []
    """Automatic rollbacks of the last 24 h, oldest first."""
    diagnoses: Annotated[list[Diagnosis], Field(max_length=32, json_schema_extra=list_map("monitor"))] = []
    """Root causes of firing monitors of action Recover: the model or the data."""
    served_versions: Annotated[list[ServedVersion], Field(max_length=16)] = []
    """Versions that served without a pin, the last one at the end. A removed pin goes back to it."""
    served: Annotated[list[ServedVersion], Field(max_length=16)] | None = None
    """The name of `servedVersions` in an earlier operator: read once after an upgrade, then absent."""
    version_floor: VersionFloor | None = None
    """Up to which number versions were decided on: they served without a pin, were rolled back or abandoned, or
    existed when a person promoted another one. Without a pin, only newer versions are rolled out. It never falls."""
    quarantine: Annotated[list[QuarantineEntry], Field(max_length=128, json_schema_extra=list_map("revision"))] = []
    """Revisions that were rolled back."""
    further_decisions: Annotated[list[Annotated[str, Field(max_length=16)]], Field(max_length=500)] = []
    """Revisions in quarantine, or abandoned, that have no room in these lists. Each has a ControllerRevision with the
    decision, which is listed again while spec asks for the pod template."""
    released: Annotated[list[Released], Field(max_length=128)] = []
    """Versions that were released from quarantine."""
    template_repairs: Annotated[list[TemplateRepair], Field(max_length=32)] = []
    """Pod templates that someone else has changed in the last hour or that still differ, oldest repair first."""
    traffic_repairs: Annotated[list[TrafficRepair], Field(max_length=6)] = []
    """The HTTPRoute and the Services that someone else has changed in the last hour or that still differ, oldest repair
    first."""
    admitted_templates: Annotated[
        list[AdmittedTemplate], Field(max_length=4, json_schema_extra=list_map("revision"))
    ] = []
    """Pod templates that a policy at admission changes whenever the operator applies them."""
    pod_failures: Annotated[list[PodFailure], Field(max_length=36)] = []
    """Exits and losses of readiness of the servers of the live, the last good and the candidate revision in the last
    24 h, oldest first, at most 12 a revision."""
    override: Override | None = None
    """A pin by a ModelAction."""
    promoted: Promoted | None = None
    """A version that a ModelAction promoted. It serves until a newer one replaces it."""
    live_scores: LiveScores | None = None
    """The gate's scores of the live version; absent if no monitor has a level relative to them."""
    refresh: Refresh | None = None
    """A Refresh in progress, or a Promote of one that was abandoned."""
    monitors: Annotated[list[MonitorState], Field(max_length=32, json_schema_extra=list_map("name"))] = []
    """States of the monitors with an action other than Alert."""
    actions: ActionRecords = []
    """Records of the newest ModelActions."""


class ModelDeployment(Object):
    """Serves the versions of one model behind one Service, and rolls out new ones."""

    spec: ModelDeploymentSpec
    status: ModelDeploymentStatus = ModelDeploymentStatus()

    @property
    def training_job(self) -> str:
        """Name of the TrainingJob whose versions are served."""
        return self.spec.training_job_ref.name if self.spec.training_job_ref else self.name


DEFINITION = Definition(
    model=ModelDeployment,
    plural="modeldeployments",
    description="Serves the versions of one model behind one Service, and rolls out new ones.",
    short_names=("mdep",),
    rules=(name_rule("a ModelDeployment"),),
    scale=True,
    columns=(
        READY,
        REASON,
        PrinterColumn("Version", ".status.live.version", description="The live version"),
        PrinterColumn("Replicas", ".status.replicas", "integer", description="Ready pods of the live revision"),
        PrinterColumn("Candidate", ".status.candidate.version", description="The version that comes up"),
        PrinterColumn(
            "Rollout",
            '.status.conditions[?(@.type=="Progressing")].reason',
            description="How far the candidate is, or why the newest version does not serve",
        ),
        PrinterColumn(
            "Pinned",
            '.status.conditions[?(@.type=="Overridden")].status',
            description="Whether a Pin action or spec.pin decides what serves",
        ),
        PrinterColumn(
            "Firing",
            '.status.monitors[?(@.phase=="Firing")].name',
            description="The first monitor that fires, of those with another action than Alert",
        ),
        PrinterColumn(
            "Recovery",
            '.status.conditions[?(@.type=="RecoveryStalled")].reason',
            description="Why a monitor that fires needs a person",
        ),
        PrinterColumn(
            "Frozen",
            '.status.conditions[?(@.type=="RollbacksFrozen")].status',
            description="Whether automatic rollbacks have stopped",
        ),
        PrinterColumn(
            "Current",
            '.status.conditions[?(@.type=="UpToDate")].status',
            description="Whether the live pods are those that the installed operator renders",
        ),
        PrinterColumn("Revision", ".status.live.revision", priority=1, description="The live revision"),
        PrinterColumn("URL", ".status.url", priority=1, description="Address inside the cluster"),
        MESSAGE,
        AGE,
    ),
)
