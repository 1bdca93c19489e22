"""ModelAction: one action of a person on a TrainingJob or ModelDeployment, with its author and reason."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from .actionrecord import ActionPhase, Verb
from .base import (
    AGE,
    IMMUTABLE,
    Definition,
    Model,
    Object,
    ObjectName,
    PrinterColumn,
    Status,
    cel,
    validations,
)


class ActionTarget(Model):
    """The object that the action is executed on, in the same namespace."""

    kind: Literal["TrainingJob", "ModelDeployment"]
    """Kind of the object."""
    name: ObjectName
    """Name of the object."""


class ModelActionSpec(Model):
    """The action. It is immutable and executed once."""

    verb: Verb
    """Retrain starts a run, Cancel ends the one in flight. Rollback restores the last good version. Promote rolls out
    the candidate, or the version, without a verdict; Abort abandons the candidate. Pin serves one version until Unpin.
    Quarantine takes all traffic from a version until Release. Refresh rolls out the live version with the pod template
    of the installed operator."""
    target: ActionTarget
    """The object that the action is executed on."""
    version: Annotated[int, Field(ge=1)] | None = None
    """Number of the version. Required for Pin, Quarantine and Release. When absent, Rollback uses the last good version
    and Promote the candidate."""
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    """Why, in a sentence. It is copied to the records of the action."""
    requested_by: Annotated[str, Field(min_length=1, max_length=512)]
    """The author: user name of the creator of this object."""
    requested_at: datetime | None = None
    """When it was requested. An action that is created more than an hour later is not executed. Only manifests that
    are kept and applied by tools need it."""

    model_config = {
        "json_schema_extra": validations(
            IMMUTABLE,
            cel(
                "(self.verb in ['Retrain', 'Cancel']) == (self.target.kind == 'TrainingJob')",
                "the target of Retrain and Cancel is a TrainingJob; the target of all other verbs is a ModelDeployment",
            ),
            cel("self.verb != 'Pin' || has(self.version)", "Pin needs the version to serve"),
            cel(
                "!(self.verb in ['Quarantine', 'Release']) || has(self.version)",
                "Quarantine and Release need the version",
            ),
            cel(
                "!(self.verb in ['Retrain', 'Cancel', 'Unpin', 'Abort', 'Refresh']) || !has(self.version)",
                "Retrain, Cancel, Unpin, Abort and Refresh take no version",
            ),
        )
    }


class ModelActionStatus(Status):
    """Result of the action."""

    phase: ActionPhase = "Pending"
    """Pending, and finally Succeeded or Rejected."""
    message: str = ""
    """The result in a sentence."""
    completed_at: datetime | None = None
    """When it succeeded or was rejected."""


class ModelAction(Object):
    """One action of a person on a TrainingJob or ModelDeployment, with its author and reason."""

    spec: ModelActionSpec
    status: ModelActionStatus = ModelActionStatus()


DEFINITION = Definition(
    model=ModelAction,
    plural="modelactions",
    description="One action of a person on a TrainingJob or ModelDeployment, with its author and reason."
    " It is executed once.",
    short_names=("ma",),
    columns=(
        PrinterColumn("Verb", ".spec.verb"),
        PrinterColumn("Target", ".spec.target.name"),
        PrinterColumn("Phase", ".status.phase"),
        PrinterColumn("By", ".spec.requestedBy"),
        PrinterColumn("Message", ".status.message"),
        AGE,
    ),
)
