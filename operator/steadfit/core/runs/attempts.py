"""The attempts of a run: each is one Job, and after a failure that may pass there is another one.

An attempt is decided on in the status first; its Job follows from that entry. The operator counts and waits, not the
Job: a Job's own retries would repeat fetch and train for a failed publish, and lose the evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from steadfit.api.run import FailureRecord
from steadfit.api.trainingrun import Attempt, TrainingRun, TrainingRunStatus
from steadfit.core.text import log_tail
from steadfit.core.types import Manifest, ObservedTrainingRun

from . import progress, timeouts
from .failure_classification import RETRYABLE, classify, failure
from .runtime import job, job_manifest, pods
from .runtime.pod_view import RunPod
from .superseded import is_superseded
from .timeouts import Clock

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=10)
NEWS_PATIENCE = timedelta(minutes=1)
"""How long a failed Job waits for the words of its pod: news of Jobs and of pods travel apart."""


@dataclass(frozen=True, slots=True)
class AttemptObservation:
    """An attempt as it is now, and the clocks that run for it."""

    attempt: Attempt
    timeouts: Sequence[Clock] = field(default=())


def begin(status: TrainingRunStatus, observed: ObservedTrainingRun, now: datetime) -> TrainingRunStatus:
    """Return the status with the next attempt, if one is due and the TrainingJob is still there."""
    training_job = observed.job
    if training_job is None or training_job.metadata.deletion_timestamp is not None:
        return status
    if has_result(status, observed.run) or is_superseded(observed):
        return status
    if status.attempts and (status.next_attempt_at is None or now < status.next_attempt_at):
        return status
    number = len(status.attempts) + 1
    attempt = Attempt(number=number, job=job.attempt_name(observed.run.name, number), decided_at=now)
    return status.model_copy(update={"attempts": [*status.attempts, attempt], "next_attempt_at": None})


def observe(attempt: Attempt, observed: ObservedTrainingRun, now: datetime) -> AttemptObservation:
    """Return an open attempt as its Job and pod show it: further on, succeeded, failed, or still waiting."""
    workload = workload_of(attempt, observed)
    if workload is None:
        return _without_workload(attempt, observed, now)
    pod = pods.pod_of(workload, observed.pods)
    attempt = progress.follow(attempt, workload, pod, now)
    if job.is_complete(workload):
        if has_result(observed.run.status, observed.run):
            return AttemptObservation(
                attempt.model_copy(update={"phase": "Succeeded", "message": "", "finished_at": now})
            )
        return _failed(attempt, failure("Infrastructure", _unposted(observed.run)), now)
    found = classify(pod) if pod is not None else None
    found = found or _lost(attempt, workload, pod)
    if found:
        return _failed(attempt, found, now)
    over = _without_words(attempt, workload)
    times = [over] if over else timeouts.running(attempt, pod, observed.run.spec.limits)
    late = timeouts.expired(times, now)
    return _failed(attempt, late, now) if late else AttemptObservation(attempt, times)


def has_result(status: TrainingRunStatus, run: TrainingRun) -> bool:
    """Return whether an attempt has posted what the run is for: a record, or an evaluation."""
    return (status.evaluation if run.spec.purpose == "Evaluate" else status.record) is not None


def workload_of(attempt: Attempt, observed: ObservedTrainingRun) -> Manifest | None:
    """Return what an attempt runs as; an object of another uid than was seen first is not it."""
    for workload in observed.workloads:
        metadata = workload["metadata"]
        if metadata["name"] == attempt.job and attempt.job_uid in (None, metadata["uid"]):
            return workload
    return None


def retry_at(status: TrainingRunStatus, found: FailureRecord, retries: int, now: datetime) -> datetime | None:
    """Return when the next attempt starts after a failure: after 30s, doubling, at most 10m; None = never."""
    made = len(status.attempts)
    if found.failure_class not in RETRYABLE or made > retries:
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
    attempt = attempt.model_copy(update={"message": job_manifest.missing(observed.run, observed.stores) or ""})
    times = timeouts.running(attempt, None, observed.run.spec.limits)
    late = timeouts.expired(times, now)
    return _failed(attempt, late, now) if late else AttemptObservation(attempt, times)


def _lost(attempt: Attempt, workload: Manifest, pod: RunPod | None) -> FailureRecord | None:
    """Return the failure of an attempt whose Job or pod was deleted before it could report one."""
    if job.is_deleted(workload):
        return failure("Infrastructure", f"{job.KIND} {attempt.job} was deleted")
    if pod is None and attempt.pod is not None:
        return failure("Infrastructure", f"the pod {attempt.pod} is gone")
    return None


def _without_words(attempt: Attempt, workload: Manifest) -> Clock | None:
    """Return the clock of a Job that has failed while its pod is not known to have."""
    ended = job.failed(workload)
    if ended is None:
        return None
    said = log_tail(str(ended.get("message", ""))) or ended.get("reason", "no words")
    found = failure("Infrastructure", f"{job.KIND} {attempt.job} failed and its pod left no words: {said}")
    return Clock(datetime.fromisoformat(ended["lastTransitionTime"]) + NEWS_PATIENCE, found)


def _failed(attempt: Attempt, found: FailureRecord, now: datetime) -> AttemptObservation:
    ended = {"phase": "Failed", "failure": found, "message": "", "waiting_since": None, "finished_at": now}
    return AttemptObservation(attempt.model_copy(update=ended))
