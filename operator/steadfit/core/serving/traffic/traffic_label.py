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
    """Return the label of the pods that may share the traffic of a revision."""
    return f"{names.TRAFFIC_PREFIX}{revision}"


def selector(deployment: ModelDeployment, champion: str) -> dict[str, str]:
    """Return the labels that the pods of a champion and of its candidate carry."""
    return {names.MODEL_DEPLOYMENT: deployment.name, label(champion): ON}


def champion_of(deployment: ModelDeployment, chosen: Mapping[str, str]) -> str | None:
    """Return the champion whose traffic a selector shares out; None if it is another kind of selector."""
    found = [key.removeprefix(names.TRAFFIC_PREFIX) for key in chosen if key.startswith(names.TRAFFIC_PREFIX)]
    return found[0] if len(found) == 1 and chosen == selector(deployment, found[0]) else None


def sharing_candidate(status: ModelDeploymentStatus) -> Candidate | None:
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


def has_label(workload: Workload, champion: str) -> bool:
    """Return whether the pods of a Deployment carry the label of a champion's traffic."""
    return _has(workload.manifest.get("spec", {}).get("template", {}), champion)


def sharing_revisions(champion: str, fleet: Fleet) -> frozenset[str]:
    """Return the revisions that have, or may have, pods with the label of a champion's traffic.

    Pods on their way out count: they may still be ready. So do those that a Deployment may have made since it was last
    looked at.
    """
    asked = {found.revision for found in fleet.workloads if has_label(found, champion) and not _is_empty(found)}
    there = {
        str(pod["metadata"].get("labels", {}).get(names.REVISION)) for pod in fleet.observed.pods if _has(pod, champion)
    }
    return frozenset(asked | there)


def other_revisions(champion: str, candidate: str, fleet: Fleet) -> frozenset[str]:
    """Return whose pods, beside the two, would get requests if the champion's traffic were shared out now."""
    return sharing_revisions(champion, fleet) - {champion, candidate}


def _is_empty(found: Workload) -> bool:
    return found.replicas == 0 and found.present == 0 and found.settled


def _has(manifest: Manifest, champion: str) -> bool:
    labels: Mapping[str, str] = manifest.get("metadata", {}).get("labels", {})
    return labels.get(label(champion)) == ON
