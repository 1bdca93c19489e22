"""The result of an accepted ModelAction: the status after it, and the message for its author."""

from __future__ import annotations

from dataclasses import dataclass

from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.text import cut

LONGEST_USER = 256
"""Most of the name of a user that a status keeps; the ModelAction has all of it."""


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
    return f"{cut(action.spec.requested_by, LONGEST_USER)} ({action.name})"
