"""Who has how many pods: the live revision all that the spec says, the candidate those of its share of the traffic.

The last good one has all of them while it is kept warm, and all others have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet, Workload
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.revisions import deployment_manifest
from steadfit.core.serving.revisions.revision import render
from steadfit.core.serving.traffic import pod_shares, warm_standby
from steadfit.core.serving.traffic.service import decided_at, taking_traffic
from steadfit.core.types import Action, Apply, Create, Delete

from . import canary_start

SCALE_MANAGER = "steadfit-scale"


def keep(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Sequence[Action]:
    """Return what gives the revisions that are needed the pods that they need."""
    actions: list[Action] = []
    for ref, pods in _needed(status, fleet, now):
        found = fleet.workload(ref.revision)
        if found is None:
            actions.extend(_create(ref, pods, status, fleet))
        elif not found.deleting and not _is_kept(found, ref, pods):
            actions.append(_scale(found, pods, decided_at(ref)))
    return actions


def retire(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Sequence[Action]:
    """Return what takes the pods from revisions that are not needed, and deletes those that nobody goes back to.

    A revision that the Service still points at keeps its pods whatever the status says. The last good one keeps its
    Deployment without pods, so that a rollback finds it as it was proven.
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
    """Return the revisions that have pods, and how many; a candidate that is made anew is not there for a while."""
    deployment, candidate = fleet.observed.deployment, status.candidate
    needed: list[tuple[RevisionRef, int]] = [(status.live, fleet.desired_replicas)] if status.live else []
    if candidate is not None and not canary_start.must_recreate(candidate, fleet):
        needed.append((candidate, pod_shares.desired_pods(candidate, deployment)))
    ready = warm_standby.revision(status, fleet, now)
    if ready is not None and (candidate is None or ready.revision != candidate.revision):
        needed.append((ready, fleet.desired_replicas))
    return needed


def _create(ref: RevisionRef, pods: int, status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the creation of a revision's Deployment, if it would be that revision and may serve."""
    version = fleet.version_named(ref.version)
    rendering = render(version, fleet) if version else None
    if version is None or rendering is None or isinstance(rendering, Problem):
        return []
    if rendering.revision != ref.revision or is_quarantined(ref, status, fleet):
        return []
    return [Create(deployment_manifest.render(fleet.observed.deployment, version, rendering, ref, pods))]


def _is_kept(found: Workload, ref: RevisionRef, target: int) -> bool:
    annotations = found.manifest["metadata"].get("annotations", {})
    return found.replicas == target and bool(decided_at(ref).items() <= annotations.items())


def _scale(found: Workload, replicas: int, annotations: Mapping[str, str]) -> Apply:
    """Return the change of a Deployment's scale and of nothing else, fenced by what was observed."""
    metadata: dict[str, Any] = {
        **{key: found.manifest["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion")},
        "annotations": dict(annotations),
    }
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {"replicas": replicas},
    }
    return Apply(manifest, field_manager=SCALE_MANAGER)
