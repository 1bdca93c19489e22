"""The conditions of a TrainingRun: on its way until it has ended, then ready or stalled for good."""

from __future__ import annotations

from steadfit.api.trainingrun import Attempt, EvaluateInputs, TrainingRunStatus
from steadfit.core.conditions import DesiredCondition, ready, reconciling, stalled
from steadfit.core.text import time_text

from . import messages
from .runtime import job


def conditions(status: TrainingRunStatus, inputs: EvaluateInputs | None = None) -> list[DesiredCondition]:
    """Return the conditions; their message is what `kubectl get tr` shows. `inputs` are those of an evaluation."""
    found = status.failure
    if status.phase == "Succeeded":
        if inputs is not None and status.evaluation is not None:
            return ready("Succeeded", messages.words(inputs, status.evaluation))
        return ready("Succeeded", f"brought version {status.version}")
    if status.phase == "Superseded":
        return stalled("Superseded", "the recipe changed before this run had a result; the next run follows it")
    if status.phase == "Failed":
        return stalled(found.failure_class, found.message) if found else stalled("Failed", "it left no words")
    return reconciling(*_going(status, inputs is not None))


def _going(status: TrainingRunStatus, evaluates: bool) -> tuple[str, str]:
    attempt = status.attempts[-1] if status.attempts else None
    if status.record is not None and not evaluates:
        return "Recording", "the result is recorded; its version is being made"
    if status.evaluation is not None and evaluates:
        return "Recording", "the outcome is recorded; its pod ends"
    if attempt is None:
        return "Pending", "waits for its TrainingJob"
    if attempt.failure and status.next_attempt_at:
        found, at = attempt.failure, time_text(status.next_attempt_at)
        return "WaitingForRetry", (
            f"attempt {attempt.number} failed ({found.failure_class}: {found.message});"
            f" attempt {attempt.number + 1} starts at {at}"
        )
    return attempt.phase, f"attempt {attempt.number}: {_words(attempt)}"


def _words(attempt: Attempt) -> str:
    if attempt.message:
        return attempt.message
    if attempt.phase == "Pending":
        return f"the pod {attempt.pod} starts" if attempt.pod else f"the {job.KIND} is being made"
    return f"{attempt.phase.lower()} in the pod {attempt.pod}"
