"""The attempts of a run: each is one Job. After a failure that may be temporary, another attempt follows.

An attempt is written to the status first, and its Job is created from that entry. The operator retries, not the Job: a
Job's own retries would repeat fetch and train after a failed publish, and delete the evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from steadfit.api.run import FailureRecord
from steadfit.api.trainingrun import Attempt, TrainingRun, TrainingRunStatus
from steadfit.core.runs.runtime import job, job_manifest, pods
from steadfit.core.runs.runtime.pod_view import RunPod
from steadfit.core.text import log_tail
from steadfit.core.types import Manifest, ObservedTrainingRun

from . import known_inputs, progress, timeouts
from .cancelled import cancellation_of
from .failure_classification import RETRYABLE, classify, failure
from .superseded import is_superseded
from .timeouts import Timeout

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=10)
POD_STATUS_DELAY = timedelta(minutes=1)
"""How long after its Job a pod may report that it failed: the two watches are independent."""


@dataclass(frozen=True, slots=True)
class AttemptObservation:
    """An attempt as it is now, and the timeouts that apply to it."""

    attempt: Attempt
    timeouts: Sequence[Timeout] = field(default=())


def begin(status: TrainingRunStatus, observed: ObservedTrainingRun, now: datetime) -> TrainingRunStatus:
    """Return the status with the next attempt, if one is due and the TrainingJob still exists."""
    training_job = observed.job
    if training_job is None or training_job.metadata.deletion_timestamp is not None:
        return status
    if has_result(status, observed.run) or is_superseded(observed) or cancellation_of(observed):
        return status
    if status.attempts and (status.next_attempt_at is None or now < status.next_attempt_at):
        return status
    number = len(status.attempts) + 1
    attempt = Attempt(number=number, job=job.attempt_name(observed.run.name, number), decided_at=now)
    return status.model_copy(update={"attempts": [*status.attempts, attempt], "next_attempt_at": None})


def observe(attempt: Attempt, observed: ObservedTrainingRun, now: datetime) -> AttemptObservation:
    """Return an attempt that has not ended as its Job and pod show it now."""
    workload = workload_of(attempt, observed)
    if workload is None:
        return _without_workload(attempt, observed, now)
    pod = pods.pod_of(workload, observed.pods)
    attempt = progress.follow(attempt, workload, pod, observed.refusals.get(attempt.job, ""), now)
    if job.is_complete(workload):
        if has_result(observed.run.status, observed.run):
            return AttemptObservation(
                attempt.model_copy(update={"phase": "Succeeded", "message": "", "finished_at": now})
            )
        return _failed(attempt, failure("Infrastructure", _unposted(observed.run)), now)
    known = known_inputs.found_by(pod, observed.versions) if pod is not None else None
    if known is not None:
        ended = {"phase": "Succeeded", "message": "", "waiting_since": None, "finished_at": now}
        return AttemptObservation(attempt.model_copy(update={**ended, "known_version": known}))
    cause = classify(pod) if pod is not None else None
    cause = cause or _deleted(attempt, workload, pod)
    if cause:
        return _failed(attempt, cause, now)
    unreported = _unreported(attempt, workload)
    running = [unreported] if unreported else timeouts.running(attempt, pod, observed.run.spec.limits)
    return _unless_expired(attempt, running, now)


def has_result(status: TrainingRunStatus, run: TrainingRun) -> bool:
    """Return whether an attempt has posted the result of the run: a record, or an evaluation."""
    return (status.evaluation if run.spec.purpose == "Evaluate" else status.record) is not None


def workload_of(attempt: Attempt, observed: ObservedTrainingRun) -> Manifest | None:
    """Return the Job of an attempt; one with another uid than was observed first is not it."""
    for workload in observed.workloads:
        metadata = workload["metadata"]
        if metadata["name"] == attempt.job and attempt.job_uid in (None, metadata["uid"]):
            return workload
    return None


def retry_at(status: TrainingRunStatus, cause: FailureRecord, retries: int, now: datetime) -> datetime | None:
    """Return when the next attempt starts after a failure: after 30s, doubling, at most 10m; None = never."""
    made = len(status.attempts)
    if cause.failure_class not in RETRYABLE or made > retries:
        return None
    pause: timedelta = FIRST_PAUSE * 2 ** (made - 1)
    return now + min(pause, LONGEST_PAUSE)


def _unposted(run: TrainingRun) -> str:
    if run.spec.purpose == "Evaluate":
        return "evaluate ended without posting its outcome"
    return "publish ended without posting a record"


def _without_workload(attempt: Attempt, observed: ObservedTrainingRun, now: datetime) -> AttemptObservation:
    if attempt.job_uid is not None:
        return _failed(attempt, failure("Infrastructure", f"{job.KIND} {attempt.job} is gone; it was deleted"), now)
    # A missing store delays the attempt until it is there again.
    missing = job_manifest.missing(observed.run, observed.stores)
    cause = observed.refusals.get(attempt.job)
    if missing is not None:
        attempt = attempt.model_copy(update={"message": missing, "waiting_since": None})
    elif cause is not None:
        attempt = progress.refused(attempt, f"{job.KIND} {attempt.job}", cause, now)
    elif attempt.waiting_since is None:
        attempt = attempt.model_copy(update={"message": ""})
    return _unless_expired(attempt, timeouts.running(attempt, None, observed.run.spec.limits), now)


def _unless_expired(attempt: Attempt, running: Sequence[Timeout], now: datetime) -> AttemptObservation:
    expired = timeouts.expired(running, now)
    return _failed(attempt, expired, now) if expired else AttemptObservation(attempt, running)


def _deleted(attempt: Attempt, workload: Manifest, pod: RunPod | None) -> FailureRecord | None:
    """Return the failure of an attempt whose Job or pod was deleted before it could report one."""
    if job.is_deleted(workload):
        return failure("Infrastructure", f"{job.KIND} {attempt.job} was deleted")
    if pod is None and attempt.pod is not None:
        return failure("Infrastructure", f"the pod {attempt.pod} is gone")
    return None


def _unreported(attempt: Attempt, workload: Manifest) -> Timeout | None:
    """Return the timeout of a Job that has failed while its pod has not reported a failure."""
    ended = job.failed(workload)
    if ended is None:
        return None
    reason = log_tail(str(ended.get("message", ""))) or ended.get("reason", "no reason is given")
    cause = failure("Infrastructure", f"{job.KIND} {attempt.job} failed and its pod reported no failure: {reason}")
    return Timeout(datetime.fromisoformat(ended["lastTransitionTime"]) + POD_STATUS_DELAY, cause)


def _failed(attempt: Attempt, cause: FailureRecord, now: datetime) -> AttemptObservation:
    ended = {"phase": "Failed", "failure": cause, "message": "", "waiting_since": None, "finished_at": now}
    return AttemptObservation(attempt.model_copy(update=ended))
