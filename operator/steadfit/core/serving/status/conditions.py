"""The conditions of a ModelDeployment.

`Ready` means that this generation is accepted and a good version serves. A rollout in progress, a new version that does
not come up, and an edit of a threshold that rejects the live version have other conditions and leave `Ready` true.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from steadfit.api.base import Condition
from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.rollout import Candidate, RevisionRef
from steadfit.api.trainingjob import TrainingJob
from steadfit.core.conditions import STALLED, DesiredCondition, merge, ready, reconciling, stalled
from steadfit.core.monitors import condition as monitors_condition
from steadfit.core.monitors.evaluation import MonitorResult
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.messages import describe
from steadfit.core.serving.pod_messages import of_revision
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.revisions import admitted_template, frozen_template, template_repair
from steadfit.core.serving.selection import not_rolled_out, pin
from steadfit.core.serving.selection.desired_revision import DesiredRevision
from steadfit.core.serving.traffic import failover, partial_rollback, route_condition, service, traffic_repair

from . import canary_conditions, failover_condition, progressing, recovery_conditions, up_to_date
from .failover_condition import SERVING

PODS_READY: Final = "PodsReady"
OVERRIDDEN: Final = "Overridden"
POD_TEMPLATES_STORED: Final = "PodTemplatesStored"
JOB_TIMEOUT = timedelta(seconds=60)
"""Time to wait for the TrainingJob of a new ModelDeployment: a sync may apply it later."""


def conditions(
    status: ModelDeploymentStatus,
    desired: DesiredRevision,
    fleet: Fleet,
    results: Sequence[MonitorResult],
    now: datetime,
) -> list[Condition]:
    """Return all conditions."""
    deployment = fleet.observed.deployment
    readiness = _readiness(status, desired, fleet, now)
    conditions = [
        *readiness,
        _serving(status, fleet),
        progressing.condition(readiness, status, desired, fleet, now),
        *canary_conditions.conditions(status, fleet),
        *route_condition.conditions(status, fleet),
        _pods_ready(status, fleet),
        *up_to_date.conditions(status, fleet),
        *_overridden(status, fleet),
        _pod_templates_stored(status, fleet),
        *monitors_condition.conditions(results, deployment.status.conditions, status.candidate),
        *recovery_conditions.conditions(status, fleet, now),
    ]
    return merge(deployment.status.conditions, conditions, deployment.metadata.generation, now)


def job_deadline(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> datetime | None:
    """Return until when a missing TrainingJob is awaited; None if it exists, is not needed, or the time has passed.

    A ModelDeployment without a creation time was never stored, and has no deadline.
    """
    observed = fleet.observed
    created = observed.deployment.metadata.creation_timestamp
    if created is None or status.live or observed.job or observed.versions:
        return None
    due = created + JOB_TIMEOUT
    return due if now < due else None


def revision_behind_service(status: ModelDeploymentStatus, fleet: Fleet) -> RevisionRef | None:
    """Return the revision that the Service selects: the live one, or the last good one until the traffic has moved."""
    selected = service.selected_revision(fleet.observed.deployment, fleet.observed.service)
    return next((ref for ref in (status.live, status.last_good) if ref and ref.revision == selected), None)


def _readiness(
    status: ModelDeploymentStatus, desired: DesiredRevision, fleet: Fleet, now: datetime
) -> list[DesiredCondition]:
    observed, live, problem = fleet.observed, status.live, desired.problem
    if taken := service.taken(status, fleet):
        return stalled("ServiceNotOwned", taken)
    if problem and problem.reason == "VersionNotFound" and job_deadline(status, fleet, now):
        return _awaiting_job(observed.deployment)
    nothing = live is None and desired.revision is None
    if problem and (desired.pinned or nothing or _is_lost(live, desired)):
        return stalled(problem.reason, problem.message)
    if live is None:
        return _before_the_first(status, fleet, now)
    if fleet.desired_replicas == 0:
        coming = f"; version {status.candidate.number} replaces it once there are pods" if status.candidate else ""
        return ready("ScaledToZero", f"version {live.number} has no pods, as spec.server.replicas is 0{coming}")
    if is_quarantined(live, status, fleet):
        if problem:
            return stalled(problem.reason, problem.message)
        coming = f"; {_coming_back(status.candidate, live, status, fleet)}" if status.candidate else ""
        answers = _answers_meanwhile(live, status, fleet)
        return reconciling("RollingBack", f"version {live.number} was rolled back and {answers}{coming}")
    if failover.answering(status, fleet):
        return failover_condition.readiness(live, status, fleet)
    if contested := traffic_repair.contest(status, of_route=False):
        return stalled("ServiceContested", contested)
    behind = revision_behind_service(status, fleet)
    if behind is None:
        return reconciling("SwitchingTraffic", f"the Service is being pointed at version {live.number}")
    if contested := template_repair.contest(behind, status, fleet):
        return stalled(template_repair.CONTESTED, contested)
    if doubt := template_repair.unproven(behind, fleet):
        return stalled(template_repair.UNPROVEN, doubt)
    if changed := template_repair.problem(behind, status, fleet):
        return reconciling(template_repair.CHANGED, changed)
    if fleet.ready_pods(behind.revision) == 0:
        message = of_revision(behind.revision, fleet)
        why = f": {message.text}" if message else ""
        return reconciling("NoReadyPods", f"no pod of version {behind.number} is ready{why}")
    return ready("Serving", f"version {behind.number} serves")


def _is_lost(live: RevisionRef | None, desired: DesiredRevision) -> bool:
    """Return whether the live revision cannot be started again, and no other one replaces it."""
    problem, revision = desired.problem, desired.revision
    return (
        live is not None
        and problem is not None
        and problem.reason == frozen_template.POD_TEMPLATE_LOST
        and revision is not None
        and revision.revision == live.revision
    )


def _answers_meanwhile(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return what answers until a version that was rolled back is replaced."""
    if failover.answering(status, fleet):
        return f"version {failover_condition.answering_number(status, fleet)} answers"
    return "still answers" if fleet.ready_pods(live.revision) else "has no ready pod"


