"""ModelVersion: one immutable result with its lineage."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from .base import (
    AGE,
    IMMUTABLE,
    Definition,
    Digest,
    Model,
    Object,
    PrinterColumn,
    Scalar,
    Status,
    list_map,
    validations,
)
from .pod import LocalObjectReference
from .run import Cause
from .runinputs import StoreRef

VersionPhase = Literal["Verified", "Rejected", "Held"]


class File(Model):
    """One file of an artifact."""

    path: Annotated[str, Field(max_length=256)]
    """Path inside the artifact."""
    size: int
    """Size in bytes."""
    sha256: str
    """SHA-256 of its bytes, in hexadecimal."""


class Artifact(Model):
    """The files of a version, addressed by their content."""

    uri: Annotated[str, Field(max_length=2048)]
    """Where the files and their manifest lie."""
    digest: Digest
    """SHA-256 of the canonical manifest."""
    size: int = 0
    """Bytes in all files."""
    files: Annotated[list[File], Field(max_length=64)] = []
    """The files."""


class RunRef(Model):
    """The run that brought a version."""

    name: str
    """Name of the TrainingRun."""
    uid: str
    """Uid of the TrainingRun; the complete record is stored under it."""


class MetricValue(Model):
    """One measured number."""

    name: str
    """Name of the metric."""
    value: float
    """Its value on the holdout."""


class ChampionResult(Model):
    """Comparison of a version with the one that served when it was made, on the same holdout rows."""

    version: Annotated[str, Field(max_length=253)]
    """Name of the champion's ModelVersion."""
    digest: Digest
    """Digest of the champion's artifact."""
    metric: Annotated[str, Field(max_length=64)]
    """Metric that they are compared by."""
    value: float | None = None
    """The champion's value."""
    difference: float | None = None
    """How much better the version is: negative if it is worse, also for a metric that is minimized."""
    lower: float | None = None
    """Lower end of the 95 % interval of the difference."""
    upper: float | None = None
    """Upper end of it."""
    rows: int = 0
    """Rows that both answered."""
    method: Annotated[str, Field(max_length=64)] = ""
    """Method of the interval, for example paired bootstrap."""
    reason: Annotated[str, Field(max_length=1024)] = ""
    """Why there is no comparison; empty when there is one."""


class EvaluationResult(Model):
    """Metrics of a version, and the holdout that they were measured on."""

    metrics: Annotated[list[MetricValue], Field(max_length=16, json_schema_extra=list_map("name"))] = []
    """Values on the holdout."""
    holdout_rows: int = 0
    """Rows in the holdout."""
    holdout_digest: str | None = None
    """Digest of the holdout's rows."""
    by: str | None = None
    """How the holdout was split off: Time or Hash."""
    column: str | None = None
    """Column it was split by."""
    boundary: str | None = None
    """Smallest value of the holdout, for a split by time."""
    fraction: float | None = None
    """Share of the rows that was held out."""
    champion: ChampionResult | None = None
    """Comparison with the version that served; absent if none did."""


class DataRecord(Model):
    """One data set as it was read."""

    name: str
    """Name of the data source."""
    uri: str
    """Where it was read."""
    digest: Digest
    """Digest over path, size and SHA-256 of every object."""
    rows: int = 0
    """Rows that were trained on."""
    holdout_rows: int = 0
    """Rows that were held out."""
    object_count: int = 0
    """Objects that were read; the store's record lists them."""


class Lineage(Model):
    """Where a version comes from: code, data, parameters, environment, infrastructure."""

    image: str
    """Image of the training container as declared."""
    image_id: str | None = None
    """The same as the node resolved it, with its digest."""
    source: dict[str, Scalar] = {}
    """Commit, dirty flag and URL of the training code."""
    environment: dict[str, Any] = Field(default={}, json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})
    """Interpreter and packages of the training container."""
    data: Annotated[list[DataRecord], Field(max_length=16, json_schema_extra=list_map("name"))] = []
    """The data as it was read."""
    params: dict[str, Scalar] = {}
    """Parameters."""
    seed: int = 0
    """Seed of all randomness."""
    input_hash: str = ""
    """Hash of the run's inputs."""
    pod_template_digest: str | None = None
    """Digest of the pod template of the run."""
    operator_version: str = ""
    """Version of the operator that made the run."""
    git_revision: str | None = None
    """Git revision that the TrainingJob's annotations named."""


class PastQuarantine(Model):
    """Why a ModelDeployment keeps an artifact from its traffic."""

    deployment: Annotated[str, Field(max_length=63)]
    """ModelDeployment it was rolled back from."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, in a sentence."""
    by: Annotated[str, Field(max_length=1024)]
    """Who or what decided it."""
    at: datetime
    """When."""
    revision: Annotated[str, Field(max_length=63)]
    """Revision that was rolled back."""


