"""Whether a ModelAction is new, or one that comes back: restored without status, copied, or created again.

A restored object has a new uid and a new creationTimestamp, and its status is gone. Its metadata and spec are not. So
the operator writes the uid of every action into an annotation, and a target executes only an action that carries its
own uid. Nothing was ever executed without that mark, and a copy carries the mark of another.

An action that a GitOps tool creates again has no mark. What is known of its target then decides: the records under its
name, and whether the target is younger than the action, which then meant another object of that name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from steadfit.api.actionrecord import ActionRecord
from steadfit.api.base import API_VERSION, Object
from steadfit.api.modelaction import ModelAction
from steadfit.api.run import Cause

from . import names
from .text import time_text
from .types import Apply

LONGEST_DELAY = timedelta(hours=1)
"""Longest time from `spec.requestedAt` to the creation of the action."""


def is_accepted(action: ModelAction, target: Object) -> bool:
    """Return whether a target may execute an action: it was accepted under this uid, and for this target.

    Of the targets that an action selects, one may once the status of the action names it.
    """
    if action.metadata.annotations.get(names.ACCEPTED_ANNOTATION) != action.uid or precedes(action, target):
        return False
    if action.spec.target.name is not None:
        return True
    progress = action.status.progress
    return progress is not None and any(turn.uid == target.uid for turn in progress.under_way)


def accept(action: ModelAction) -> list[Apply]:
    """Return the write that marks an action with its uid; none once it has a mark."""
    if names.ACCEPTED_ANNOTATION in action.metadata.annotations:
        return []
    metadata = {"name": action.name, "namespace": action.metadata.namespace, "uid": action.uid}
    mark = {**metadata, "annotations": {names.ACCEPTED_ANNOTATION: action.uid}}
    return [Apply({"apiVersion": API_VERSION, "kind": "ModelAction", "metadata": mark})]


def expired(
    action: ModelAction, target: Object, records: Sequence[ActionRecord], causes: Sequence[Cause]
) -> str | None:
    """Return why an action without a record of its own is not new, in a sentence; None if it is.

    `records` are those of the target; `causes` are those of its runs and versions, which name the action too.
    """
    mark = action.metadata.annotations.get(names.ACCEPTED_ANNOTATION)
    requested, created = action.spec.requested_at, action.metadata.creation_timestamp
    if mark not in (None, action.uid):
        return (
            f"this is a copy of an action that was accepted before as {mark}; to request it anew, create it without the"
            f" annotation {names.ACCEPTED_ANNOTATION}"
        )
    if requested is not None and created is not None and created - requested > LONGEST_DELAY:
        return (
            f"it was requested at {time_text(requested)}, more than an hour before it was created at"
            f" {time_text(created)}; to request it anew, create it with the time of now, or without"
        )
    if precedes(action, target):
        return (
            f"{action.spec.target.kind} {target.name} is not older than this action, which was meant for an earlier one"
            " of the name; to request it anew, create it again"
        )
    known = [record for record in records if record.name == action.name and record.uid != action.uid]
    if known and (requested is None or known[-1].at >= requested):
        return (
            f"an action of this name was decided at {time_text(known[-1].at)} ({known[-1].verb}, {known[-1].phase});"
            " to request another, give it another name, or spec.requestedAt"
        )
    if requested is None and any(_started(cause, action) for cause in causes):
        return (
            "an action of this name has started a run before; to request another, give it another name, or"
            " spec.requestedAt"
        )
    return None


def precedes(action: ModelAction, target: Object) -> bool:
    """Return whether an action was meant for an earlier object of its target's name.

    Times are whole seconds. Within the target's own second, an action with a fixed name may come from the same restored
    set of manifests. One whose name the API server generated is new: nothing creates such an object again by its name.
    """
    created, since = action.metadata.creation_timestamp, target.metadata.creation_timestamp
    requested = action.spec.requested_at
    if created is None or since is None or (requested is not None and requested > since):
        return False
    return created < since or (created == since and not action.metadata.generate_name)


def _started(cause: Cause, action: ModelAction) -> bool:
    return cause.action == action.name and not cause.key.startswith(action.uid)
