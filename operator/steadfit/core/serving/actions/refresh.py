"""Refresh: rolls out the live version with the pod template that the installed operator renders.

It is a rollout like any other, with the canary of the spec, also for a pinned version: a person asks for other pods and
not for another model. It ends by going live, or with the candidate, which has its own deadlines.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Refresh
from steadfit.core.problem import Problem
from steadfit.core.serving.action_result import ActionResult, author
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.revisions import refresh as in_progress
from steadfit.core.serving.revisions.revision import as_ref, render


def refresh(status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime) -> ActionResult | Problem:
    """Return the status in which the live version is rolled out with the present pod template, or why it is not."""
    live, candidate = status.live, status.candidate
    if live is None:
        return Problem("NotServing", "no version serves yet, so there is nothing to refresh")
    if is_quarantined(live, status, fleet):
        return Problem("RollingBack", f"version {live.number} is being rolled back; refresh what replaces it")
    if candidate is not None:
        return Problem("RolloutInProgress", f"version {candidate.number} is being rolled out; refresh after its end")
    if fleet.desired_replicas == 0:
        return Problem("ScaledToZero", f"version {live.number} has no pods, as spec.server.replicas is 0; scale it up")
    version = fleet.version_of(live)
    if version is None:
        return Problem("VersionNotFound", f"ModelVersion {live.version} was deleted; its pods keep their template")
    present = render(version, fleet)
    if isinstance(present, Problem):
        return present
    if present.template_digest == live.template_digest:
        return ActionResult(status, f"version {live.number} has the pod template of this operator already")
    if present.inputs_digest != live.inputs_digest:
        return Problem(
            "OlderPodTemplate",
            f"version {live.number} is served with an older pod template than that of the current spec.server, which"
            " was rolled back or abandoned; change spec.server",
        )
    if is_quarantined(as_ref(version, present, now), status, fleet):
        return Problem(
            "RevisionQuarantined",
            f"version {live.number} with the pod template of this operator is revision {present.revision}, which was"
            " rolled back; install another operator, or train another version",
        )
    asked = Refresh(revision=present.revision, replaces=live.revision, action=action.name, by=author(action), at=now)
    update = {
        "refresh": asked,
        # It is asked for again.
        "abandoned": [item for item in status.abandoned if item.revision != present.revision],
    }
    message = (
        f"version {live.number} is rolled out with the pod template of this operator (revision {present.revision})"
    )
    return ActionResult(status.model_copy(update=update), message, done=False)


def settle(status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """Return the status without a refresh that has ended: its revision is live, or is no candidate any more."""
    asked = status.refresh
    coming = status.candidate is not None and in_progress.brings(status.candidate.revision, status)
    return status if asked is None or coming else status.model_copy(update={"refresh": None})


def outcome(name: str, status: ModelDeploymentStatus, before: Refresh | None) -> dict[str, str]:
    """Return the update of the record of a Refresh of this name; empty while its candidate comes up.

    Parameters
    ----------
    before
        The refresh of the stored status.
    """
    if status.refresh is not None and status.refresh.action == name:
        return {}
    live = status.live
    if before is None or before.action != name:
        return {"phase": "Rejected", "reason": "RefreshSuperseded", "message": "another rollout has begun"}
    if live is not None and live.revision == before.revision:
        return {"phase": "Succeeded", "message": f"version {live.number} serves with the pod template of this operator"}
    failed = [f"{one.reason} ({one.by})" for one in status.quarantine if one.revision == before.revision]
    given_up = [f"{one.reason} ({one.by})" for one in status.abandoned if one.revision == before.revision]
    serves = f"; version {live.number} keeps the pods that it has" if live else ""
    if not failed and not given_up:
        message = f"another rollout has begun{serves}"
        return {"phase": "Rejected", "reason": "RefreshSuperseded", "message": message}
    return {"phase": "Rejected", "reason": "RefreshFailed", "message": f"{[*failed, *given_up][0]}{serves}"}
