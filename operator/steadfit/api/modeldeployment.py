"""ModelDeployment: how the versions of one model are served."""

from __future__ import annotations

from datetime import datetime
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


class ModelDeploymentSpec(Model):
    """How versions are served."""

    training_job_ref: LocalObjectReference | None = None
    """The TrainingJob whose versions are served; the one of the same name when absent."""
    server: Server = Server()
    """The pods that answer."""
    pin: Pin | None = None
    """Serve this version; the newest verified one when absent."""
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
