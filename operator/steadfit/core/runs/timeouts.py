"""The timeouts of an attempt: for its pod to be created, its steps to start, an image to be pulled, and training.

The deadline of a Job (`activeDeadlineSeconds`) is not used: Kubernetes deletes the pod with it, and its evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from steadfit.api.base import parse_duration
from steadfit.api.run import FailureRecord
from steadfit.api.runinputs import Limits
from steadfit.api.trainingrun import Attempt
from steadfit.core.runs.runtime.pod_view import RunPod
from steadfit.core.runs.runtime.pod_waiting import waiting
from steadfit.core.runs.runtime.refusal import is_temporary

from .failure_classification import failure

IMAGE_TIMEOUT = timedelta(minutes=2)
"""How long pulls of an image may fail. The kubelet retries them, and a Job would wait for ever."""


@dataclass(frozen=True, slots=True)
class Timeout:
    """A time, and the failure of an attempt that is not further by then."""

    due: datetime
    failure: FailureRecord


def running(attempt: Attempt, pod: RunPod | None, limits: Limits) -> list[Timeout]:
    """Return the timeouts that apply now, earliest first."""
    timeouts = _queue(attempt, limits) if pod is None else [*_start(attempt, pod, limits), *_run(pod, limits)]
    return sorted(timeouts, key=lambda timeout: timeout.due)


def expired(timeouts: Sequence[Timeout], now: datetime) -> FailureRecord | None:
    """Return the failure of the first timeout that has expired."""
    return next((timeout.failure for timeout in timeouts if timeout.due <= now), None)


def _queue(attempt: Attempt, limits: Limits) -> list[Timeout]:
    if attempt.waiting_since is not None:
        return [_refused(attempt, attempt.waiting_since, limits)]
    detail = f": {attempt.message}" if attempt.message else ""
    message = f"queueTimeout: the attempt had no pod after {limits.queue_timeout}{detail}"
    return [Timeout(attempt.decided_at + parse_duration(limits.queue_timeout), failure("Deadline", message))]


def _refused(attempt: Attempt, since: datetime, limits: Limits) -> Timeout:
    """Return the timeout of an attempt that the API server refuses: a full quota is a queue, anything else an error."""
    queue = attempt.decided_at + parse_duration(limits.queue_timeout)
    start = since + parse_duration(limits.start_timeout)
    if is_temporary(attempt.message) or queue <= start:
        return Timeout(queue, failure("Admission", f"{attempt.message} (for {limits.queue_timeout}, queueTimeout)"))
    return Timeout(start, failure("Admission", f"{attempt.message} (for {limits.start_timeout}, startTimeout)"))


def _start(attempt: Attempt, pod: RunPod, limits: Limits) -> Iterator[Timeout]:
    step = pod.next_step
    if step is None:
        return
    wait = waiting(pod)
    due = pod.next_step_since + parse_duration(limits.start_timeout)
    if pod.unschedulable is not None:
        yield Timeout(due, failure("Scheduling", f"{wait.message} (for {limits.start_timeout}, startTimeout)"))
        return
    if wait.image and attempt.waiting_since is not None:
        yield Timeout(attempt.waiting_since + IMAGE_TIMEOUT, failure("Image", attempt.message))
    detail = f": {wait.message}" if wait.message else ""
    yield Timeout(
        due, failure("Deadline", f"startTimeout: {step.name} did not start within {limits.start_timeout}{detail}")
    )


def _run(pod: RunPod, limits: Limits) -> Iterator[Timeout]:
    step = pod.main_step
    if step.started_at is not None and step.exit_code is None:
        message = f"runTimeout: {step.name} had not ended after {limits.run_timeout}"
        yield Timeout(step.started_at + parse_duration(limits.run_timeout), failure("Deadline", message))
