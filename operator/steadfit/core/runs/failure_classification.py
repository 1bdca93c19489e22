"""The failure table: why an attempt failed, read from its pod. The first line that matches decides.

Only what the pod itself shows is judged here; what it fails to do in time is the matter of the clocks.
"""

from __future__ import annotations

from collections.abc import Callable

from steadfit.api.run import FailureClass, FailureRecord
from steadfit.core.text import cut, log_tail

from .runtime.pod_view import EVALUATE, FETCH, PUBLISH, TRAIN, RunPod, Step

RETRYABLE: frozenset[FailureClass] = frozenset({"Store", "Infrastructure"})

NO_OUTPUT = 12
BAD_DATA = 10
STORE = 11


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
    """Return a failure with a message of a length that can be read."""
    return FailureRecord(failure_class=failure_class, message=cut(message, 4096))


def _out_of_memory(pod: RunPod) -> FailureRecord | None:
    """Match a container that the kernel killed in, whatever its exit code.

    When only a child process was killed, the container may end with 0, and the kubelet then neither counts it as
    done nor as failed: the pod would stay `PodInitializing` for ever.
    """
    for step in pod.steps.values():
        if step.reason == "OOMKilled":
            return failure(
                "OutOfMemory",
                f"{step.name} ran out of memory: the kernel killed a process of it (exit code {step.exit_code});"
                " raise resources.limits.memory or use less",
            )
    return None


def _workspace_full(pod: RunPod) -> FailureRecord | None:
    """Match an eviction that is the pod's own doing; one for the node's sake is marked as a disruption."""
    if pod.reason == "Evicted" and pod.disrupted_at is None:
        # Without a user's container it is the captured rows that do not fit.
        failure_class: FailureClass = "UserError" if TRAIN in pod.steps else "Data"
        return failure(failure_class, f"the pod was evicted: {pod.message}")
    return None


def _user_error(pod: RunPod) -> FailureRecord | None:
    train = pod.steps.get(TRAIN)
    if train is not None and _failed_itself(train, pod):
        return failure("UserError", _last_words(train))
    return _own_exit(pod, "UserError", {PUBLISH: NO_OUTPUT})


def _data(pod: RunPod) -> FailureRecord | None:
    return _own_exit(pod, "Data", {FETCH: BAD_DATA, EVALUATE: BAD_DATA})


def _store(pod: RunPod) -> FailureRecord | None:
    return _own_exit(pod, "Store", {FETCH: STORE, PUBLISH: STORE, EVALUATE: STORE})


def _image(pod: RunPod) -> FailureRecord | None:
    """Match a name that no registry can ever resolve; what may still be pulled has a clock."""
    for step in pod.steps.values():
        if step.waiting and step.reason == "InvalidImageName":
            return failure("Image", f"{step.image!r} is not the name of an image: {log_tail(step.message)}")
    return None


def _infrastructure(pod: RunPod) -> FailureRecord | None:
    if pod.disrupted_at is not None:
        return failure("Infrastructure", pod.disruption)
    for step in pod.steps.values():
        if step.failed:
            return failure("Infrastructure", _last_words(step))
    if pod.phase == "Failed" or pod.reason == "NodeLost":
        words = ": ".join(part for part in (pod.reason, log_tail(pod.message)) if part)
        return failure("Infrastructure", f"the pod failed: {words or 'it left no words'}")
    return None


_RULES: tuple[Callable[[RunPod], FailureRecord | None], ...] = (
    _out_of_memory,
    _workspace_full,
    _user_error,
    _data,
    _store,
    _image,
    _infrastructure,
)


def _failed_itself(step: Step, pod: RunPod) -> bool:
    """Return whether a step failed of itself: not by the signals of a pod that was taken away, nor as a lost one."""
    if not step.failed or step.reason == "ContainerStatusUnknown":
        return False
    return pod.disrupted_at is None or (step.finished_at is not None and step.finished_at < pod.disrupted_at)


def _own_exit(pod: RunPod, failure_class: FailureClass, codes: dict[str, int]) -> FailureRecord | None:
    for name, code in codes.items():
        step = pod.steps.get(name)
        if step is not None and step.exit_code == code:
            return failure(failure_class, _last_words(step))
    return None


def _last_words(step: Step) -> str:
    said = log_tail(step.message)
    ended = f"{step.name} ended with exit code {step.exit_code}"
    if not said:
        reason = f" ({step.reason})" if step.reason not in ("", "Error") else ""
        return f"{ended}{reason} and left no message"
    return f"{ended}: {said}"
