"""What a run's pod waits for, as the kubelet or the scheduler reports it.

The message stays the same while the cause does: a pull that fails alternates between two reasons.
"""

from __future__ import annotations

from dataclasses import dataclass

from steadfit.core.text import log_tail, mounting

from .pod_view import RunPod, Step

PULLING = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_STARTING = frozenset({"", "PodInitializing", "ContainerCreating"})


@dataclass(frozen=True, slots=True)
class Wait:
    """What a pod waits for, whether it is stuck there, and whether it waits for an image."""

    message: str = ""
    stuck: bool = False
    image: bool = False


def waiting(pod: RunPod) -> Wait:
    """Return what the pod waits for; the message is empty while it starts as usual."""
    if pod.unschedulable is not None:
        return Wait(f"the pod cannot be scheduled: {log_tail(pod.unschedulable)}", stuck=True)
    step = pod.next_step
    if step is None:
        return Wait()
    if step.reason in PULLING:
        return Wait(_pull_message(step), stuck=True, image=True)
    if step.reason not in _STARTING:
        why = ": ".join(part for part in (step.reason, log_tail(step.message)) if part)
        return Wait(f"{step.name} cannot start: {why}", stuck=True)
    if pod.sandboxed is False:
        return Wait(mounting(list(dict.fromkeys(pod.secrets))))
    return Wait()


def _pull_message(step: Step) -> str:
    """Return why an image is missing; both of the alternating reasons give the same sentence."""
    why = log_tail(step.message)
    for prefix in (f'Back-off pulling image "{step.image}"', "ErrImagePull"):
        why = why.removeprefix(prefix).lstrip(": ")
    return f"the image {step.image} of {step.name} cannot be pulled" + (f": {why}" if why else "")
