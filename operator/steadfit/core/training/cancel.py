"""Cancel actions: each ends the run that was in flight when it was requested, unless that has a result by then.

The entry of the run in flight says who cancels it, and the run's own plan ends it. The action is Pending until it has.
A run that has begun since, as after a change of the recipe at the same moment, is not the one that was meant.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.actionrecord import ActionRecord
from steadfit.api.modelaction import ModelAction
from steadfit.api.run import Cancellation
from steadfit.api.trainingjob import ActiveRun, LastRun, TrainingJobStatus
from steadfit.core.action_acceptance import is_accepted
from steadfit.core.action_records import make_room, record_of
from steadfit.core.types import ObservedTrainingJob

from .limits.in_flight import named


def carry_out(status: TrainingJobStatus, observed: ObservedTrainingJob, now: datetime) -> TrainingJobStatus:
    """Return the status after every new Cancel action, each with its record."""
    for action in _new(observed):
        room = make_room(status.actions, observed.actions)
        if room is None:
            return status
        active = status.active_run
        if active is None or not _was_in_flight(active, action, status.last_run, observed):
            record = _too_late(action, status.last_run, now)
        elif active.uid is None:
            record = record_of(action, "Succeeded", f"run {active.name} was cancelled before it was created", now)
            last = LastRun(name=active.name, phase="Cancelled", finished_at=now)
            active, status = None, status.model_copy(update={"last_run": last})
        else:
            record = record_of(action, "Pending", f"run {active.name} is being cancelled", now)
            cancellation = Cancellation(by=action.spec.requested_by, reason=action.spec.reason)
            active = active.model_copy(update={"cancelled": active.cancelled or cancellation})
        status = status.model_copy(update={"active_run": active, "actions": [*room, record]})
    return status


def settle(status: TrainingJobStatus, now: datetime) -> TrainingJobStatus:
    """Return the status with the records of Cancel actions whose run has ended."""
    if status.active_run is not None and status.active_run.cancelled:
        return status
    return status.model_copy(update={"actions": [_settled(record, status, now) for record in status.actions]})


def _was_in_flight(active: ActiveRun, action: ModelAction, last: LastRun | None, observed: ObservedTrainingJob) -> bool:
    """Return whether the run in flight was it already when the action was created.

    Both times are of the API server, in whole seconds. In the same second, and before the run is created, it was unless
    another one has ended since.
    """
    run, requested = named(active.name, observed.runs), action.metadata.creation_timestamp
    begun = run.metadata.creation_timestamp if run else None
    if requested is None:
        return True
    if begun is not None and begun != requested:
        return begun < requested
    return last is None or last.finished_at is None or last.finished_at < requested


def _too_late(action: ModelAction, last: LastRun | None, now: datetime) -> ActionRecord:
    """Return the record of a Cancel of a run that has ended since."""
    requested = action.metadata.creation_timestamp
    if last is None or last.finished_at is None or requested is None or last.finished_at < requested:
        return record_of(action, "Rejected", "no run was in flight", now, reason="NoRunInFlight")
    return record_of(action, "Rejected", _ended(last), now, reason="RunEnded")


def _ended(last: LastRun) -> str:
    return f"run {last.name} had ended before: {last.phase}"


def _new(observed: ObservedTrainingJob) -> list[ModelAction]:
    known = {record.uid for record in observed.job.status.actions}
    found = [
        action
        for action in observed.actions
        if action.spec.verb == "Cancel"
        and action.status.phase == "Pending"
        and action.metadata.deletion_timestamp is None
        and action.uid not in known
        and is_accepted(action, observed.job)
    ]
    return sorted(found, key=lambda action: (str(action.metadata.creation_timestamp), action.name))


def _settled(record: ActionRecord, status: TrainingJobStatus, now: datetime) -> ActionRecord:
    last = status.last_run
    if record.verb != "Cancel" or record.phase != "Pending" or last is None:
        return record
    if last.phase == "Cancelled":
        return record.model_copy(update={"phase": "Succeeded", "message": f"run {last.name} was cancelled", "at": now})
    return record.model_copy(update={"phase": "Rejected", "reason": "RunEnded", "message": _ended(last), "at": now})
