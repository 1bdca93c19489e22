"""The Events of a TrainingRun: one for each transition of its status."""

from __future__ import annotations

from steadfit.api.trainingrun import EvaluateInputs, TrainingRunStatus
from steadfit.core.runs.runtime import job
from steadfit.core.types import Event

from . import messages


def events(
    before: TrainingRunStatus, after: TrainingRunStatus, inputs: EvaluateInputs | None = None
) -> tuple[Event, ...]:
    """Return the Events of the transitions between two statuses. `inputs` are those of an evaluation."""
    return (*_attempts(before, after), *_version(before, after), *_end(before, after, inputs))


def _attempts(before: TrainingRunStatus, after: TrainingRunStatus) -> list[Event]:
    known = {attempt.number: attempt for attempt in before.attempts}
    events = []
    for attempt in after.attempts:
        old = known.get(attempt.number)
        if old is None:
            events.append(Event("Normal", "AttemptStarted", f"attempt {attempt.number} is {job.KIND} {attempt.job}"))
        if attempt.failure and (old is None or old.failure is None):
            failure = attempt.failure
            events.append(
                Event(
                    "Warning",
                    "AttemptFailed",
                    f"attempt {attempt.number} failed ({failure.failure_class}): {failure.message}",
                )
            )
        elif attempt.message and attempt.waiting_since and (old is None or old.waiting_since is None):
            events.append(Event("Warning", "AttemptWaiting", f"attempt {attempt.number}: {attempt.message}"))
    return events


def _version(before: TrainingRunStatus, after: TrainingRunStatus) -> list[Event]:
    if after.version is None or before.version is not None:
        return []
    return [Event("Normal", "VersionCreated", f"version {after.version} was recorded")]


def _end(before: TrainingRunStatus, after: TrainingRunStatus, inputs: EvaluateInputs | None) -> list[Event]:
    if after.phase == before.phase:
        return []
    if after.phase == "Succeeded" and inputs is not None and after.evaluation is not None:
        return [Event("Normal", "RunSucceeded", messages.message(inputs, after.evaluation))]
    if after.phase == "Succeeded":
        return [Event("Normal", "RunSucceeded", f"the run produced version {after.version}")]
    if after.phase == "Superseded":
        return [Event("Normal", "RunSuperseded", "the recipe changed before the run had a result")]
    if after.phase == "Skipped":
        return [Event("Normal", "RunSkipped", messages.known(after))]
    if after.phase == "Cancelled":
        return [Event("Normal", "RunCancelled", messages.cancelled(after.cancelled))]
    if after.phase == "Failed" and after.failure:
        return [Event("Warning", "RunFailed", f"{after.failure.failure_class}: {after.failure.message}")]
    return []
