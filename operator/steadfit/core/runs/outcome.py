"""How a run ends: with a version or an evaluation, with a final failure, superseded, skipped, cancelled or orphaned."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.run import FailureRecord, RunPhase
from steadfit.api.trainingrun import Attempt, TrainingRunStatus
from steadfit.core.problem import Problem
from steadfit.core.types import ObservedTrainingRun

from .attempts import has_result, retry_at
from .cancelled import cancellation_of
from .failure_classification import failure
from .orphaned import cancellation, is_orphaned
from .superseded import is_superseded


def settle(
    status: TrainingRunStatus, problem: Problem | None, observed: ObservedTrainingRun, now: datetime
) -> TrainingRunStatus:
    """Return the status with its phase, and with the time of the next attempt after a retryable failure.

    A result counts however its pod ended. Once it is posted, no further attempt is made.
    """
    attempt = status.attempts[-1] if status.attempts else None
    posted = has_result(status, observed.run)
    done = status.version is not None or (posted and observed.run.spec.purpose == "Evaluate")
    if done and (attempt is None or attempt.finished_at is not None):
        return _ended(status, "Succeeded", None, now)
    if problem is not None:
        return _ended(status, "Failed", failure("UserError", problem.message), now)
    if attempt is not None and attempt.known_version is not None:
        return _ended(status, "Skipped", None, now)
    if not posted and (cancelled := cancellation_of(observed)):
        return _ended(status.model_copy(update={"cancelled": cancelled}), "Cancelled", status.failure, now)
    if not posted and is_superseded(observed):
        return _ended(status, "Superseded", status.failure, now)
    orphaned = not posted and is_orphaned(status, observed, now)
    if orphaned and attempt is None:
        return _ended(status.model_copy(update={"cancelled": cancellation(observed)}), "Cancelled", None, now)
    if orphaned and attempt is not None and attempt.failure is not None:
        # No attempt follows without the TrainingJob.
        return _ended(status, "Failed", attempt.failure, now)
    if posted or attempt is None or attempt.failure is None:
        return status.model_copy(update={"phase": _open_phase(attempt, posted)})
    if status.next_attempt_at is None:
        at = retry_at(status, attempt.failure, observed.run.spec.limits.retries, now)
        if at is None:
            return _ended(status, "Failed", attempt.failure, now)
        status = status.model_copy(update={"next_attempt_at": at})
    return status.model_copy(update={"phase": "Pending", "failure": attempt.failure})


def _open_phase(attempt: Attempt | None, posted: bool) -> RunPhase:
    return "Running" if posted or (attempt and attempt.started_at) else "Pending"


def _ended(status: TrainingRunStatus, phase: RunPhase, cause: FailureRecord | None, now: datetime) -> TrainingRunStatus:
    attempts = [
        attempt if attempt.finished_at else attempt.model_copy(update={"finished_at": now, "message": ""})
        for attempt in status.attempts
    ]
    return status.model_copy(
        update={"phase": phase, "failure": cause, "attempts": attempts, "next_attempt_at": None, "finished_at": now}
    )
