"""What a run's pod waits for, in its own words.

The words stay the same while the cause does: a pull that fails shows two reasons in turn, and that is no news.
"""

from __future__ import annotations

from dataclasses import dataclass

from steadfit.core.text import log_tail

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
_ORDINARY = frozenset({"", "PodInitializing", "ContainerCreating"})


@dataclass(frozen=True, slots=True)
class Wait:
    """What is waited for, whether that is more than the ordinary way of a pod, and whether it is an image."""

    words: str = ""
    stuck: bool = False
    image: bool = False


def waiting(pod: RunPod) -> Wait:
    """Return what the pod waits for; no words while it is on its ordinary way."""
    if pod.unschedulable is not None:
        return Wait(f"the pod cannot be scheduled: {log_tail(pod.unschedulable)}", stuck=True)
    step = pod.turn
    if step is None:
        return Wait()
    if step.reason in PULLING:
        return Wait(_unpulled(step), stuck=True, image=True)
    if step.reason not in _ORDINARY:
        said = ": ".join(part for part in (step.reason, log_tail(step.message)) if part)
        return Wait(f"{step.name} cannot start: {said}", stuck=True)
    if pod.sandboxed is False:
        secrets = " and ".join(f"Secret {name}" for name in dict.fromkeys(pod.secrets))
        return Wait("the pod waits for its volumes" + (f"; it needs {secrets} in this namespace" if secrets else ""))
    return Wait()


def _unpulled(step: Step) -> str:
    """Return why an image is not there; the two reasons that take turns give the same sentence."""
    said = log_tail(step.message)
    for prefix in (f'Back-off pulling image "{step.image}"', "ErrImagePull"):
        said = said.removeprefix(prefix).lstrip(": ")
    return f"the image {step.image} of {step.name} cannot be pulled" + (f": {said}" if said else "")
