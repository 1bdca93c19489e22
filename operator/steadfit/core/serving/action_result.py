"""What a verb comes to: the status that follows, and the sentence for whoever asked."""

from __future__ import annotations

from dataclasses import dataclass

from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus


@dataclass(frozen=True, slots=True)
class ActionResult:
    """An accepted action.

    Attributes
    ----------
    status
        The status after it.
    message
        What was done, in a sentence.
    done
        Whether nothing is left to be waited for.
    """

    status: ModelDeploymentStatus
    message: str
    done: bool = True


def author(action: ModelAction) -> str:
    """Return who asked, as it is kept with what follows from an action."""
    return f"{action.spec.requested_by} ({action.name})"
