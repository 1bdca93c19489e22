"""Parts of a run that several kinds share: its cause, its phase and why it failed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from .base import Model

CauseType = Literal["SpecChange", "Schedule", "Action", "Alert", "Monitor"]
RunPhase = Literal["Pending", "Running", "Succeeded", "Failed", "Superseded", "Cancelled", "Skipped"]
FINISHED: frozenset[RunPhase] = frozenset({"Succeeded", "Failed", "Superseded", "Cancelled", "Skipped"})
FailureClass = Literal[
    "OutOfMemory",
    "UserError",
    "Data",
    "Store",
    "Scheduling",
    "Image",
    "Infrastructure",
    "Internal",
    "Deadline",
    "Admission",
]


class Cause(Model):
    """Why a run started."""

    type: CauseType
    """What kind of cause it was."""
    key: Annotated[str, Field(max_length=256)]
    """What makes it one of its kind: the input hash, the scheduled time (RFC 3339), the action's uid, or for alerts and
    monitors the trigger or monitor with the time of the decision."""
    trigger: str | None = None
    """Name of the trigger, for a schedule or an alert."""
    monitor: str | None = None
    """The ModelDeployment and its monitor as `<deployment>/<monitor>`, for a monitor."""
    action: str | None = None
    """Name of the ModelAction, for an action."""
    message: Annotated[str, Field(max_length=1024)] = ""
    """The cause in a sentence."""


class FailureRecord(Model):
    """Why something failed: a class for tools and a sentence for people."""

    failure_class: Annotated[FailureClass, Field(alias="class")]
    """Class of the failure."""
    message: Annotated[str, Field(max_length=4096)]
    """What the pod reported, or what the operator observed where the pod reported nothing."""


class Cancellation(Model):
    """A decision to end a run before it has a result."""

    by: Annotated[str, Field(max_length=512)]
    """Author of the ModelAction; `steadfit` if the TrainingJob of the run does not exist any more."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, in the author's words."""


def _of_sentence(value: Any) -> Any:
    """Read the status of an earlier commit: a sentence with both, empty while nobody cancelled the run."""
    if not isinstance(value, str):
        return value
    by, _, reason = value.removeprefix("cancelled by ").partition(": ")
    return {"by": by, "reason": reason} if value else None


Cancelled = Annotated[Cancellation | None, BeforeValidator(_of_sentence)]
"""Who cancelled a run and why; None while nobody did."""
