"""The clocks of an attempt: how long it may wait for its pod, for its steps to start, for an image, and train.

Kubernetes' own deadline of a Job is not used: it deletes the pod together with its evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from steadfit.api.base import parse_duration
from steadfit.api.run import FailureRecord
from steadfit.api.runinputs import Limits
from steadfit.api.trainingrun import Attempt

from .failure_classification import failure
from .runtime.pod_view import RunPod
from .runtime.pod_waiting import waiting

IMAGE_PATIENCE = timedelta(minutes=2)
"""How long an image may fail to be pulled: the kubelet tries again meanwhile, and a Job would wait for ever."""


@dataclass(frozen=True, slots=True)
class Clock:
    """When time is up, and the failure that it is then."""

    due: datetime
    failure: FailureRecord


def running(attempt: Attempt, pod: RunPod | None, limits: Limits) -> list[Clock]:
    """Return the clocks that run now; earlier ones first."""
    clocks = _queue(attempt, limits) if pod is None else [*_start(attempt, pod, limits), *_run(pod, limits)]
    return sorted(clocks, key=lambda clock: clock.due)


def expired(clocks: Sequence[Clock], now: datetime) -> FailureRecord | None:
    """Return the failure of the first clock whose time is up."""
    return next((clock.failure for clock in clocks if clock.due <= now), None)


def _queue(attempt: Attempt, limits: Limits) -> list[Clock]:
    words = f": {attempt.message}" if attempt.message else ""
    message = f"queueTimeout: the attempt had no pod after {limits.queue_timeout}{words}"
    return [Clock(attempt.decided_at + parse_duration(limits.queue_timeout), failure("Deadline", message))]


def _start(attempt: Attempt, pod: RunPod, limits: Limits) -> Iterator[Clock]:
    step = pod.turn
    if step is None:
        return
    wait = waiting(pod)
    due = pod.turn_since + parse_duration(limits.start_timeout)
    if pod.unschedulable is not None:
        yield Clock(due, failure("Scheduling", f"{wait.words} (for {limits.start_timeout}, startTimeout)"))
        return
    if wait.image and attempt.waiting_since is not None:
        yield Clock(attempt.waiting_since + IMAGE_PATIENCE, failure("Image", attempt.message))
    words = f": {wait.words}" if wait.words else ""
    yield Clock(
        due, failure("Deadline", f"startTimeout: {step.name} did not start within {limits.start_timeout}{words}")
    )


def _run(pod: RunPod, limits: Limits) -> Iterator[Clock]:
    work = pod.work
    if work.started_at is not None and work.exit_code is None:
        message = f"runTimeout: {work.name} was not done after {limits.run_timeout}"
        yield Clock(work.started_at + parse_duration(limits.run_timeout), failure("Deadline", message))
