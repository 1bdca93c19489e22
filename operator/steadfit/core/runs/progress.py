"""The progress of an attempt, read from its Job and pod into the status."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.trainingrun import Attempt, AttemptPhase
from steadfit.core.runs.runtime import job
from steadfit.core.runs.runtime.pod_view import EVALUATE, FETCH, PUBLISH, TRAIN, RunPod, Step
from steadfit.core.runs.runtime.pod_waiting import Wait, waiting
from steadfit.core.text import cut
from steadfit.core.types import Manifest

_PHASES: tuple[tuple[str, AttemptPhase], ...] = (
    (EVALUATE, "Evaluating"),
    (PUBLISH, "Publishing"),
    (TRAIN, "Training"),
    (FETCH, "Fetching"),
)


def follow(attempt: Attempt, workload: Manifest, pod: RunPod | None, refusal: str, now: datetime) -> Attempt:
    """Return the attempt as its Job and pod show it now; `refusal` is why the API server refuses the pod, if known."""
    if attempt.job_uid is None:
        # A refusal of the Job itself is over.
        attempt = attempt.model_copy(update={"job_uid": workload["metadata"]["uid"], "waiting_since": None})
    if job.is_suspended(workload):
        return _queued(attempt, now)
    if pod is None:
        if attempt.pod is not None:
            return attempt
        if refusal:
            return refused(attempt, f"the pod of {job.KIND} {attempt.job}", refusal, now)
        # A new leader does not know the cause yet that the status has.
        waits = f"waits for the pod of {job.KIND} {attempt.job}; its events say more"
        return attempt.model_copy(update={"message": attempt.message if attempt.waiting_since else waits})
    fetch, train = pod.steps[FETCH], pod.steps.get(TRAIN, Step(TRAIN, ""))
    wait = waiting(pod)
    return attempt.model_copy(
        update={
            "phase": _phase(pod),
            "pod": pod.name,
            "pod_created_at": pod.created_at,
            "started_at": fetch.started_at or attempt.started_at,
            "train_started_at": train.started_at or attempt.train_started_at,
            "train_finished_at": train.finished_at or attempt.train_finished_at,
            "image_id": train.image_id or attempt.image_id,
            "waiting_since": _since(attempt, pod, wait, now),
            "message": _message(attempt, wait),
        }
    )


def refused(attempt: Attempt, what: str, cause: str, now: datetime) -> Attempt:
    """Return an attempt whose Job, or pod, the API server refuses to create."""
    message = cut(f"{what} is refused: {cause}")
    return attempt.model_copy(update={"message": message, "waiting_since": attempt.waiting_since or now})


def _phase(pod: RunPod) -> AttemptPhase:
    """Return the phase of the last step that has started."""
    started = {step.name for step in pod.steps.values() if not step.waiting}
    return next((phase for name, phase in _PHASES if name in started), "Pending")


def _queued(attempt: Attempt, now: datetime) -> Attempt:
    """Return an attempt whose Job is suspended; one that was preempted queues anew."""
    message = f"{job.KIND} {attempt.job} is suspended: it waits in its queue"
    if attempt.pod is None:
        return attempt.model_copy(update={"message": message, "waiting_since": None})
    return Attempt(number=attempt.number, job=attempt.job, job_uid=attempt.job_uid, decided_at=now, message=message)


def _since(attempt: Attempt, pod: RunPod, wait: Wait, now: datetime) -> datetime | None:
    """Return since when the pod is stuck; not from before it was scheduled or this step was due."""
    if not wait.stuck:
        return None
    earliest = max(pod.next_step_since, pod.scheduled_at or pod.created_at)
    if attempt.waiting_since is None or attempt.waiting_since < earliest:
        return now
    return attempt.waiting_since


def _message(attempt: Attempt, wait: Wait) -> str:
    """Return what the pod waits for. A back-off that does not repeat its cause keeps the message that names it."""
    return attempt.message if wait.image and attempt.message.startswith(wait.message) else wait.message