def _coming_back(candidate: Candidate, live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return what the replacement of a version that was rolled back lacks."""
    then = f"with {fleet.enough_pods} of them it takes all of the traffic"
    if partial_rollback.makes_room(status, fleet):
        then = f"pods of version {live.number} end one by one to make room; {then}, or with as many as that has left"
    return f"version {candidate.number} replaces it: {candidate.message}; {then}"


def _before_the_first(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> list[DesiredCondition]:
    """Return the readiness of a ModelDeployment that has never served."""
    observed = fleet.observed
    name = observed.deployment.training_job
    if observed.job is None and not observed.versions:
        if job_deadline(status, fleet, now):
            return _awaiting_job(observed.deployment)
        return stalled("TrainingJobNotFound", f"there is no TrainingJob {name} in this namespace, and no version of it")
    candidate = status.candidate
    if candidate and fleet.desired_replicas == 0:
        return ready("ScaledToZero", f"version {candidate.number} has no pods, as spec.server.replicas is 0")
    blocked = None if candidate else not_rolled_out.problem(status, fleet) or _stalled_job(observed.job)
    if candidate:
        message = f"version {candidate.number} comes up: {candidate.message}"
    elif blocked:
        message = blocked.message
    else:
        rejected = sum(version.status.phase == "Rejected" for version in observed.versions)
        message = f"no version of TrainingJob {name} is verified yet" + (f"; {rejected} rejected" if rejected else "")
        run = observed.job.status.active_run if observed.job else None
        message += f"; TrainingRun {run.name} is in flight" if run else ""
    if observed.deployment.spec.ready_policy == "Accepted":
        return ready("Accepted", message)
    if blocked:
        return stalled(blocked.reason, blocked.message)
    return reconciling("FirstRollout" if candidate else "AwaitingFirstModel", message)


def _stalled_job(job: TrainingJob | None) -> Problem | None:
    """Return that no version comes by itself, as the TrainingJob needs a person; None if it does not."""
    conditions = job.status.conditions if job else []
    stall = next((condition for condition in conditions if condition.type == STALLED), None)
    if job is None or stall is None or stall.observed_generation != job.metadata.generation:
        return None
    return Problem("TrainingJobStalled", f"TrainingJob {job.name} brings no version: {stall.message}")


def _awaiting_job(deployment: ModelDeployment) -> list[DesiredCondition]:
    """Return the conditions of the first minute without a TrainingJob: tools apply objects in order of name or kind."""
    return reconciling("AwaitingTrainingJob", f"TrainingJob {deployment.training_job} does not exist yet")


def _serving(status: ModelDeploymentStatus, fleet: Fleet) -> DesiredCondition:
    if status.live and failover.answering(status, fleet):
        return failover_condition.serving(status.live, status, fleet)
    behind = revision_behind_service(status, fleet)
    if behind is None:
        return DesiredCondition(SERVING, "False", "NotServing", "no version takes requests")
    if fleet.ready_pods(behind.revision) == 0:
        return DesiredCondition(SERVING, "False", "NoReadyPods", f"no pod of version {behind.number} is ready")
    if doubt := template_repair.unproven(behind, fleet):
        return DesiredCondition(SERVING, "Unknown", template_repair.UNPROVEN, doubt)
    if changed := template_repair.problem(behind, status, fleet):
        return DesiredCondition(SERVING, "Unknown", template_repair.CHANGED, changed)
    version = fleet.version_of(behind)
    served = f"{describe(behind)} serves"
    if version and version.status.phase == "Rejected":
        return DesiredCondition(
            SERVING,
            "True",
            "RejectedVersionServing",
            f"{served}; the gate of TrainingJob {fleet.observed.deployment.training_job} rejects it now,"
            " and the next verified version replaces it",
        )
    admitted = admitted_template.changes_of(behind.revision, status)
    return DesiredCondition(SERVING, "True", "Serving", f"{served}; at admission, {admitted}" if admitted else served)


def _pods_ready(status: ModelDeploymentStatus, fleet: Fleet) -> DesiredCondition:
    live = status.live
    if live is None:
        return DesiredCondition(PODS_READY, "False", "NotServing", "no version is live")
    if fleet.desired_replicas == 0:
        none = f"version {live.number} is to have no pods, as spec.server.replicas is 0"
        return DesiredCondition(PODS_READY, "True", "PodsReady", none)
    count = f"{fleet.ready_pods(live.revision)} of {fleet.desired_replicas} pods of version {live.number} are ready"
    if fleet.ready_pods(live.revision) >= fleet.desired_replicas:
        return DesiredCondition(PODS_READY, "True", "PodsReady", count)
    why = of_revision(live.revision, fleet)
    return DesiredCondition(PODS_READY, "False", "PodsNotReady", f"{count}: {why.text}" if why else count)


def _pod_templates_stored(status: ModelDeploymentStatus, fleet: Fleet) -> DesiredCondition:
    """Return whether the pod templates outlive their Deployments.

    While one is missing that this process has not tried to store yet, what was found before stays.
    """
    refused, missing = frozen_template.refused(status, fleet), frozen_template.missing(status, fleet)
    if refused:
        then = "it is tried again each minute; until then the pods do not outlive a deletion of their Deployment"
        return DesiredCondition(POD_TEMPLATES_STORED, "False", "ControllerRevisionRefused", f"{refused}; {then}")
    doubts = [doubt for ref in missing if (doubt := template_repair.unproven(ref, fleet))]
    if doubts:
        return DesiredCondition(POD_TEMPLATES_STORED, "False", "TemplateUnproven", "; ".join(doubts))
    conditions = fleet.observed.deployment.status.conditions
    before = next((one for one in conditions if one.type == POD_TEMPLATES_STORED), None)
    if missing and before is not None and before.reason == "ControllerRevisionRefused":
        return DesiredCondition(POD_TEMPLATES_STORED, before.status, "ControllerRevisionRefused", before.message)
    message = "each revision in use has a ControllerRevision with its pod template, or gets one now"
    return DesiredCondition(POD_TEMPLATES_STORED, "True", "TemplatesKept", message)


def _overridden(status: ModelDeploymentStatus, fleet: Fleet) -> list[DesiredCondition]:
    """Return that a pin decides what serves, one of an action before that of the spec."""
    override, pinned = status.override, fleet.observed.deployment.spec.pin
    if override is not None:
        message = f"version {override.number} is pinned by {override.by} (ModelAction {override.action}) until Unpin"
    elif pinned is not None:
        message = f"{pin.describe(pinned)} is pinned by spec.pin"
    else:
        return []
    return [DesiredCondition(OVERRIDDEN, "True", "Pinned", message)]
