"""Events of a ModelDeployment: one for each transition of its status."""

from __future__ import annotations

from typing import Literal

from steadfit.api.base import Condition
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import TemplateRepair
from steadfit.core.conditions import STALLED, reason_of
from steadfit.core.monitors.evaluation import FIRING
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.messages import describe
from steadfit.core.serving.pod_messages import of_revision
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.traffic import traffic_repair
from steadfit.core.serving.traffic.service import selected_revision
from steadfit.core.types import Event

from . import canary_events, recovery_events


def events(before: ModelDeploymentStatus, after: ModelDeploymentStatus, fleet: Fleet) -> tuple[Event, ...]:
    """Return the Events of the transitions between two statuses."""
    return (
        *_verbs(before, after),
        *_quarantine(before, after),
        *_candidate(before, after, fleet),
        *canary_events.events(before, after, fleet),
        *_live(before, after, fleet),
        *_begun(before, after, "Serving", "FailedOver"),
        *_begun(before, after, "Progressing", "Unstable"),
        *_begun(before, after, "PodTemplatesStored", "ControllerRevisionRefused"),
        *_repairs(before, after),
        *_traffic_repairs(before, after),
        *_admitted(before, after),
        *_warm(before, after),
        *_stalled(before, after),
        *_monitors(before, after),
        *recovery_events.events(before, after),
    )


