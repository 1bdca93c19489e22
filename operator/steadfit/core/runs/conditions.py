"""The conditions of a TrainingRun: Reconciling until it has ended, then Finished, and Ready or Stalled, for good."""

from __future__ import annotations

from steadfit.api.run import FINISHED as FINISHED_PHASES
from steadfit.api.trainingrun import Attempt, EvaluateInputs, TrainingRunStatus
from steadfit.core.conditions import DesiredCondition, finished, ready, reconciling, stalled
from steadfit.core.reasons.catalogue import ReasonWord
from steadfit.core.runs.runtime import job
from steadfit.core.text import time_text

from . import messages


def conditions(
    status: TrainingRunStatus, inputs: EvaluateInputs | None = None, refusal: str = ""
) -> list[DesiredCondition]:
    """Return the conditions; their message is what `kubectl get tr` shows.

    `inputs` are those of an evaluation; `refusal` is why the API server refuses the version of the result.
    """
    if status.phase not in FINISHED_PHASES:
        return reconciling(*_in_progress(status, inputs is not None, refusal))
    return finished(_end(status, inputs))


def _end(status: TrainingRunStatus, inputs: EvaluateInputs | None) -> list[DesiredCondition]:
    failure = status.failure
    if status.phase == "Succeeded":
        if inputs is not None and status.evaluation is not None:
            return ready("Succeeded", messages.message(inputs, status.evaluation))
        return ready("Succeeded", f"produced version {status.version}")
    if status.phase == "Superseded":
        return stalled("Superseded", "the recipe changed before this run had a result; the next run follows it")
    if status.phase == "Skipped":
        return ready("InputsKnown", messages.known(status))
    if status.phase == "Cancelled":
        return stalled("Cancelled", messages.cancelled(status.cancelled))
    return stalled(failure.failure_class, failure.message) if failure else stalled("Failed", "no failure is recorded")


def _in_progress(status: TrainingRunStatus, evaluates: bool, refusal: str) -> tuple[ReasonWord, str]:
    attempt = status.attempts[-1] if status.attempts else None
    if status.record is not None and refusal:
        return "Recording", (
            f"the result is recorded, and its version {status.version_number} is refused: {refusal}; it is created as"
            " soon as that is corrected"
        )
    if status.record is not None and not evaluates:
        return "Recording", "the result is recorded; its version is being created"
    if status.evaluation is not None and evaluates:
        return "Recording", "the evaluation is recorded; the pod is ending"
    if attempt is None:
        return "Pending", "waits for its TrainingJob"
    if attempt.failure and status.next_attempt_at:
        failure, at = attempt.failure, time_text(status.next_attempt_at)
        return "WaitingForRetry", (
            f"attempt {attempt.number} failed ({failure.failure_class}: {failure.message});"
            f" attempt {attempt.number + 1} starts at {at}"
        )
    return attempt.phase, f"attempt {attempt.number}: {_step_message(attempt)}"


def _step_message(attempt: Attempt) -> str:
    if attempt.message:
        return attempt.message
    if attempt.phase == "Pending":
        return f"pod {attempt.pod} is starting" if attempt.pod else f"the {job.KIND} is being created"
    return f"{attempt.phase.lower()} in pod {attempt.pod}"
