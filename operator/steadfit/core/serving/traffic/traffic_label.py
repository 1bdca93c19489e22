"""Mixing by a Service: which pods share the traffic of a champion, and when its Service may select them.

Every pod carries `mix-<own revision>`; those of a canary's candidate also `mix-<champion>`, from birth. So one label in
the Service's selector sends requests to both, and one selector by revision to the champion alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.rollout import Candidate
from steadfit.core import names
from steadfit.core.serving.fleet import Fleet, Workload
from steadfit.core.types import Manifest

ON = "true"


def label(revision: str) -> str:
    """Return the label of the pods that may share the traffic of a revision."""
    return f"{names.MIX_PREFIX}{revision}"


def selector(deployment: ModelDeployment, champion: str) -> dict[str, str]:
    """Return the labels that the pods of a champion and of its candidate carry."""
    return {names.MODEL_DEPLOYMENT: deployment.name, label(champion): ON}


def champion_of(deployment: ModelDeployment, chosen: Mapping[str, str]) -> str | None:
    """Return the champion whose traffic a selector shares out; None if it is another kind of selector."""
    mixed = [key.removeprefix(names.MIX_PREFIX) for key in chosen if key.startswith(names.MIX_PREFIX)]
    return mixed[0] if len(mixed) == 1 and chosen == selector(deployment, mixed[0]) else None


def partner(status: ModelDeploymentStatus) -> Candidate | None:
    """Return the candidate that shares the traffic of what is live, as the status decided."""
    live, candidate = status.live, status.candidate
    if (
        live is None
        or candidate is None
        or candidate.champion_revision != live.revision
        or candidate.analysed_since is None
    ):
        return None
    return candidate


def joins(workload: Workload, champion: str) -> bool:
    """Return whether the pods of a Deployment carry the label of a champion's traffic."""
    return _has(workload.manifest.get("spec", {}).get("template", {}), champion)


def members(champion: str, fleet: Fleet) -> frozenset[str]:
    """Return the revisions that have, or may have, pods with the label of a champion's traffic.

    Pods on their way out count: they may still be ready. So do those that a Deployment may have made since it was last
    looked at.
    """
    asked = {found.revision for found in fleet.workloads if joins(found, champion) and not _is_empty(found)}
    there = {
        str(pod["metadata"].get("labels", {}).get(names.REVISION)) for pod in fleet.observed.pods if _has(pod, champion)
    }
    return frozenset(asked | there)


def strangers(champion: str, candidate: str, fleet: Fleet) -> frozenset[str]:
    """Return whose pods, beside the two, would get requests if the champion's traffic were shared out now."""
    return members(champion, fleet) - {champion, candidate}


def _is_empty(found: Workload) -> bool:
    return found.replicas == 0 and found.present == 0 and found.settled


def _has(manifest: Manifest, champion: str) -> bool:
    labels: Mapping[str, str] = manifest.get("metadata", {}).get("labels", {})
    return labels.get(label(champion)) == ON
