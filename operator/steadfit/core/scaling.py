"""Who has how many pods: the live revision and the candidate as many as the spec says, all others none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef

from . import workload
from .fleet import Fleet, Workload
from .problem import Problem
from .quarantine import is_barred
from .revision import render
from .service import decided_at, selected_revision
from .types import Action, Apply, Create, Delete

SCALE_MANAGER = "steadfit-scale"


def keep(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return what gives the live revision and the candidate the pods that the spec asks for."""
    actions: list[Action] = []
    for ref in (status.live, status.candidate):
        if ref is None:
            continue
        found = fleet.workload(ref.revision)
        if found is None:
            actions.extend(_create(ref, status, fleet))
        elif not found.deleting and not _is_kept(found, ref, fleet.target):
            actions.append(_scale(found, fleet.target, decided_at(ref)))
    return actions


def retire(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return what takes the pods from revisions that are not wished for, and deletes those that nobody goes back to.

    A revision that the Service still points at keeps its pods whatever the status says. The last good one keeps its
    Deployment without pods, so that a rollback finds it as it was proven.
    """
    observed = fleet.observed
    serving = selected_revision(observed.deployment, observed.service)
    wished = {ref.revision for ref in (status.live, status.candidate) if ref} | {serving}
    kept = status.last_good.revision if status.last_good else None
    actions: list[Action] = []
    for found in fleet.workloads:
        if found.revision in wished or found.deleting:
            continue
        if found.replicas > 0:
            actions.append(_scale(found, 0, {}))
        elif found.revision != kept and found.settled and found.present == 0:
            actions.append(Delete(found.manifest))
    return actions


def _create(ref: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the creation of a revision's Deployment, if it would be that revision and may serve."""
    version = fleet.version_named(ref.version)
    rendering = render(version, fleet) if version else None
    if version is None or rendering is None or isinstance(rendering, Problem):
        return []
    if rendering.revision != ref.revision or is_barred(ref, status, fleet):
        return []
    return [Create(workload.render(fleet.observed.deployment, version, rendering, ref, fleet.target))]


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
