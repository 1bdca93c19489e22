"""Which decision keeps the live version from the pod template that spec.server asks for, and the next step."""

from __future__ import annotations

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import QuarantineEntry, Released
from steadfit.core.problem import Problem
from steadfit.core.serving.messages import describe

Decision = QuarantineEntry | Released


def decision(status: ModelDeploymentStatus) -> Decision | None:
    """Return the last rollback of the pod template that is asked for, or its release; None without one.

    A template that was abandoned is named with the abandoned versions (`not_rolled_out.py`).
    """
    live = status.live
    if live is None or live.asked_inputs_digest is None:
        return None
    entries = [
        entry
        for entry in status.quarantine
        if entry.artifact == live.digest and entry.inputs_digest == live.asked_inputs_digest
    ]
    if entries:
        return entries[-1]
    released = (item for item in reversed(status.released) if item.digest == live.digest and item.at > live.since)
    return next(released, None)


def problem(found: Decision, after_pin: str) -> Problem:
    """Return what keeps the live version from that pod template, and what a person does."""
    again = f"a Promote of version {found.number} serves it with"
    if isinstance(found, Released):
        why = (
            f"the pod template of version {found.number} was released from quarantine by {found.by}, and is not rolled"
        )
        return Problem("Released", f"{why} out by itself; {again} the current spec.server{after_pin}")
    step = f"change spec.server: version {found.number} continues to serve with its older pods until then"
    return Problem("Quarantined", f"{quarantined(found)}; {step}; {again} the same pods after a Release{after_pin}")


def quarantined(entry: QuarantineEntry) -> str:
    """Return that a pod template is in quarantine, and its model is not."""
    return f"the pod template of {describe(entry)}, not its model, is in quarantine by {entry.by}: {entry.reason}"
