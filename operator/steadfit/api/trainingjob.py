"""TrainingJob: the standing recipe of one model."""

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
    Label,
    Model,
    Object,
    Planned,
    PrinterColumn,
    Status,
    cel,
    list_map,
    name_rule,
    validations,
)
from .run import Cancelled, Cause, FailureRecord, RunPhase
from .runinputs import RunInputs


class Schedule(Model):
    """Times at which a run starts. Of several missed times only the newest counts."""

    cron: Annotated[
        str,
        Field(
            max_length=128,
            json_schema_extra=validations(
                cel(
                    r"self.matches('^\\s*(\\S+\\s+){4}\\S+\\s*$')",
                    "must have the five fields of a cron line: minute, hour, day of month, month, day of week;"
                    " for example '0 3 * * 1'",
                )
            ),
        ),
    ]
    """Five-field cron line."""
    time_zone: Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            json_schema_extra=validations(
                cel(
                    # An offset such as 02:00 is a time zone to CEL, but has no rule for summer time.
                    "self != 'Local' && !self.contains(':') && timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0",
                    "must be a time zone of the IANA database, for example UTC or Europe/Berlin",
                )
            ),
        ),
    ] = "UTC"
    """IANA time zone the cron line is read in."""
    suspend: bool = False
    """Start no run by this schedule while true."""


class AlertTrigger(Model):
    """Alerts of Alertmanager that start a run."""

    match_labels: Annotated[
        dict[str, Annotated[str, Field(max_length=256)]],
        Field(
            min_length=1,
            max_length=16,
            json_schema_extra=validations(
                cel(
                    "self.all(k, k.matches('^[a-zA-Z_][a-zA-Z0-9_]*$'))",
                    "must be labels as Prometheus knows them: letters, digits and '_', for example alertname",
                ),
                cel(
                    "self.exists(k, !(k in ['namespace', 'model']))",
                    "would match every alert of the model: name at least one label besides namespace and model,"
                    " for example alertname: ModelInputDrift",
                ),
            ),
        ),
    ]
    """Labels that an alert must have with these values. It must also carry the label `namespace` of this
    TrainingJob, and `model` of its name unless `model` is among these labels."""


class Trigger(Model):
    """Why a run starts, beside a change of the recipe."""

    name: Label
    """Name of the trigger."""
    schedule: Schedule | None = None
    """Start a run at these times."""
    alert: AlertTrigger | None = None
    """Start a run while such an alert fires."""

    model_config = {
        "json_schema_extra": validations(
            cel("has(self.schedule) != has(self.alert)", "a trigger needs one kind: set schedule or alert, not both")
        )
    }


class History(Model):
    """What is kept of the past."""

    runs: Annotated[int, Field(ge=1, le=100)] = 10
    """How many finished runs are kept. Versions are never deleted."""


class TrainingJobSpec(RunInputs):
    """The recipe. A change of a field of `RunInputs` starts a run, a change of a field below does not."""

    triggers: Annotated[list[Trigger], Field(max_length=16, json_schema_extra=list_map("name"))] = []
    """Why a run starts, beside a change of the recipe."""
    history: History = History()
    """What is kept of the past."""
    ready_policy: Literal["Accepted", "FirstModel"] = "Accepted"
    """Accepted: Ready once the recipe is valid. FirstModel: Ready once a version is verified."""
    suspend: bool = False
    """Start no run while true. A run in flight continues; the verb Cancel ends it."""


class ActiveRun(Model):
    """The run in flight. Its TrainingRun is created from this entry alone."""

    name: str
    """Name of the TrainingRun."""
    cause: Cause
    """Why it starts."""
    input_hash: str
    """Hash of its inputs."""
    uid: str | None = None
    """Uid of the TrainingRun once it was observed. If that is missing afterwards, it was deleted, which cancels the
    run."""
    cancelled: Cancelled = None
    """Who cancels it and why; absent while nobody does."""


class LastRun(Model):
    """How the newest finished run ended."""

    name: str
    """Name of the TrainingRun."""
    phase: RunPhase
    """How it ended."""
    finished_at: datetime | None = None
    """When it ended."""
    version: str | None = None
    """Name of the ModelVersion that it produced."""
    failure: FailureRecord | None = None
    """Why it failed."""
    known_version: str | None = None
    """Name of the ModelVersion whose recipe and data it found again; it trained nothing."""


class TriggerState(Model):
    """State of a schedule."""

    name: str
    """Name of the trigger."""
    schedule: str
    """Cron line and time zone that the times below follow from. An edited schedule starts anew."""
    last_scheduled_at: datetime
    """Newest time that a run was started for; before the first one, when the schedule was first seen."""
    next_scheduled_at: Annotated[datetime, Planned()]
    """Next time a run starts."""


