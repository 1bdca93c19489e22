"""TrainingRun: one execution of a recipe, with its inputs as they were then, and its cause."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from .base import (
    AGE,
    IMMUTABLE,
    Definition,
    Digest,
    Duration,
    Model,
    Object,
    Planned,
    PrinterColumn,
    Status,
    cel,
    validations,
)
from .margin import Margin, margin_schema
from .run import Cancelled, Cause, FailureRecord, RunPhase
from .runinputs import RunInputs

AttemptPhase = Literal["Pending", "Fetching", "Training", "Publishing", "Evaluating", "Succeeded", "Failed"]


class OwnerRef(Model):
    """The TrainingJob that a run executes."""

    name: str
    """Name of the TrainingJob."""
    uid: str
    """Uid of the TrainingJob."""


class EvaluatedVersion(Model):
    """A version that a run of purpose Evaluate scores."""

    version: str
    """Name of its ModelVersion."""
    number: int
    """Its number."""
    digest: Digest
    """Digest of its artifact."""


class EvaluateInputs(Model):
    """What a run of purpose Evaluate compares on the newest captured rows whose outcome is known."""

    deployment: str
    """The ModelDeployment whose captured rows they are."""
    metric: Annotated[str, Field(max_length=64)]
    """Metric that the versions are compared by."""
    margin: Annotated[Margin, margin_schema(minimum=0)]
    """Smallest difference that counts as better: a number in the metric's unit, or a percentage of the value of the
    version that serves."""
    live: EvaluatedVersion
    """The version that serves."""
    last_good: EvaluatedVersion | None = None
    """The version that served before; absent if there is none to go back to."""
    until: datetime | None = None
    """End of the monitor's window: outcomes that came later do not count. Absent: the window ends at the newest one."""
    flush_interval: Duration | None = None
    """spec.capture.flushInterval of the ModelDeployment. Until this time after `until`, and five seconds, the run waits
    for the rows to be written."""
    min_rows: int = 200
    """Below this number of rows there is no comparison."""
    max_rows: int = 20_000
    """At most this number of rows is used: the newest."""


class TrainingRunSpec(RunInputs):
    """What is executed. Immutable: a retry is a further attempt of the same run, a change is a new run."""

    training_job_ref: OwnerRef
    """The recipe."""
    purpose: Literal["Train", "Evaluate"] = "Train"
    """Train: produce a version. Evaluate: compare versions on captured rows; nothing is trained."""
    evaluate: EvaluateInputs | None = None
    """What is compared, for purpose Evaluate."""
    cause: Cause
    """Why it started."""
    input_hash: str
    """Hash of the inputs."""
    git_revision: Annotated[str, Field(max_length=256)] | None = None
    """Git revision that the TrainingJob's annotations named when the run was decided."""

    model_config = {
        "json_schema_extra": validations(
            IMMUTABLE,
            cel("(self.purpose == 'Evaluate') == has(self.evaluate)", "a run of purpose Evaluate needs evaluate"),
        )
    }


class Attempt(Model):
    """One Job of the run."""

    number: int
    """Number of the attempt, from 1."""
    job: str
    """Name of the Job. It is created from this entry alone."""
    job_uid: str | None = None
    """Uid of the Job once it was observed. If the Job is missing afterwards, it was deleted."""
    phase: AttemptPhase = "Pending"
    """Which step runs."""
    decided_at: datetime
    """When the attempt was decided on; queueTimeout counts from here."""
    pod: str | None = None
    """Name of the pod."""
    pod_created_at: datetime | None = None
    """When the pod was created; startTimeout counts from here."""
    started_at: datetime | None = None
    """When the first container started."""
    train_started_at: datetime | None = None
    """When the training container started; runTimeout counts from here."""
    train_finished_at: datetime | None = None
    """When the training container ended."""
    waiting_since: datetime | None = None
    """Since when the pod has waited for the reason in message."""
    image_id: str | None = None
    """Image of the training container as the node resolved it, with its digest."""
    message: Annotated[str, Field(max_length=4096)] = ""
    """What the pod waits for, as the kubelet or the scheduler reports it."""
    failure: FailureRecord | None = None
    """Why the attempt failed."""
    known_version: str | None = None
    """Name of the ModelVersion whose recipe and data fetch found again; nothing was trained."""
    finished_at: datetime | None = None
    """When it ended."""


RecordData = Annotated[
    dict[str, Any],
    WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
]


class EvaluationOutcome(Model):
    """Result of a run of purpose Evaluate."""

    rows: int = 0
    """Rows that were scored."""
    first_outcome_at: datetime | None = None
    """When the first outcome of these rows came."""
    last_outcome_at: datetime | None = None
    """When the last outcome of these rows came."""
    live: float | None = None
    """Value of the version that serves."""
    last_good: float | None = None
    """Value of the last good version."""
    difference: float | None = None
    """How much better the last good version is; negative when it is worse, whichever way the metric goes."""
    lower: float | None = None
    """Lower end of the 95 % interval of the difference."""
    upper: float | None = None
    """Upper end of it."""
    reason: Annotated[str, Field(max_length=1024)] = ""
    """Why there is no comparison; empty when there is one."""


class TrainingRunStatus(Status):
    """State of the run."""

    phase: RunPhase = "Pending"
    """Phase of the run; Succeeded, Failed, Superseded, Cancelled and Skipped are final."""
    attempts: Annotated[list[Attempt], Field(max_length=16)] = []
    """The Jobs of the run, oldest first."""
    next_attempt_at: Annotated[datetime | None, Planned(timedelta(minutes=10))] = None
    """When the next attempt starts after a retryable failure."""
    failure: FailureRecord | None = None
    """Why the run, or its newest attempt, failed."""
    cancelled: Cancelled = None
    """Who cancelled the run and why; absent if nobody did."""
    started_at: datetime | None = None
    """When the first attempt's first container started."""
    finished_at: datetime | None = None
    """When the run ended."""
    record: RecordData | None = None
    """What publish posted: the artifact, its lineage and metrics. At most 16 KiB."""
    evaluation: EvaluationOutcome | None = None
    """The result, for purpose Evaluate."""
    version_number: int | None = None
    """Number taken for the version; it is created from this entry."""
    version: str | None = None
    """Name of the ModelVersion once it exists."""


class TrainingRun(Object):
    """One execution of a recipe, with its inputs as they were then, and its cause."""

    spec: TrainingRunSpec
    status: TrainingRunStatus = TrainingRunStatus()


DEFINITION = Definition(
    model=TrainingRun,
    plural="trainingruns",
    description="One execution of a recipe, with its inputs as they were then, and its cause. Written by the operator.",
    short_names=("tr",),
    columns=(
        PrinterColumn("Purpose", ".spec.purpose", description="Whether it trains or evaluates"),
        PrinterColumn("Phase", ".status.phase", description="Phase of the run"),
        PrinterColumn("Cause", ".spec.cause.type", description="Why it started"),
        PrinterColumn("Failure", ".status.failure.class", description="Why it failed"),
        PrinterColumn("Version", ".status.version", description="The version that it produced"),
        PrinterColumn("Message", '.status.conditions[?(@.type=="Ready")].message', description="In a sentence"),
        PrinterColumn("Training", ".spec.trainingJobRef.name", priority=1, description="The TrainingJob"),
        AGE,
    ),
)
