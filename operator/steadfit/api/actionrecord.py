"""What an object remembers of the ModelActions whose target it is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from .base import Model, list_map

Verb = Literal["Retrain", "Rollback", "Promote", "Abort", "Pin", "Unpin", "Quarantine", "Release", "Cancel", "Refresh"]
ActionPhase = Literal["Pending", "Succeeded", "Rejected"]


class ActionRecord(Model):
    """One ModelAction and what became of it. An action is executed once per uid."""

    uid: str
    """Uid of the ModelAction."""
    name: str
    """Name of the ModelAction."""
    verb: Verb
    """What was asked for."""
    requested_by: str
    """Who asked."""
    phase: ActionPhase
    """What became of it."""
    reason: str | None = None
    """Reason of a rejection, in CamelCase."""
    message: str
    """What became of it, in a sentence."""
    at: datetime
    """When it was decided."""


ActionRecords = Annotated[list[ActionRecord], Field(max_length=80, json_schema_extra=list_map("uid"))]
"""The newest 24 actions that were rejected and the newest 24 others, oldest first: each more than the completed
ModelActions that are kept."""
