"""ModelVersion: one trained model with its artifact, evaluation and lineage."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from .base import (
    AGE,
    IMMUTABLE,
    REASON,
    Definition,
    Digest,
    Model,
    Object,
    Planned,
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
    """The files of a version, with a content digest."""

    uri: Annotated[str, Field(max_length=2048)]
    """Location of the files and their manifest."""
    digest: Digest
    """SHA-256 of the canonical manifest."""
    size: int = 0
    """Size of all files in bytes."""
    files: Annotated[list[File], Field(max_length=64)] = []
    """The files."""


class RunRef(Model):
    """The TrainingRun that produced a version."""

    name: str
    """Name of the TrainingRun."""
    uid: str
    """Uid of the TrainingRun. The complete record in the store is named by it."""


class MetricValue(Model):
    """Value of one metric."""

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
    """Upper end of the 95 % interval of the difference."""
    rows: int = 0
    """Rows that both answered."""
    shared_rows: int | None = None
    """Rows of the holdout that were held out from the champion too, which alone count; absent if all were. They are
    fewer in the first comparison after a change of the holdout."""
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
    """Kind of the split: Time or Hash."""
    column: str | None = None
    """Column of the split."""
    boundary: str | None = None
    """Smallest value in the holdout, for a split by time."""
    fraction: float | None = None
    """Share of the rows in the holdout."""
    champion: ChampionResult | None = None
    """Comparison with the version that served; absent if none did."""


class DataRecord(Model):
    """One data set as it was read for the run."""

    name: str
    """Name of the data source."""
    uri: str
    """Location it was read from."""
    digest: Digest
    """Digest over path, size and SHA-256 of every object."""
    rows: int = 0
    """Number of training rows."""
    holdout_rows: int = 0
    """Number of holdout rows."""
    object_count: int = 0
    """Number of objects that were read; the record in the store lists them."""


class Lineage(Model):
    """Lineage of a version: code, data, parameters, environment and infrastructure."""

    image: str
    """Image of the training container in the spec."""
    image_id: str | None = None
    """The image that the node ran, with its digest."""
    source: dict[str, Scalar] = {}
    """Commit, dirty flag and URL of the training code."""
    environment: dict[str, Any] = Field(default={}, json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})
    """Interpreter and packages of the training container."""
    data: Annotated[list[DataRecord], Field(max_length=16, json_schema_extra=list_map("name"))] = []
    """The data sets as they were read."""
    params: dict[str, Scalar] = {}
    """Parameters of the run."""
    seed: int = 0
    """Random seed of the run."""
    input_hash: str = ""
    """Hash of the run's inputs."""
    pod_template_digest: str | None = None
    """Digest of the pod template of the run."""
    operator_version: str = ""
    """Version of the operator that created the run."""
    git_revision: str | None = None
    """Git revision in the TrainingJob's annotations."""


class PastQuarantine(Model):
    """A quarantine of an artifact at one ModelDeployment."""

    deployment: Annotated[str, Field(max_length=63)]
    """ModelDeployment that rolled it back."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, in a sentence."""
    by: Annotated[str, Field(max_length=1024)]
    """Who or what decided it."""
    at: datetime
    """When."""
    revision: Annotated[str, Field(max_length=63)]
    """Revision that was rolled back."""


class PastServing(Model):
    """A serving of an artifact by one ModelDeployment, perhaps of another cluster."""

    version: Annotated[str, Field(max_length=253)]
    """Name of the ModelVersion that served."""
    deployment: Annotated[str, Field(max_length=63)]
    """Name of the ModelDeployment."""
    deployment_uid: Annotated[str, Field(max_length=64)]
    """Its uid."""
    started_at: datetime
    """When it began to take traffic."""
    ended_at: datetime
    """When it took no traffic any more."""
    share: int
    """Percentage of the traffic, the last one."""
    outcome: Annotated[str, Field(max_length=32)]
    """How it ended."""
    let_through: bool = False
    """Whether it took all of the traffic without a pin."""


class TrainingJobRef(LocalObjectReference):
    """The TrainingJob whose run produced a version."""

    uid: str | None = None
    """Uid of the TrainingJob. Another one may have taken its name since."""


class ModelVersionSpec(Model):
    """The trained model. It is immutable."""

    training_job_ref: TrainingJobRef
    """The TrainingJob that it belongs to."""
    number: Annotated[int, Field(ge=1)]
    """Number of the version, from 1."""
    run: RunRef
    """The TrainingRun that produced it."""
    cause: Cause
    """Why that run started."""
    store_ref: StoreRef
    """The ArtifactStore that holds its files."""
    artifact: Artifact
    """Its files."""
    evaluation: EvaluationResult
    """Its metrics on the holdout."""
    lineage: Lineage
    """Its code, data, parameters, environment and infrastructure."""
    record_uri: str
    """Location of the complete record in the store."""
    parent: str | None = None
    """The newest verified version when this one was created."""
    duplicate_of: str | None = None
    """An older version with the same digest. A duplicate is rolled out unless that artifact serves already."""
    quarantined: Annotated[list[PastQuarantine], Field(max_length=16, json_schema_extra=list_map("deployment"))] = []
    """Quarantines noted beside the artifact when it was published: the same files were rolled back before."""
    served: Annotated[list[PastServing], Field(max_length=16)] = []
    """Servings noted beside the artifact when it was published: the last ones of the same files that had no room in a
    status. Nothing is decided by them."""

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
    """Whether the value is at least as good as the threshold."""


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
    """A quarantine of the version at one ModelDeployment."""

    stored: bool = False
    """Whether the note beside the artifact in the store has it, which outlives the cluster."""


