"""Promote: rolls out the candidate of a canary, or a version by its number, without a verdict.

A promoted version needs no pin to stay: only versions that are created later replace it by themselves.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus, Pin
from steadfit.api.rollout import Candidate, Promoted, Refresh, RevisionRef
from steadfit.core.problem import Problem
from steadfit.core.serving import subject
from steadfit.core.serving.action_result import ActionResult, author
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.revisions.revision import Rendering, as_ref, render

from . import pin, served, version_floor


def promote(status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime) -> ActionResult | Problem:
    """Return the result of a Promote, or why it is rejected."""
    if pin.effective_pin(status, fleet) is not None:
        return Problem("Pinned", "a version is pinned here; Unpin it, or remove spec.pin, before you promote another")
    number = action.spec.version
    return _candidate(status, action, fleet) if number is None else _named(number, status, action, fleet, now)


def desired(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> RevisionRef | Problem | None:
    """Return the revision of the promoted version until it serves, or why it cannot serve; None without one."""
    promoted, live = status.promoted, status.live
    if promoted is None:
        return None
    named = pin.of_action(promoted)
    found = pin.find(named, fleet)
    if found is None or (live is not None and live.digest == found.spec.artifact.digest):
        return None
    return pin.resolve(named, status, fleet, now)


def settle(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status without a promotion whose version is gone before it served."""
    promoted, live = status.promoted, status.live
    if promoted is None:
        return status
    named = pin.of_action(promoted)
    serves = live is not None and pin.names(named, live)
    gone = not serves and pin.find(named, fleet) is None
    return status.model_copy(update={"promoted": None}) if gone else status


def _candidate(status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet) -> ActionResult | Problem:
    """Return the status in which the candidate of a canary is promoted."""
    candidate, live = status.candidate, status.live
    if candidate is None:
        return Problem("NoCandidate", "there is no candidate to promote; name a version")
    replaced = subject.candidate_problem(action, candidate, fleet) if action.spec.version is None else None
    if replaced is not None:
        return replaced
    if candidate.champion_revision is None or live is None or is_quarantined(live, status, fleet):
        return Problem(
            "NoAnalysis",
            f"version {candidate.number} needs no verdict: it takes the traffic as soon as its pods are ready",
        )
    if candidate.phase == "Promoting":
        return Problem("AlreadyPromoted", f"version {candidate.number} is promoted already")
    if is_quarantined(candidate, status, fleet):
        return Problem("RevisionQuarantined", f"version {candidate.number} is in quarantine; Release it first")
    promoted = candidate.model_copy(update={"phase": "Promoting", "promoted_by": author(action)})
    return ActionResult(status.model_copy(update={"candidate": promoted}), _message(candidate.number, fleet))


def _named(
    number: int, status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime
) -> ActionResult | Problem:
    """Return the status in which a version is rolled out without a canary, even a held or abandoned one."""
    resolved = pin.resolve(Pin(version=number), status, fleet, now)
    if isinstance(resolved, Problem):
        return resolved
    candidate, live = status.candidate, status.live
    if candidate is not None and candidate.digest == resolved.digest and candidate.champion_revision is not None:
        return _candidate(status, action, fleet)
    if live is not None and live.digest == resolved.digest and not is_quarantined(live, status, fleet):
        return _serving(live, status, action, fleet, now)
    versions = fleet.observed.versions
    known = [item.spec.number for item in versions if version_floor.is_of_job(item, status, fleet)]
    promoted = Promoted(
        number=resolved.number,
        digest=resolved.digest,
        above=max([*known, resolved.number]),
        action=action.name,
        by=author(action),
        at=now,
    )
    # Versions up to `above` do not take over by themselves any more, even if this one fails.
    update = {
        "promoted": promoted,
        "abandoned": [item for item in status.abandoned if item.revision != resolved.revision],
    }
    return ActionResult(status.model_copy(update=update), _message(resolved.number, fleet))


def _serving(
    live: RevisionRef, status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime
) -> ActionResult | Problem:
    """Return the status in which the live version is let through, and its abandoned pod template is rolled out."""
    if served.is_let_through(live, status):
        return _abandoned_template(live, status, action, fleet, now)
    through = served.enter(status, live, now)
    template = _abandoned_template(through.live or live, through, action, fleet, now)
    if isinstance(template, ActionResult):
        return template
    return ActionResult(through, f"version {live.number} serves already, and is promoted")


def _abandoned_template(
    live: RevisionRef, status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime
) -> ActionResult | Problem:
    """Return the status in which the live version is promoted with the current pod template, which was abandoned."""
    version = fleet.version_of(live)
    rendering = render(version, fleet) if version else None
    if version is None or not isinstance(rendering, Rendering) or not _is_abandoned(rendering, live, status):
        return Problem("AlreadyServing", f"version {live.number} serves already")
    ref = as_ref(version, rendering, now)
    if is_quarantined(ref, status, fleet):
        return Problem("RevisionQuarantined", f"revision {ref.revision} is in quarantine; Release it first")
    by = author(action)
    # Pods that differ by the operator alone are those of a Refresh: nothing else asks for them.
    refreshed = rendering.inputs_digest == live.inputs_digest
    asked = Refresh(revision=ref.revision, replaces=live.revision, action=action.name, by=by, at=now)
    update = {
        "candidate": Candidate(**ref.model_dump(), champion_revision=live.revision, phase="Promoting", promoted_by=by),
        "refresh": asked if refreshed else status.refresh,
        # The live revision is not served instead of that template any more.
        "live": live.model_copy(update={"asked_inputs_digest": None}),
        "abandoned": [item for item in status.abandoned if item.revision != ref.revision],
    }
    return ActionResult(status.model_copy(update=update), _message(live.number, fleet))


def _is_abandoned(rendering: Rendering, live: RevisionRef, status: ModelDeploymentStatus) -> bool:
    kept_instead = rendering.inputs_digest == live.asked_inputs_digest
    return kept_instead or any(item.revision == rendering.revision for item in status.abandoned)


def _message(number: int, fleet: Fleet) -> str:
    """Return what a promotion has begun; how it ends is shown by the ModelDeployment."""
    longest = fleet.observed.deployment.spec.progress_deadline
    return (
        f"version {number} is promoted without a verdict; it takes all traffic once its pods are ready, and is"
        f" abandoned if they are not within {longest}; the condition Progressing shows which"
    )
