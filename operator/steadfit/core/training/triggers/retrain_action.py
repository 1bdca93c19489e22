"""Retrain actions: each starts one run, once. While no run may start, their records say what they wait for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from steadfit.api.actionrecord import ActionPhase, ActionRecord
from steadfit.api.modelaction import ModelAction
from steadfit.api.trainingjob import TrainingJob
from steadfit.core.action_acceptance import is_accepted
from steadfit.core.action_records import make_room, record_of


def pending(job: TrainingJob, actions: Sequence[ModelAction]) -> list[ModelAction]:
    """Return the Retrain actions on a TrainingJob that were accepted and not executed yet, oldest first."""
    done = {record.uid for record in job.status.actions if record.phase != "Pending"}
    waiting = [
        action
        for action in actions
        if action.spec.verb == "Retrain"
        and action.status.phase == "Pending"
        and action.metadata.deletion_timestamp is None
        and action.uid not in done
        and is_accepted(action, job)
    ]
    return sorted(waiting, key=lambda action: (str(action.metadata.creation_timestamp), action.name))


def note(
    records: Sequence[ActionRecord],
    waiting: Sequence[ModelAction],
    actions: Sequence[ModelAction],
    phase: ActionPhase,
    message: str,
    now: datetime,
) -> list[ActionRecord]:
    """Return the records with `phase` and `message` for each of the waiting actions.

    An action that was deleted while it waited loses its record. One that does not fit into the list gets none.
    """
    existing = {action.uid for action in actions}
    kept = [record for record in records if record.phase != "Pending" or record.uid in existing]
    for action in waiting:
        known = next((index for index, record in enumerate(kept) if record.uid == action.uid), None)
        if known is not None:
            old = kept[known]
            if (old.phase, old.message) != (phase, message):
                at = old.at if phase == old.phase else now
                kept[known] = old.model_copy(update={"phase": phase, "message": message, "at": at})
            continue
        room = make_room(kept, actions)
        if room is None:
            break
        kept = [*room, record_of(action, phase, message, now)]
    return kept


def admitted(records: Sequence[ActionRecord], waiting: Sequence[ModelAction]) -> list[ModelAction]:
    """Return the waiting actions that have a record: without one, an action could be executed twice."""
    known = {record.uid for record in records}
    return [action for action in waiting if action.uid in known]
