"""ModelAction: a verb as an object, with who asked and why."""

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
    """The object an action is aimed at, in the same namespace."""

    kind: Literal["TrainingJob", "ModelDeployment"]
    """Kind of the object."""
    name: ObjectName
    """Name of the object."""


class ModelActionSpec(Model):
    """What is asked for. Immutable; it is done once."""

    verb: Verb
    """Retrain starts a run. Rollback restores the last good version. Promote lets the candidate, or a named version,
    through without a verdict; Abort gives the candidate up. Pin serves one version until Unpin. Quarantine keeps a
    version from traffic until Release."""
    target: ActionTarget
    """What it is aimed at."""
    version: Annotated[int, Field(ge=1)] | None = None
    """Number of the version: needed for Pin, Quarantine and Release; for Rollback the last good one, for Promote the
    candidate when absent."""
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    """Why, in a sentence; it is kept with what follows from it."""
    requested_by: Annotated[str, Field(min_length=1, max_length=512)]
    """Who asks: the user name of the one who creates this object."""

    model_config = {
        "json_schema_extra": validations(
            IMMUTABLE,
            cel(
                "(self.verb == 'Retrain') == (self.target.kind == 'TrainingJob')",
                "Retrain is aimed at a TrainingJob; all other verbs are aimed at a ModelDeployment",
            ),
            cel("self.verb != 'Pin' || has(self.version)", "Pin needs the version to serve"),
            cel(
                "!(self.verb in ['Quarantine', 'Release']) || has(self.version)",
                "Quarantine and Release need the version",
            ),
            cel(
                "!(self.verb in ['Retrain', 'Unpin', 'Abort']) || !has(self.version)",
                "Retrain, Unpin and Abort take no version",
            ),
        )
    }


class ModelActionStatus(Status):
    """What became of it."""

    phase: ActionPhase = "Pending"
    """Pending, then Succeeded or Rejected for good."""
    message: str = ""
    """The same in a sentence."""
    completed_at: datetime | None = None
    """When it was done or refused."""


class ModelAction(Object):
    """A verb as an object: what, on what, who asked and why."""

    spec: ModelActionSpec
    status: ModelActionStatus = ModelActionStatus()


DEFINITION = Definition(
    model=ModelAction,
    plural="modelactions",
    description="A verb as an object: what, on what, who asked and why. Done once.",
    columns=(
        PrinterColumn("Verb", ".spec.verb"),
        PrinterColumn("ActionTarget", ".spec.target.name"),
        PrinterColumn("Phase", ".status.phase"),
        PrinterColumn("By", ".spec.requestedBy"),
        PrinterColumn("Message", ".status.message"),
        AGE,
    ),
)
