"""Scaling of the revisions' Deployments.

The live revision has spec.server.replicas pods, the candidate those of its share of the traffic or all of them while it
answers in place of the live one, a warm standby those of spec.warm, and all others none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet, Workload
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.revisions import deployment_manifest, frozen_template
from steadfit.core.serving.traffic import failover, partial_rollback, pod_shares, warm_standby
from steadfit.core.serving.traffic.service import decided_at, selected_revision, taking_traffic
from steadfit.core.types import Action, Apply, Create, Delete

from . import canary_start

SCALE_MANAGER = "steadfit-scale"


def keep(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Sequence[Action]:
    """Return the changes that create and scale the Deployments of the needed revisions."""
    actions: list[Action] = []
    for ref, pods in _needed(status, fleet, now):
        found = fleet.workload(ref.revision)
        if found is None:
            actions.extend(_create(ref, pods, status, fleet))
        elif not found.deleting and not _is_up_to_date(found, ref, pods):
            actions.append(_scale(found, pods, decided_at(ref)))
    return actions


def retire(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Sequence[Action]:
    """Return the changes that scale revisions without use to 0 and then delete their Deployments.

    A revision that takes traffic keeps its pods whatever the status says. The last good one keeps its Deployment
    without pods, so that a rollback uses its proven pod template.
    """
    needed = {ref.revision for ref, _ in _needed(status, fleet, now)} | taking_traffic(fleet)
    kept = status.last_good.revision if status.last_good else None
    actions: list[Action] = []
    for found in fleet.workloads:
        if found.revision in needed or found.deleting:
            continue
        if found.replicas > 0:
            actions.append(_scale(found, 0, {}))
        elif found.revision != kept and found.settled and found.present == 0:
            actions.append(Delete(found.manifest))
    return actions


def _needed(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Sequence[tuple[RevisionRef, int]]:
    """Return the revisions that need pods, and how many; a candidate to recreate needs none until it is deleted."""
    deployment, candidate = fleet.observed.deployment, status.candidate
    needed: list[tuple[RevisionRef, int]] = (
        [(status.live, partial_rollback.pods_of_live(status, fleet))] if status.live else []
    )
    if candidate is not None and not canary_start.must_recreate(candidate, fleet):
        # Until the Service has left it again, which takes more than the first ready pod of the live one.
        alone = (
            failover.stand_in(status, fleet),
            failover.successor(status, fleet),
            selected_revision(deployment, fleet.observed.service),
        )
        pods = fleet.desired_replicas if candidate.revision in alone else pod_shares.desired_pods(candidate, deployment)
        needed.append((candidate, 0 if canary_start.is_being_released(candidate, status, fleet) else pods))
    standby = warm_standby.revision(status, fleet, now)
    if standby is not None and (candidate is None or standby.revision != candidate.revision):
        needed.append((standby, warm_standby.pods(fleet)))
    return needed


def _create(ref: RevisionRef, pods: int, status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the creation of a revision's Deployment, if its pod template is known and it may serve."""
    template = frozen_template.of_revision(ref, fleet)
    if isinstance(template, Problem) or is_quarantined(ref, status, fleet):
        return []
    return [Create(deployment_manifest.render(fleet.observed.deployment, template, ref, pods))]


def _is_up_to_date(found: Workload, ref: RevisionRef, pods: int) -> bool:
    annotations = found.manifest["metadata"].get("annotations", {})
    return found.replicas == pods and bool(decided_at(ref).items() <= annotations.items())


def _scale(found: Workload, replicas: int, annotations: Mapping[str, str]) -> Apply:
    """Return the change of a Deployment's replicas only."""
    return Apply(deployment_manifest.change(found, {"replicas": replicas}, annotations), field_manager=SCALE_MANAGER)
