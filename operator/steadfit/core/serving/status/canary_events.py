"""Events of a canary: one for each step of its candidate; and one for the end of any candidate without a takeover."""

from __future__ import annotations

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.messages import describe
from steadfit.core.serving.rollout import canary_messages
from steadfit.core.types import Event


def events(before: ModelDeploymentStatus, after: ModelDeploymentStatus, fleet: Fleet) -> list[Event]:
    """Return the Events of the transitions between two statuses."""
    old, new = before.candidate, after.candidate
    events = []
    if new is not None and new.champion_revision is not None:
        events += _of_candidate(old if old and old.revision == new.revision else None, new, after, fleet)
    if old is not None and (new is None or new.revision != old.revision):
        events += _of_end(old, before, after)
    return events


def _of_candidate(old: Candidate | None, new: Candidate, after: ModelDeploymentStatus, fleet: Fleet) -> list[Event]:
    beside = f" beside version {after.live.number}" if after.live else ""
    if new.phase == "Promoting":
        if old is not None and old.phase == "Promoting":
            return []
        by = new.promoted_by or f"the analysis: {new.message}"
        return [Event("Normal", "Promoted", f"{describe(new)} is promoted by {by}")]
    if new.analysed_since is None:
        return []
    position = f"{describe(new)} {canary_messages.position(new, fleet)}"
    if new.phase == "Paused":
        paused = old is not None and old.phase == "Paused"
        return [] if paused else [Event("Warning", "CanaryPaused", f"{position}: {new.message}")]
    # At the moment at which the share is in force, and not when it is decided.
    if new.step_since is None or (old is not None and old.step_since is not None):
        return []
    if new.step == 0:
        return [Event("Normal", "CanaryStarted", f"{position}{beside}")]
    return [Event("Normal", "CanaryStepStarted", position)]


def _of_end(old: Candidate, before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> list[Event]:
    known = {(entry.revision, entry.at) for entry in before.abandoned}
    for left in after.abandoned:
        if left.revision == old.revision and (left.revision, left.at) not in known:
            return [
                Event("Warning", "CandidateAbandoned", f"{describe(old)} was abandoned by {left.by}: {left.reason}")
            ]
    quarantined = {entry.revision for entry in before.quarantine}
    for entry in after.quarantine:
        # One that took no traffic is not rolled back; the Event Quarantined says what became of it.
        if entry.revision == old.revision and entry.revision not in quarantined and old.analysed_since is not None:
            return [Event("Warning", "CanaryFailed", f"{describe(old)} is rolled back: {entry.reason}")]
    return []
