"""Shares of the traffic by the weights of an HTTPRoute: what they are, and what they should be.

A Gateway shares out request by request, so weights are exact whatever the number of pods. It also answers the share of
a Service without ready pods with errors, where a Service would send the requests to other pods; so a candidate has no
weight before its pods are ready, and none while it has no ready one.
"""

from __future__ import annotations

from collections.abc import Mapping

from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core import names
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.ownership import is_foreign
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.types import Manifest

from . import pod_shares, traffic_label

WHOLE = 100


def revision_of(deployment: ModelDeployment, name: object) -> str | None:
    """Return the revision whose Service has this name."""
    prefix = names.workload_name(deployment.name, "")
    text = str(name)
    return text.removeprefix(prefix) if text.startswith(prefix) and text != prefix else None


def referenced(deployment: ModelDeployment, route: Manifest | None) -> Mapping[str, int]:
    """Return the revisions that our route names, with their weights; one that is going still sends requests."""
    if route is None or is_foreign(deployment, route):
        return {}
    found: dict[str, int] = {}
    for rule in route.get("spec", {}).get("rules") or []:
        for backend in rule.get("backendRefs") or []:
            revision = revision_of(deployment, backend.get("name"))
            if revision is not None:
                found[revision] = found.get(revision, 0) + int(backend.get("weight", 1))
    return found


def taking(fleet: Fleet) -> frozenset[str]:
    """Return the revisions that our route sends requests to."""
    weights = referenced(fleet.observed.deployment, fleet.observed.route)
    return frozenset(revision for revision, weight in weights.items() if weight > 0)


def desired(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> Mapping[str, int]:
    """Return the weights of what is live and of the candidate that is tried beside it; they sum to 100."""
    candidate = traffic_label.sharing_candidate(status)
    if candidate is None or candidate.weight is None or is_quarantined(candidate, status, fleet):
        return {live.revision: WHOLE}
    weight = candidate.weight
    if fleet.ready_pods(candidate.revision) == 0:
        weight = 0
    elif not pod_shares.all_ready(candidate, fleet):
        # The pods of the next step are not there yet: it goes on with the share that it has.
        known = referenced(fleet.observed.deployment, fleet.observed.route)
        weight = min(weight, known.get(candidate.revision, 0))
    return {live.revision: WHOLE - weight, candidate.revision: weight}