class AlertState(Model):
    """One alert that matches a trigger, as Alertmanager last sent it. Written by the alert intake."""

    fingerprint: Annotated[str, Field(max_length=64)]
    """Alertmanager's fingerprint of the alert's labels."""
    alertname: Annotated[str, Field(max_length=256)]
    """Name of the alert."""
    status: Literal["firing", "resolved"]
    """Whether it fires."""
    trigger: str
    """Name of the first trigger that it matches."""
    starts_at: datetime
    """When it began to fire, as Alertmanager says."""
    received_at: datetime
    """When it was last received."""
    labels: Annotated[dict[str, Annotated[str, Field(max_length=256)]], Field(max_length=16)] = {}
    """The labels that were matched."""


Alerts = Annotated[list[AlertState], Field(max_length=64, json_schema_extra=list_map("fingerprint"))]
"""Alerts, at most one of a fingerprint."""

WaitReason = Literal[
    "Suspended",
    "NotReady",
    "RunInFlight",
    "RolloutInProgress",
    "Cooldown",
    "RunLimitReached",
    "CircuitBreakerOpen",
    "DataUnchanged",
    "LevelUnreachable",
    "ChampionNotComparable",
]
RunOutcome = Literal["Open", "Better", "NotBetter", "Failed", "Skipped"]


class Waiting(Model):
    """Alerts and monitors that request a run, and why none starts now. All of them lead to one run."""

    reason: WaitReason
    """Why no run starts."""
    message: Annotated[str, Field(max_length=1024)]
    """The reason in a sentence."""
    since: datetime
    """When the wait for this reason began."""
    until: Annotated[datetime | None, Planned()] = None
    """When the wait ends, if that is known."""
    causes: Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=16)] = []
    """What requests the run: `alert <name>` or `monitor <deployment>/<monitor>`."""


class AutomaticRun(Model):
    """One run that alerts or monitors started, and its outcome."""

    name: str
    """Name of the TrainingRun."""
    at: datetime
    """When its start was decided."""
    outcome: RunOutcome = "Open"
    """Better: its version was verified. NotBetter: it was rejected, held or a duplicate. Failed: there was none.
    Skipped: it found the recipe and data of an existing version, and trained nothing."""


class Skipped(Model):
    """How often alerts and monitors had to wait for a reason."""

    reason: WaitReason
    """The reason."""
    count: int
    """How often."""
    last_at: datetime
    """When last."""


class VersionRef(Model):
    """A ModelVersion."""

    name: str
    """Name of the ModelVersion."""
    number: int
    """Its number."""


class TrainingJobStatus(Status):
    """State of the recipe."""

    input_hash: str | None = None
    """Hash of the inputs of the newest run that was started."""
    active_run: ActiveRun | None = None
    """The run in flight."""
    last_run: LastRun | None = None
    """How the newest finished run ended."""
    latest_version: VersionRef | None = None
    """Newest version, verified or not."""
    next_run_at: Annotated[datetime | None, Planned()] = None
    """Next time a schedule starts a run."""
    triggers: Annotated[list[TriggerState], Field(max_length=16, json_schema_extra=list_map("name"))] = []
    """State of each schedule."""
    actions: ActionRecords = []
    """The newest ModelActions and their results."""
    alerts: Alerts = []
    """Alerts that match a trigger. Written by the alert intake on any replica; everything else here by the leader."""
    alerts_dropped: int = 0
    """How many alerts were dropped because the list was full."""
    waiting: Waiting | None = None
    """Alerts and monitors that request a run that cannot start now."""
    automatic_runs: Annotated[list[AutomaticRun], Field(max_length=64, json_schema_extra=list_map("name"))] = []
    """Runs that alerts and monitors started, oldest first: the newest in a row without a better version, and those
    of the last 24 hours."""
    skipped: Annotated[list[Skipped], Field(max_length=16, json_schema_extra=list_map("reason"))] = []
    """How often alerts and monitors had to wait, by reason."""


class TrainingJob(Object):
    """The standing recipe of one model: image, data, parameters, evaluation, triggers, limits."""

    spec: TrainingJobSpec
    status: TrainingJobStatus = TrainingJobStatus()


DEFINITION = Definition(
    model=TrainingJob,
    plural="trainingjobs",
    description="The standing recipe of one model: image, data, parameters, evaluation, triggers, limits.",
    short_names=("tj",),
    rules=(name_rule("a TrainingJob"),),
    columns=(
        READY,
        REASON,
        PrinterColumn("Run", ".status.activeRun.name", description="The run in flight"),
        PrinterColumn("Last", ".status.lastRun.phase", description="How the newest finished run ended"),
        PrinterColumn("Failure", ".status.lastRun.failure.class", description="Why it failed"),
        PrinterColumn("Version", ".status.latestVersion.name", description="Newest version"),
        PrinterColumn("Waiting", ".status.waiting.reason", description="What alerts and monitors wait for"),
        PrinterColumn("Next", ".status.nextRunAt", priority=1, description="Next scheduled run"),
        MESSAGE,
        AGE,
    ),
)