class ModelVersionSpec(Model):
    """The result. Immutable."""

    training_job_ref: LocalObjectReference
    """The recipe it came from."""
    number: Annotated[int, Field(ge=1)]
    """Number of the version, from 1."""
    run: RunRef
    """The run that brought it."""
    cause: Cause
    """Why that run started."""
    store_ref: StoreRef
    """The ArtifactStore that holds it."""
    artifact: Artifact
    """Its files."""
    evaluation: EvaluationResult
    """What was measured on the holdout."""
    lineage: Lineage
    """Where it comes from."""
    record_uri: str
    """The complete record in the store."""
    parent: str | None = None
    """The newest verified version when this one was made."""
    duplicate_of: str | None = None
    """An older version with the same digest; a duplicate is never rolled out."""
    quarantined: Annotated[list[PastQuarantine], Field(max_length=16, json_schema_extra=list_map("deployment"))] = []
    """What lay beside the artifact when it was published: the very same files had been rolled back before."""

    model_config = {"json_schema_extra": validations(IMMUTABLE)}


class Judgement(Model):
    """The verdict at one threshold."""

    metric: str
    """Name of the metric."""
    value: float | None = None
    """Its value; absent if it was not measured."""
    threshold: float
    """The threshold."""
    passed: bool
    """Whether the value is at least as good."""


GateVerdict = Literal["Pass", "Fail", "NoData", "Bootstrap"]


class Gate(Model):
    """The verdict of the comparison with the champion, by the recipe's margin."""

    verdict: GateVerdict
    """Pass: not worse than the champion beyond the margin. Fail: not shown to be as good. NoData: could not be
    compared. Bootstrap: there was no champion."""
    margin: float | None = None
    """The margin in the metric's unit; absent if it is a percentage and there is no champion's value."""
    message: Annotated[str, Field(max_length=1024)]
    """The verdict in a sentence, with both values."""


class Quarantine(PastQuarantine):
    """Why a version is kept from traffic."""

    stored: bool = False
    """Whether it is written down beside the artifact in the store, where it outlives the cluster."""


class Release(Model):
    """A quarantine that was ended, and is not written down beside the artifact any more."""

    deployment: str
    """ModelDeployment that may serve it again."""
    at: datetime
    """When that was asked for."""


class NoteFailure(Model):
    """Why what is known of quarantines could not be written beside the artifact."""

    failures: int
    """How often it failed, one after the other."""
    job: str
    """Uid of the Job that failed last."""
    retry_at: datetime
    """When it is tried again."""
    message: Annotated[str, Field(max_length=1024)]
    """What went wrong, in a sentence."""


class ModelVersionStatus(Status):
    """Where the version stands."""

    phase: VersionPhase | None = None
    """Verified, Rejected by a threshold or by the comparison with the champion, or Held for a person because there was
    no comparison."""
    judgements: Annotated[list[Judgement], Field(max_length=16, json_schema_extra=list_map("metric"))] = []
    """The verdict at each threshold."""
    gate: Gate | None = None
    """The verdict of the comparison with the champion."""
    quarantine: Quarantine | None = None
    """Set once it was rolled back."""
    quarantine_elsewhere: Annotated[
        list[Quarantine], Field(max_length=16, json_schema_extra=list_map("deployment"))
    ] = []
    """The same of further ModelDeployments that rolled it back."""
    releases: Annotated[list[Release], Field(max_length=16, json_schema_extra=list_map("deployment"))] = []
    """Quarantines that were ended."""
    note_failure: NoteFailure | None = None
    """Why the store does not know yet; absent while nothing is wrong."""


class ModelVersion(Object):
    """One immutable result: artifact digest, lineage, metrics, verdict, parent, cause."""

    spec: ModelVersionSpec
    status: ModelVersionStatus = ModelVersionStatus()


DEFINITION = Definition(
    model=ModelVersion,
    plural="modelversions",
    description="One immutable result: artifact digest, lineage, metrics, verdict, parent, cause."
    " Written by the operator.",
    short_names=("mv",),
    columns=(
        PrinterColumn("Phase", ".status.phase", description="Verified, Rejected or Held"),
        PrinterColumn("Metric", ".spec.evaluation.metrics[0].name", description="The main metric"),
        PrinterColumn("Value", ".spec.evaluation.metrics[0].value", "number", description="Its value"),
        PrinterColumn("Gate", ".status.gate.verdict", description="Against the version that served"),
        PrinterColumn("Cause", ".spec.cause.type", description="Why its run started"),
        PrinterColumn("Quarantined", ".status.quarantine.at", "date", description="Since when"),
        PrinterColumn("Digest", ".spec.artifact.digest", priority=1, description="Digest of the artifact"),
        PrinterColumn("Run", ".spec.run.name", priority=1, description="The run that brought it"),
        AGE,
    ),
)