class Release(Model):
    """A quarantine that was ended and removed from the note beside the artifact."""

    deployment: str
    """ModelDeployment that may serve the version again."""
    at: datetime
    """When the Release was executed."""


ServingOutcome = Literal["Candidate", "Serving", "Replaced", "RolledBack", "Abandoned", "Ended"]


class ServingRecord(Model):
    """Time during which the version took traffic of one ModelDeployment."""

    deployment: Annotated[str, Field(max_length=63)]
    """Name of the ModelDeployment."""
    deployment_uid: str
    """Its uid. Another one may have its name later."""
    started_at: datetime
    """When it began to take traffic."""
    ended_at: datetime | None = None
    """When it took no traffic any more; absent while it does."""
    share: int
    """Percentage of the traffic; after the end, the last one."""
    outcome: ServingOutcome
    """Candidate: it takes a share in a canary. Serving: it takes all of the traffic. Replaced: another version took
    over, or it was not the desired one any more. RolledBack: it is in quarantine. Abandoned: it was abandoned without a
    verdict. Ended: the ModelDeployment was deleted, or names another TrainingJob and nothing of the
    version any more."""
    let_through: bool = False
    """Whether it took all of the traffic without a pin. A ModelDeployment that is created again starts with the last
    such version."""


class PastAbandonment(Model):
    """A decision of a ModelDeployment not to roll the version out by itself."""

    deployment: Annotated[str, Field(max_length=63)]
    """Name of the ModelDeployment that abandoned it."""
    revision: Annotated[str, Field(max_length=63)]
    """Revision that was abandoned."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, in a sentence."""
    by: Annotated[str, Field(max_length=1024)]
    """Who or what decided it."""
    at: datetime
    """When."""


class NoteFailure(Model):
    """Failure to write the quarantine note, or servings, beside the artifact."""

    failures: int
    """Number of consecutive failures."""
    job: str
    """Uid of the Job that failed last."""
    retry_at: Annotated[datetime, Planned(timedelta(hours=1))]
    """Time of the next attempt."""
    message: Annotated[str, Field(max_length=1024)]
    """What failed, in a sentence."""
    of: Literal["Quarantine", "Servings"] = "Quarantine"
    """What is not written."""


class ModelVersionStatus(Status):
    """Verdict of the gate, and quarantines."""

    phase: VersionPhase | None = None
    """Verified; Rejected by a threshold or by the comparison with the champion; Held, for a person to promote or pin,
    because there was no comparison."""
    judgements: Annotated[list[Judgement], Field(max_length=16, json_schema_extra=list_map("metric"))] = []
    """The verdict at each threshold."""
    gate: Gate | None = None
    """The verdict of the comparison with the champion."""
    quarantine: Quarantine | None = None
    """The first quarantine; absent if no ModelDeployment rolled it back."""
    quarantine_elsewhere: Annotated[
        list[Quarantine], Field(max_length=16, json_schema_extra=list_map("deployment"))
    ] = []
    """Quarantines at further ModelDeployments."""
    releases: Annotated[list[Release], Field(max_length=64, json_schema_extra=list_map("deployment"))] = []
    """Quarantines that were ended: the newest 16, and each that a ModelDeployment still lists as released."""
    served: Annotated[list[ServingRecord], Field(max_length=96)] = []
    """Which ModelDeployments it has served, oldest first: the newest 16 records, of each ModelDeployment the last one
    that lets it through, and those that are not written to `servings.json` beside the artifact yet. A record that the
    store does not have makes room only for a 97th: it is an Event and a line of the operator's log."""
    abandoned: Annotated[list[PastAbandonment], Field(max_length=16)] = []
    """Where it was abandoned, oldest first. A Promote removes the entry."""
    below_floor_of: Annotated[list[str], Field(max_length=64)] = []
    """Names of the ModelDeployments whose version floor has reached its number: they do not roll it out by themselves,
    nor does one that is created again under such a name."""
    note_failure: NoteFailure | None = None
    """Why the notes in the store are not up to date; absent if they are."""


class ModelVersion(Object):
    """One trained model: artifact, lineage, metrics, verdict, parent and cause. Its spec is immutable."""

    spec: ModelVersionSpec
    status: ModelVersionStatus = ModelVersionStatus()


DEFINITION = Definition(
    model=ModelVersion,
    plural="modelversions",
    description="One trained model: artifact, lineage, metrics, verdict, parent and cause. Its spec is immutable."
    " The operator creates it.",
    short_names=("mv",),
    columns=(
        PrinterColumn("Phase", ".status.phase", description="Verified, Rejected or Held"),
        REASON,
        PrinterColumn("Metric", ".spec.evaluation.metrics[0].name", description="The main metric"),
        PrinterColumn("Value", ".spec.evaluation.metrics[0].value", "number", description="Its value"),
        PrinterColumn("Compared", ".status.gate.verdict", description="Result of the comparison with the champion"),
        PrinterColumn("Cause", ".spec.cause.type", description="Why its run started"),
        PrinterColumn("Quarantined", ".status.quarantine.at", "date", description="Time since its quarantine"),
        PrinterColumn("Digest", ".spec.artifact.digest", priority=1, description="Digest of the artifact"),
        PrinterColumn("Run", ".spec.run.name", priority=1, description="The run that produced it"),
        AGE,
    ),
)
