"""The result of an accepted ModelAction: the status after it, and the message for its author."""

from __future__ import annotations

from dataclasses import dataclass

from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus


@dataclass(frozen=True, slots=True)
class ActionResult:
    """Result of an accepted ModelAction.

    Attributes
    ----------
    status
        The status after it.
    message
        What was done, in a sentence.
    done
        Whether the action has succeeded; otherwise its record stays Pending until `dispatch.settle`.
    """

    status: ModelDeploymentStatus
    message: str
    done: bool = True


def author(action: ModelAction) -> str:
    """Return the author of an action for the records that follow from it."""
    return f"{action.spec.requested_by} ({action.name})"
