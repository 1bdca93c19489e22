"""Events of recovery: diagnoses, automatic rollbacks, their limit, and dry runs."""

from __future__ import annotations

from typing import Literal

from steadfit.api.base import Condition
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.conditions import reason_of
from steadfit.core.serving.recovery.dry_run import DRY_RUN
from steadfit.core.serving.recovery.rollback_limit import ROLLBACKS_FROZEN
from steadfit.core.types import Event

from .recovery_conditions import RECOVERY_STALLED


def events(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> tuple[Event, ...]:
    """Return the Events of the transitions between two statuses."""
    return (
        *_diagnoses(before, after),
        *_rollbacks(before, after),
        *_started(before, after, ROLLBACKS_FROZEN, "Warning"),
        *_started(before, after, DRY_RUN, "Normal"),
        *_started(before, after, RECOVERY_STALLED, "Warning"),
    )


def _diagnoses(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> list[Event]:
    known = {(entry.monitor, entry.decided_at): entry for entry in before.diagnoses}
    events = []
    for entry in after.diagnoses:
        old = known.get((entry.monitor, entry.decided_at))
        if entry.verdict is None and old is None:
            text = f"version {entry.number} and version {entry.compared_number} are evaluated on the same rows"
            events.append(Event("Normal", "DiagnosisStarted", f"monitor {entry.monitor} fires: {text} ({entry.run})"))
        # The Event of an inconclusive one follows from its condition, once for each message.
        elif entry.verdict in ("ModelWorse", "ConceptDrift") and (old is None or old.verdict is None):
            events.append(Event("Warning", entry.verdict, f"monitor {entry.monitor}: {entry.message}"))
    return events


def _rollbacks(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> list[Event]:
    known = {(entry.number, entry.at) for entry in before.rollbacks}
    return [
        Event("Warning", "AutomaticRollback", f"version {entry.number} is rolled back: {entry.reason}")
        for entry in after.rollbacks
        if (entry.number, entry.at) not in known
    ]


def _started(
    before: ModelDeploymentStatus,
    after: ModelDeploymentStatus,
    kind: Literal["DryRun", "RecoveryStalled", "RollbacksFrozen"],
    event: Literal["Normal", "Warning"],
) -> list[Event]:
    """Return the Event of a condition that is new, or has another reason or message."""
    old, new = _condition(before, kind), _condition(after, kind)
    if new is None or (old is not None and (old.reason, old.message) == (new.reason, new.message)):
        return []
    return [Event(event, reason_of(new) if kind == RECOVERY_STALLED else kind, new.message)]


def _condition(status: ModelDeploymentStatus, kind: str) -> Condition | None:
    return next((one for one in status.conditions if one.type == kind), None)
