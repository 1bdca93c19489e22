"""The traffic label: pods that carry it share a champion's traffic through the Service.

Every pod carries the label `traffic-<own revision>`; the pods of a canary's candidate are created with
`traffic-<champion>` as well. A selector by the champion's traffic label sends requests to both revisions, a selector by
revision to the champion alone.
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
    """Return the label of the pods that share the traffic of a champion."""
    return f"{names.TRAFFIC_PREFIX}{revision}"


def selector(deployment: ModelDeployment, champion: str) -> dict[str, str]:
    """Return the labels that select the pods of a champion and of its candidate."""
    return {names.MODEL_DEPLOYMENT: deployment.name, label(champion): ON}


def champion_of(deployment: ModelDeployment, labels: Mapping[str, str]) -> str | None:
    """Return the champion whose traffic label a selector names; None if it names none."""
    found = [key.removeprefix(names.TRAFFIC_PREFIX) for key in labels if key.startswith(names.TRAFFIC_PREFIX)]
    return found[0] if len(found) == 1 and labels == selector(deployment, found[0]) else None


def sharing_candidate(status: ModelDeploymentStatus) -> Candidate | None:
    """Return the candidate that shares the traffic of the live revision by the status; None without one."""
    live, candidate = status.live, status.candidate
    if (
        live is None
        or candidate is None
        or candidate.champion_revision != live.revision
        or candidate.analysed_since is None
    ):
        return None
    return candidate


def has_label(workload: Workload, champion: str) -> bool:
    """Return whether the pod template of a Deployment has the traffic label of a champion."""
    return _has(workload.manifest.get("spec", {}).get("template", {}), champion)


def sharing_revisions(champion: str, fleet: Fleet) -> frozenset[str]:
    """Return the revisions that have, or may have, pods with the traffic label of a champion.

    Terminating pods count, as they may still be ready. So do pods that a Deployment may have created since it was
    observed.
    """
    by_workload = {found.revision for found in fleet.workloads if has_label(found, champion) and not _is_empty(found)}
    by_pod = {
        str(pod["metadata"].get("labels", {}).get(names.REVISION)) for pod in fleet.observed.pods if _has(pod, champion)
    }
    return frozenset(by_workload | by_pod)


def other_revisions(champion: str, candidate: str, fleet: Fleet) -> frozenset[str]:
    """Return the other revisions whose pods a selector by the champion's traffic label would match."""
    return sharing_revisions(champion, fleet) - {champion, candidate}


def _is_empty(found: Workload) -> bool:
    return found.replicas == 0 and found.present == 0 and found.settled


def _has(manifest: Manifest, champion: str) -> bool:
    labels: Mapping[str, str] = manifest.get("metadata", {}).get("labels", {})
    return labels.get(label(champion)) == ON
