"""Verbs: each ModelAction is carried out once; its effect and its record are one status write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from steadfit.api.actionrecord import ActionPhase, ActionRecord
from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus, Pin
from steadfit.api.rollout import Override

from . import pin
from .action_records import make_room
from .fleet import Fleet
from .problem import Problem
from .quarantine import is_barred
from .rollback import roll_back
from .service import selected_revision

Effect = Callable[[ModelDeploymentStatus, ModelAction, Fleet, datetime], ModelDeploymentStatus | Problem]


def _pin(
    status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime
) -> ModelDeploymentStatus | Problem:
    """Return the status with the override set, or why the version may not be served."""
    number = action.spec.version
    if number is None:
        return Problem("VersionMissing", "Pin needs the version to serve")
    resolved = pin.resolve(Pin(version=number), status, fleet, now)
    if isinstance(resolved, Problem):
        return resolved
    override = Override(number=number, action=action.name, by=action.spec.requested_by, at=now)
    return status.model_copy(update={"override": override})


def _unpin(
    status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime
) -> ModelDeploymentStatus | Problem:
    """Return the status without an override."""
    if status.override is None:
        return Problem("NotPinned", "no Pin action is in force; spec.pin is changed in the spec")
    return status.model_copy(update={"override": None})


_EFFECTS: Mapping[str, Effect] = {"Rollback": roll_back, "Pin": _pin, "Unpin": _unpin}


def _done(action: ModelAction) -> tuple[ActionPhase, str]:
    """Return what is recorded of an accepted action; a rollback is done when the good version serves."""
    if action.spec.verb == "Rollback":
        return "Pending", "rolling back"
    if action.spec.verb == "Pin":
        return "Succeeded", f"version {action.spec.version} is pinned until Unpin"
    return "Succeeded", "the pin is lifted"


def pending(status: ModelDeploymentStatus, actions: Sequence[ModelAction]) -> list[ModelAction]:
    """Return the actions that were not carried out yet, oldest first."""
    known = {record.uid for record in status.actions}
    waiting = [action for action in actions if action.status.phase == "Pending" and action.uid not in known]
    return sorted(waiting, key=lambda action: (str(action.metadata.creation_timestamp), action.name))


def carry_out(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status after every pending action: its effect and a record, or a record of its refusal."""
    for action in pending(status, fleet.observed.actions):
        records = make_room(status.actions, fleet.observed.actions)
        if records is None:
            return status
        effect = _EFFECTS.get(action.spec.verb)
        outcome: ModelDeploymentStatus | Problem = (
            effect(status, action, fleet, now)
            if effect
            else Problem("UnknownVerb", f"{action.spec.verb} is not a verb of a ModelDeployment")
        )
        phase, message = ("Rejected", outcome.message) if isinstance(outcome, Problem) else _done(action)
        record = ActionRecord(
            uid=action.uid,
            name=action.name,
            verb=action.spec.verb,
            requested_by=action.spec.requested_by,
            phase=phase,
            message=message,
            at=now,
        )
        base = status if isinstance(outcome, Problem) else outcome
        status = base.model_copy(update={"actions": [*records, record]})
    return status


def settle(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status with the records of rollbacks brought up to date.

    A rollback has succeeded when the Service points at a live revision that is not barred.
    """
    live, candidate, observed = status.live, status.candidate, fleet.observed
    selected = selected_revision(observed.deployment, observed.service)
    done = live is not None and selected == live.revision and not is_barred(live, status, fleet)
    updated = []
    for record in status.actions:
        if record.verb == "Rollback" and record.phase == "Pending":
            if done and live:
                change = {"phase": "Succeeded", "message": f"version {live.number} serves", "at": now}
            elif candidate:
                change = {"message": f"rolling back to version {candidate.number}"}
            else:
                change = {"message": "the traffic moves"}
            record = record.model_copy(update=change)
        updated.append(record)
    return status.model_copy(update={"actions": updated})