def _verbs(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> list[Event]:
    known = {record.uid for record in before.actions}
    events = [
        Event("Warning", "ActionRejected", f"{record.verb} by {record.requested_by} ({record.name}): {record.message}")
        for record in after.actions
        if record.uid not in known and record.phase == "Rejected"
    ]
    if after.override and after.override != before.override:
        override = after.override
        events.append(Event("Normal", "Pinned", f"version {override.number} is pinned by {override.by} until Unpin"))
    elif before.override and not after.override:
        events.append(Event("Normal", "Unpinned", f"version {before.override.number} is not pinned any more"))
    if after.promoted and after.promoted != before.promoted:
        promoted = after.promoted
        events.append(Event("Normal", "Promoted", f"version {promoted.number} is promoted by {promoted.by}"))
    released = {item.action for item in before.released}
    events += [
        Event("Normal", "Released", f"version {item.number} is released from quarantine by {item.by}")
        for item in after.released
        if item.action not in released
    ]
    return events


def _quarantine(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> list[Event]:
    known = {entry.revision for entry in before.quarantine}
    return [
        Event(
            "Warning",
            "Quarantined",
            f"{describe(entry)} is in quarantine by {entry.by}: {entry.reason}",
        )
        for entry in after.quarantine
        if entry.revision not in known
    ]


def _repairs(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> list[Event]:
    known = {(entry.revision, entry.at) for entry in before.template_repairs if _is_change(entry)}
    return [
        Event("Warning", "TemplateChanged", f"{entry.field} of revision {entry.revision} was changed and is put right")
        for entry in after.template_repairs
        if _is_change(entry) and (entry.revision, entry.at) not in known
    ]


def _traffic_repairs(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> list[Event]:
    known = {(entry.kind, entry.name, entry.at) for entry in before.traffic_repairs}
    return [
        Event(
            "Warning",
            "RouteChanged" if entry.kind == traffic_repair.ROUTE else "ServiceChanged",
            f"{entry.field} of {entry.kind} {entry.name} was changed by someone else and is put right",
        )
        for entry in after.traffic_repairs
        if (entry.kind, entry.name, entry.at) not in known
    ]


def _is_change(entry: TemplateRepair) -> bool:
    """Return whether someone has changed a template; what is new may be as admission makes each one of them."""
    return entry.generation != 1 or entry.count > 1 or entry.since is not None


def _admitted(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> list[Event]:
    known = {entry.revision: entry.changes for entry in before.admitted_templates}
    return [
        Event("Normal", "TemplateAdmitted", f"at admission of revision {entry.revision}, {entry.changes}")
        for entry in after.admitted_templates
        if known.get(entry.revision) != entry.changes
    ]


def _warm(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> list[Event]:
    release, good = after.warm_release, after.last_good
    if release is None or good is None or release == before.warm_release:
        return []
    return [
        Event(
            "Warning",
            "WarmPodsReleased",
            f"the warm pods of {describe(good)} end, because other pods need their room: {release.reason}",
        )
    ]


def _candidate(before: ModelDeploymentStatus, after: ModelDeploymentStatus, fleet: Fleet) -> list[Event]:
    old, new = before.candidate, after.candidate
    events = []
    live = after.live.revision if after.live else None
    reported = {one.revision for one in after.abandoned} | {one.revision for one in after.quarantine}
    if old and old.revision not in (live, new.revision if new else None, *reported):
        if new and new.number > old.number:
            events.append(
                Event("Normal", "RolloutSuperseded", f"{describe(old)} is replaced by {describe(new)}, which is newer")
            )
        else:
            events.append(Event("Normal", "RolloutCancelled", f"{describe(old)} is not the desired revision any more"))
    if new is None:
        return events
    if old is None or old.revision != new.revision:
        beside = f" beside version {after.live.number}" if after.live else ""
        events.append(Event("Normal", "RolloutStarted", f"{describe(new)} comes up{beside}"))
    pods = of_revision(new.revision, fleet)
    # The candidate's message also has the number of ready pods, which changes while the cause stays.
    if pods and pods.failing and (old is None or pods.text not in old.message):
        events.append(Event("Warning", "CandidateFailing", f"{describe(new)} does not come up: {pods.text}"))
    return events


def _live(before: ModelDeploymentStatus, after: ModelDeploymentStatus, fleet: Fleet) -> list[Event]:
    old, new = before.live, after.live
    if new is None or (old and old.revision == new.revision):
        return []
    observed = fleet.observed
    if old is None and selected_revision(observed.deployment, observed.service) == new.revision:
        return [Event("Warning", "StatusRecovered", f"{describe(new)} still takes the traffic; the status was lost")]
    if old and is_quarantined(old, after, fleet):
        return [Event("Normal", "RolledBack", f"traffic moves back from version {old.number} to {describe(new)}")]
    return [Event("Normal", "TrafficSwitched", f"traffic moves to {describe(new)}")]


def _begun(
    before: ModelDeploymentStatus,
    after: ModelDeploymentStatus,
    kind: Literal["Serving", "Progressing", "PodTemplatesStored"],
    reason: Literal["FailedOver", "Unstable", "ControllerRevisionRefused"],
) -> list[Event]:
    """Return the Event of the moment at which a condition gets a reason, with its message."""

    def message(status: ModelDeploymentStatus) -> str:
        found = (one for one in status.conditions if (one.type, one.reason) == (kind, reason))
        return next((one.message for one in found), "")

    return [Event("Warning", reason, message(after))] if message(after) and not message(before) else []


def _stalled(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> list[Event]:
    def of(status: ModelDeploymentStatus) -> Condition | None:
        return next((condition for condition in status.conditions if condition.type == STALLED), None)

    old, new = of(before), of(after)
    if new is None or (old and (old.reason, old.message) == (new.reason, new.message)):
        return []
    return [Event("Warning", reason_of(new), new.message)]


def _monitors(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> list[Event]:
    """Return the Events of monitors that start or stop firing; the condition MetricsAvailable reports missing data."""
    phases = {state.name: state.phase for state in before.monitors}
    events = []
    for state in after.monitors:
        was = phases.get(state.name)
        if state.phase == FIRING and was != FIRING:
            events.append(Event("Warning", "MonitorFiring", f"monitor {state.name}: {state.message}"))
        elif was == FIRING and state.phase != FIRING:
            events.append(Event("Normal", "MonitorResolved", f"monitor {state.name}: {state.message}"))
    return events
