"""ModelAction: one action of a person on a TrainingJob or ModelDeployment, with its author and reason."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from .actionrecord import ActionPhase, Verb
from .artifactstore import LabelSelector
from .base import (
    AGE,
    IMMUTABLE,
    Definition,
    Duration,
    Model,
    Object,
    ObjectName,
    PrinterColumn,
    Status,
    cel,
    list_map,
    validations,
)

MAX_CONCURRENT = 10
MAX_REFUSALS = 20


class ActionTarget(Model):
    """What the action is executed on: one object of the same namespace, or for Refresh several ModelDeployments."""

    kind: Literal["TrainingJob", "ModelDeployment"]
    """Kind of the object."""
    name: ObjectName | None = None
    """Name of the object."""
    selector: LabelSelector | None = None
    """Instead of a name, for Refresh: the ModelDeployments with these labels; all of them if it is empty. Those that
    are created after the action are left out."""
    all_namespaces: bool = False
    """Whether the selector applies to every namespace that the operator watches, instead of that of the action."""

    model_config = {
        "json_schema_extra": validations(
            cel(
                "has(self.name) != has(self.selector)",
                "a target is one object or a selection: set exactly one of name and selector",
            ),
            cel(
                "has(self.selector) || !has(self.allNamespaces) || !self.allNamespaces",
                "allNamespaces needs a selector; an empty one selects every ModelDeployment",
            ),
        )
    }


class Pace(Model):
    """How fast a Refresh goes through the ModelDeployments that its selector selects."""

    max_concurrent: Annotated[int, Field(ge=1, le=MAX_CONCURRENT)] = 1
    """Most ModelDeployments whose turn it is at the same time."""
    member_deadline: Duration = "48h"
    """How long after its turn began a ModelDeployment is to be live with the new pods; later the action stops."""
    bake_duration: Duration = "1h"
    """How long it then bakes before the turn of the next one; at most for its own `bakeDuration`."""


class ModelActionSpec(Model):
    """The action. It is immutable and executed once."""

    verb: Verb
    """Retrain starts a run, Cancel ends the one in flight. Rollback restores the last good version. Promote rolls out
    the candidate, or the version, without a verdict; Abort abandons the candidate. Pin serves one version until Unpin.
    Quarantine takes all traffic from a version until Release. Refresh rolls out the live version with the pod template
    of the installed operator, of one ModelDeployment or, one after the other, of all that a selector selects."""
    target: ActionTarget
    """The object that the action is executed on."""
    pace: Pace | None = None
    """How fast a Refresh with a selector goes on: one ModelDeployment after the other when absent."""
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
            cel(
                "self.verb == 'Refresh' || !has(self.target.selector)",
                "only Refresh takes a selector; every other verb names its target",
            ),
            cel(
                "!has(self.pace) || has(self.target.selector)",
                "pace is for a Refresh with a selector",
            ),
        )
    }


class RefreshTurn(Model):
    """A ModelDeployment whose turn it is."""

    namespace: Annotated[str, Field(max_length=63)]
    """Namespace of the ModelDeployment."""
    name: Annotated[str, Field(max_length=253)]
    """Name of the ModelDeployment."""
    uid: Annotated[str, Field(max_length=64)]
    """Uid of the ModelDeployment."""
    since: datetime
    """When its turn began."""
    bakes_until: datetime | None = None
    """When its turn ends, now that it is live with its new pods; absent until it is live."""


class RefreshRefusal(Model):
    """A ModelDeployment that was not refreshed; it keeps the pods that it has."""

    namespace: Annotated[str, Field(max_length=63)]
    """Namespace of the ModelDeployment."""
    name: Annotated[str, Field(max_length=253)]
    """Name of the ModelDeployment."""
    reason: Annotated[str, Field(max_length=64)]
    """Reason, in CamelCase."""
    message: Annotated[str, Field(max_length=256)]
    """Why, in a sentence."""


class RefreshProgress(Model):
    """How far a Refresh with a selector has come."""

    total: int
    """Number of selected ModelDeployments that exist."""
    refreshed: int
    """How many of them serve with the pod template of the installed operator."""
    refused: int
    """How many of them were not refreshed, for a reason of their own."""
    under_way: Annotated[list[RefreshTurn], Field(max_length=MAX_CONCURRENT, json_schema_extra=list_map("uid"))] = []
    """Those whose turn it is."""
    refusals: Annotated[list[RefreshRefusal], Field(max_length=MAX_REFUSALS)] = []
    """Why they were refused, of the first 20 by namespace and name. `status.actions` of each ModelDeployment has its
    own."""


class ModelActionStatus(Status):
    """Result of the action."""

    phase: ActionPhase = "Pending"
    """Pending, and finally Succeeded or Rejected."""
    target: str = ""
    """Name of the target, or its selector as `kubectl --selector` takes it; `all` for an empty one."""
    message: str = ""
    """The result in a sentence."""
    progress: RefreshProgress | None = None
    """How far a Refresh with a selector has come."""
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
        PrinterColumn("Target", ".status.target", description="The target, or the selector"),
        PrinterColumn("Phase", ".status.phase"),
        PrinterColumn("By", ".spec.requestedBy"),
        PrinterColumn("Message", ".status.message"),
        AGE,
    ),
)
