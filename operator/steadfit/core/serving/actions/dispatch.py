"""Execution of ModelActions: each one once, with its effect and its record in one status write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from steadfit.api.actionrecord import ActionPhase, ActionRecord
from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus, Pin
from steadfit.api.rollout import Override
from steadfit.core.action_acceptance import is_accepted
from steadfit.core.action_records import make_room, record_of
from steadfit.core.problem import Problem
from steadfit.core.serving.action_result import ActionResult
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined, is_removed
from steadfit.core.serving.recovery.rollback import roll_back
from steadfit.core.serving.selection import going_back, pin, promote, served
from steadfit.core.serving.traffic.service import selected_revision

from . import abort, quarantine, refresh, release

Verb = Callable[[ModelDeploymentStatus, ModelAction, Fleet, datetime], ActionResult | Problem]


def _pin(status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime) -> ActionResult | Problem:
    """Return the status with the override, or why the version cannot be served."""
    number = action.spec.version
    if number is None:
        return Problem("VersionRequired", "Pin needs the version to serve")
    resolved = pin.resolve(Pin(version=number), status, fleet, now)
    if isinstance(resolved, Problem):
        return resolved
    override = Override(number=number, digest=resolved.digest, action=action.name, by=action.spec.requested_by, at=now)
    return ActionResult(status.model_copy(update={"override": override}), f"version {number} is pinned until Unpin")


def _unpin(status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime) -> ActionResult | Problem:
    """Return the status without an override."""
    if status.override is None:
        return Problem("NotPinned", "no Pin action is in force; spec.pin is removed in the spec")
    live, then = status.live, "no version is live yet"
    if pinned := fleet.observed.deployment.spec.pin:
        then = f"{pin.describe(pinned)} is pinned by spec.pin"
    elif live is not None:
        stays = "serves until a newer one replaces it"
        gives_way = "was served by the pin alone, and gives way to the last one that was let through"
        then = f"version {live.number} {stays if served.is_let_through(live, status) else gives_way}"
    return ActionResult(status.model_copy(update={"override": None}), f"the pin is removed: {then}")


_VERBS: Mapping[str, Verb] = {
    "Rollback": roll_back,
    "Promote": promote.promote,
    "Abort": abort.abort,
    "Pin": _pin,
    "Unpin": _unpin,
    "Quarantine": quarantine.quarantine,
    "Release": release.release,
    "Refresh": refresh.refresh,
}


def pending(status: ModelDeploymentStatus, fleet: Fleet) -> list[ModelAction]:
    """Return the actions that were accepted and not executed yet, oldest first."""
    known = {record.uid for record in status.actions}
    deployment, actions = fleet.observed.deployment, fleet.observed.actions
    found = [
        action
        for action in actions
        if action.status.phase == "Pending" and action.uid not in known and is_accepted(action, deployment)
    ]
    return sorted(found, key=lambda action: (str(action.metadata.creation_timestamp), action.name))


def carry_out(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status after every pending action, each with its effect and a record, or a record of its rejection."""
    for action in pending(status, fleet):
        records = make_room(status.actions, fleet.observed.actions)
        if records is None:
            return status
        verb = _VERBS.get(action.spec.verb)
        outcome = (
            verb(status, action, fleet, now)
            if verb
            else Problem("UnknownVerb", f"{action.spec.verb} is not a verb of a ModelDeployment")
        )
        phase: ActionPhase = "Rejected"
        if isinstance(outcome, ActionResult):
            phase = "Succeeded" if outcome.done else "Pending"
        reason = outcome.reason if isinstance(outcome, Problem) else None
        record = record_of(action, phase, outcome.message, now, reason=reason)
        base = status if isinstance(outcome, Problem) else outcome.status
        # A Release may have ended a Rollback.
        kept = {one.uid for one in records}
        others = [one for one in base.actions if one.uid in kept]
        status = base.model_copy(update={"actions": [*others, record]})
    return status


def settle(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status with the records of Rollbacks, Releases and Refreshes updated."""
    status = refresh.settle(promote.settle(status, fleet))
    updated = [_settled(record, status, fleet, now) for record in status.actions]
    return status.model_copy(update={"actions": updated})


def _settled(record: ActionRecord, status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ActionRecord:
    if record.phase != "Pending":
        return record
    match record.verb:
        case "Rollback":
            change = _rolled_back(status, fleet, now)
        case "Refresh":
            change = refresh.outcome(record.name, status, fleet.observed.deployment.status.refresh)
        case _:
            change = _released(record, status, fleet)
    return record.model_copy(update={**change, "at": now} if "phase" in change else change)


def _rolled_back(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> dict[str, str]:
    """Return the update of the record of a Rollback.

    It has succeeded when the Service selects a live revision that is not in quarantine.
    """
    live, candidate, observed = status.live, status.candidate, fleet.observed
    selected = selected_revision(observed.deployment, observed.service)
    if live is not None and selected == live.revision and not is_quarantined(live, status, fleet):
        serves = "serves" if fleet.desired_replicas else "is live, without pods, as spec.server.replicas is 0"
        return {"phase": "Succeeded", "message": f"version {live.number} {serves}"}
    if candidate and fleet.desired_replicas == 0:
        step = f"raise spec.server.replicas, or Release version {live.number} to keep it" if live else ""
        message = f"version {candidate.number} comes once there are pods, and spec.server.replicas is 0; {step}"
        return {"message": message}
    if candidate:
        return {"message": f"rolling back to version {candidate.number}"}
    if live is not None and is_quarantined(live, status, fleet):
        problem = going_back.best(status, fleet, now).problem(live)
        return {"message": f"{problem.message}; train or pin another one"}
    return {"message": "the traffic is being moved"}


def _released(record: ActionRecord, status: ModelDeploymentStatus, fleet: Fleet) -> dict[str, str]:
    """Return the update of the record of a Release, which has succeeded when the note in the store is deleted."""
    item = release.released_by(record.name, status)
    if item is None:
        return {"phase": "Succeeded", "message": "a later Release of the same version replaced this one"}
    if item.digest is not None and any(entry.digest == item.digest for entry in status.quarantine):
        message = f"version {item.number} was released, and is in quarantine again since"
        return {"phase": "Succeeded", "message": message}
    if not is_removed(item, fleet):
        return {}
    live, candidate = status.live, status.candidate
    step = "Promote or Pin serves it"
    if live is not None and live.digest == item.digest:
        step = "it continues to serve"
    elif live is None and candidate is not None and candidate.digest == item.digest:
        step = "it comes up, as no version is live"
    return {"phase": "Succeeded", "message": f"version {item.number} is released; {step}"}
