"""The Events of a TrainingJob: one for each transition of its status, and for each wait that begins."""

from __future__ import annotations

from steadfit.api.base import Condition
from steadfit.api.trainingjob import LastRun, TrainingJobStatus
from steadfit.core.conditions import STALLED, reason_of
from steadfit.core.training.limits.skip_counts import began
from steadfit.core.training.limits.waiting import wait_message
from steadfit.core.types import Event

from .conditions import RETRAINING_PAUSED, skipped_message


def events(before: TrainingJobStatus, after: TrainingJobStatus) -> tuple[Event, ...]:
    """Return the Events of the transitions between two statuses."""
    events = []
    old, last = before.last_run, after.last_run
    if last is not None and (old is None or (old.name, old.phase) != (last.name, last.phase)):
        events.append(_ended(last))
    active = after.active_run
    if active is not None and (before.active_run is None or before.active_run.name != active.name):
        events.append(Event("Normal", "RunStarted", f"run {active.name}: {active.cause.message}"))
    if after.waiting is not None and began(before.waiting, after.waiting):
        events.append(Event("Normal", "RetrainingWaiting", wait_message(after.waiting)))
    return (*events, *_paused(before, after), *_stalled(before, after))


def _ended(last: LastRun) -> Event:
    if last.phase == "Succeeded":
        return Event("Normal", "RunSucceeded", f"run {last.name} produced version {last.version}")
    if last.failure is not None:
        return Event("Warning", "RunFailed", f"run {last.name} ({last.failure.failure_class}): {last.failure.message}")
    if last.phase == "Skipped":
        return Event("Normal", "RunSkipped", skipped_message(last))
    if last.phase == "Cancelled":
        return Event("Normal", "RunCancelled", f"run {last.name} was cancelled")
    return Event("Normal", "RunSuperseded", f"run {last.name} was superseded by a change of the recipe")


def _paused(before: TrainingJobStatus, after: TrainingJobStatus) -> list[Event]:
    """Return the Event of a breaker that opens; there is none when only its end changes."""
    new = _condition(after, RETRAINING_PAUSED)
    return (
        [Event("Warning", RETRAINING_PAUSED, new.message)] if new and not _condition(before, RETRAINING_PAUSED) else []
    )


def _stalled(before: TrainingJobStatus, after: TrainingJobStatus) -> list[Event]:
    old, new = _condition(before, STALLED), _condition(after, STALLED)
    if new is None or (old is not None and (old.reason, old.message) == (new.reason, new.message)):
        return []
    return [Event("Warning", reason_of(new), new.message)]


def _condition(status: TrainingJobStatus, condition_type: str) -> Condition | None:
    return next((condition for condition in status.conditions if condition.type == condition_type), None)
