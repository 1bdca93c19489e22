"""Why an attempt failed, read from its pod. The first rule that matches decides.

Only what the pod itself reports is classified here; what it does not do in time is in `timeouts`.
"""

from __future__ import annotations

from collections.abc import Callable

from steadfit.api.run import FailureClass, FailureRecord
from steadfit.core.runs.runtime.pod_view import EVALUATE, FETCH, PUBLISH, TRAIN, RunPod, Step
from steadfit.core.text import cut, log_tail

from . import known_inputs

RETRYABLE: frozenset[FailureClass] = frozenset({"Store", "Infrastructure"})

NO_OUTPUT = 12
BAD_DATA = 10
STORE = 11
# A program that ends by itself has a smaller one; a larger one comes from a signal or the container runtime.
_FIRST_FOREIGN_CODE = 126


def classify(pod: RunPod) -> FailureRecord | None:
    """Return why a pod has failed, or cannot go on; None while it may still succeed."""
    if pod.phase == "Succeeded":
        return None
    for rule in _RULES:
        failure = rule(pod)
        if failure is not None:
            return failure
    return None


def failure(failure_class: FailureClass, message: str) -> FailureRecord:
    """Return a failure; a long message is cut."""
    return FailureRecord(failure_class=failure_class, message=cut(message, 4096))


def _out_of_memory(pod: RunPod) -> FailureRecord | None:
    """Match a container in which the kernel killed a process for its memory, whatever its exit code.

    If only a child process was killed, the container may end with 0. The kubelet then counts it neither as succeeded
    nor as failed, and the pod would stay `PodInitializing` for ever.
    """
    for step in pod.steps.values():
        if step.reason == "OOMKilled":
            return failure(
                "OutOfMemory",
                f"{step.name} ran out of memory: the kernel killed a process of it (exit code {step.exit_code});"
                " raise resources.limits.memory or use less memory",
            )
    return None


def _workspace_full(pod: RunPod) -> FailureRecord | None:
    """Match an eviction that the pod itself caused; one that the node caused is marked as a disruption."""
    if pod.reason == "Evicted" and pod.disrupted_at is None:
        # Without a user's container, the captured rows do not fit.
        failure_class: FailureClass = "UserError" if TRAIN in pod.steps else "Data"
        return failure(failure_class, f"the pod was evicted: {pod.message}")
    return None


def _user_error(pod: RunPod) -> FailureRecord | None:
    train = pod.steps.get(TRAIN)
    if train is not None and _failed_by_itself(train, pod):
        return failure("UserError", _termination_message(train))
    return _exit_code(pod, "UserError", {PUBLISH: NO_OUTPUT})


def _data(pod: RunPod) -> FailureRecord | None:
    return _exit_code(pod, "Data", {FETCH: BAD_DATA, EVALUATE: BAD_DATA})


def _store(pod: RunPod) -> FailureRecord | None:
    return _exit_code(pod, "Store", {FETCH: STORE, PUBLISH: STORE, EVALUATE: STORE})


def _image(pod: RunPod) -> FailureRecord | None:
    """Match a name that no registry can resolve; an image that may still be pulled has a timeout."""
    for step in pod.steps.values():
        if step.waiting and step.reason == "InvalidImageName":
            return failure("Image", f"{step.image!r} is not the name of an image: {log_tail(step.message)}")
    return None


def _internal(pod: RunPod) -> FailureRecord | None:
    """Match a step of Steadfit that ended with an error of its own; the same input gives the same error again."""
    for name in (FETCH, PUBLISH, EVALUATE):
        step = pod.steps.get(name)
        if step is None or not _failed_by_itself(step, pod) or (step.exit_code or 0) >= _FIRST_FOREIGN_CODE:
            continue
        if (name, step.exit_code) == (FETCH, known_inputs.EXIT_CODE):
            continue  # The version that it found has been deleted; another attempt compares with those that are left.
        return failure("Internal", _termination_message(step))
    return None


def _infrastructure(pod: RunPod) -> FailureRecord | None:
    if pod.disrupted_at is not None:
        return failure("Infrastructure", pod.disruption)
    for step in pod.steps.values():
        if step.failed:
            return failure("Infrastructure", _termination_message(step))
    if pod.phase == "Failed" or pod.reason == "NodeLost":
        reported = ": ".join(part for part in (pod.reason, log_tail(pod.message)) if part)
        return failure("Infrastructure", f"the pod failed: {reported or 'it reported no reason'}")
    return None


_RULES: tuple[Callable[[RunPod], FailureRecord | None], ...] = (
    _out_of_memory,
    _workspace_full,
    _user_error,
    _data,
    _store,
    _image,
    _internal,
    _infrastructure,
)


def _failed_by_itself(step: Step, pod: RunPod) -> bool:
    """Return whether a step failed by itself: not by the signals of a disruption, nor with a status that was lost."""
    if not step.failed or step.reason == "ContainerStatusUnknown":
        return False
    return pod.disrupted_at is None or (step.finished_at is not None and step.finished_at < pod.disrupted_at)


def _exit_code(pod: RunPod, failure_class: FailureClass, codes: dict[str, int]) -> FailureRecord | None:
    for name, code in codes.items():
        step = pod.steps.get(name)
        if step is not None and step.exit_code == code:
            return failure(failure_class, _termination_message(step))
    return None


def _termination_message(step: Step) -> str:
    message = log_tail(step.message)
    ended = f"{step.name} ended with exit code {step.exit_code}"
    if not message:
        reason = f" ({step.reason})" if step.reason not in ("", "Error") else ""
        return f"{ended}{reason} and left no message"
    return f"{ended}: {message}"
