"""The plan of a ModelAction: its status follows the record in its target's status, and old actions are deleted."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from steadfit.api.actionrecord import ActionPhase, ActionRecord
from steadfit.api.modelaction import ModelAction, ModelActionStatus
from steadfit.core.action_acceptance import accept, expired
from steadfit.core.conditions import READY, DesiredCondition, finished, merge, ready, reconciling, stalled
from steadfit.core.reasons.catalogue import ReasonWord, is_reason
from steadfit.core.serving.actions.paced_refresh import Step, advance
from steadfit.core.store_choice import describe_selector
from steadfit.core.text import cut
from steadfit.core.times_ahead import corrected
from steadfit.core.types import Action, Delete, Event, ObservedModelAction, Plan, reference

LONGEST_TARGET: Final = 128
KEPT = 20
"""Number of completed actions to keep per target."""


def plan(observed: ObservedModelAction, now: datetime) -> Plan:
    """Return the plan of a ModelAction. The target's plan executes it; this one marks it and reports the result.

    The mark of a new action comes before its status, because the target waits for it.
    """
    observed = corrected(observed, now)
    action, before = observed.action, observed.action.status
    step, completed_at = _outcome(observed, now)
    phase, reason, message = step.phase, step.reason, step.message
    generation = action.metadata.generation
    status = ModelActionStatus(
        phase=phase,
        target=_target(action),
        message=message,
        progress=step.progress,
        completed_at=completed_at,
        observed_generation=generation,
        conditions=merge(before.conditions, _conditions(phase, reason, message), generation, now),
    )
    events = (Event("Warning", "ActionRejected", message),) if phase == "Rejected" and before.phase == "Pending" else ()
    mark = tuple(accept(action))
    if phase == "Pending":
        actions = _delete_old(observed)
        return Plan(status=status.dump(), actions=actions, events=events, marks=mark, requeue_at=step.next_at)
    return Plan(status=status.dump(), actions=(*mark, *_delete_old(observed)), events=events)


def _outcome(observed: ObservedModelAction, now: datetime) -> tuple[Step, datetime | None]:
    """Return the step that the action has come to, and its time of completion; a completed action never changes."""
    action, target = observed.action, observed.target
    before, ref = action.status, action.spec.target
    if before.phase != "Pending":
        known = next((one.reason for one in before.conditions if one.type == READY), None)
        return Step(before.phase, _reason(before.phase, known), before.message, before.progress), before.completed_at
    if ref.name is None:
        step = advance(observed, now)
        return step, None if step.phase == "Pending" else now
    if target is None:
        return Step("Rejected", "TargetNotFound", f"there is no {ref.kind} {ref.name} in this namespace"), now
    record = _record(action, target.status.actions)
    if record is None and (why := expired(action, target, target.status.actions, observed.causes)):
        return Step("Rejected", "Expired", why), now
    if record is None:
        return Step("Pending", "Pending", f"waits for {ref.kind} {ref.name}"), None
    step = Step(record.phase, _reason(record.phase, record.reason), record.message)
    return step, None if record.phase == "Pending" else record.at


def _target(action: ModelAction) -> str:
    """Return what the column Target shows: a name, or a selector."""
    ref = action.spec.target
    if ref.selector is None:
        return ref.name or ""
    shown = cut(describe_selector(ref.selector) or "all", LONGEST_TARGET)
    return f"{shown} (all namespaces)" if ref.all_namespaces else shown


def _reason(phase: ActionPhase, stored: str | None) -> ReasonWord:
    """Return the reason of a phase; for a rejection the stored one, which another version may have written."""
    if phase != "Rejected":
        return phase
    return stored if stored is not None and is_reason(stored, "ModelAction/Ready") else "ActionRejected"


def _record(action: ModelAction, records: list[ActionRecord]) -> ActionRecord | None:
    return next((record for record in records if record.uid == action.uid), None)


def _conditions(phase: ActionPhase, reason: ReasonWord, message: str) -> list[DesiredCondition]:
    if phase == "Pending":
        return reconciling(reason, message)
    return finished(ready(reason, message) if phase == "Succeeded" else stalled(reason, message))


def _has_expired(action: ModelAction) -> bool:
    return any(one.type == READY and one.reason == "Expired" for one in action.status.conditions)


def _delete_old(observed: ObservedModelAction) -> tuple[Action, ...]:
    """Return the deletions of all completed actions but the newest; their records in the target's status stay.

    An expired one stays: the tool that created it again would do so without end.
    """
    actions = [observed.action, *observed.siblings]
    completed = [action for action in actions if action.status.phase != "Pending" and not _has_expired(action)]
    completed.sort(key=lambda action: (str(action.metadata.creation_timestamp), action.name))
    return tuple(
        Delete(reference("ModelAction", action))
        for action in completed[:-KEPT]
        if action.metadata.deletion_timestamp is None
    )
