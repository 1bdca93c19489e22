"""The share of the traffic of a canary's candidate that is in force, and what keeps its share from it.

The status decides a share and a write asks for it. It is in force once the Service is seen to select both revisions, or
once every Gateway has accepted the route as it is stored.
"""

from __future__ import annotations

from steadfit.api.rollout import Candidate
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet

from . import pod_shares, route_acceptance, route_weights, service, traffic_label


def share(candidate: Candidate, fleet: Fleet) -> int | None:
    """Return the percentage that the candidate takes; None without a canary, and while nobody knows it."""
    if candidate.champion_revision is None:
        return None
    deployment = fleet.observed.deployment
    if pod_shares.by_gateway(deployment):
        if route_acceptance.problem(fleet) is not None:
            return None
        return route_weights.referenced(deployment, fleet.observed.route).get(candidate.revision, 0)
    if service.selected_revision(deployment, fleet.observed.service) == candidate.revision:
        return route_weights.WHOLE
    if problem(candidate, fleet) is not None or fleet.desired_replicas == 0:
        return None
    own, others = fleet.ready_pods(candidate.revision), fleet.ready_pods(candidate.champion_revision)
    return round(100 * own / (own + others)) if own else 0


def holds(candidate: Candidate, fleet: Fleet) -> bool:
    """Return whether the candidate takes the share of its step: its pods are ready, and the share is in force."""
    if not pod_shares.all_ready(candidate, fleet) or problem(candidate, fleet) is not None:
        return False
    return not pod_shares.by_gateway(fleet.observed.deployment) or share(candidate, fleet) == candidate.weight


def problem(candidate: Candidate, fleet: Fleet) -> Problem | None:
    """Return what keeps requests from being shared out as decided; None if nothing does."""
    deployment, found = fleet.observed.deployment, fleet.observed.service
    if pod_shares.by_gateway(deployment):
        return route_acceptance.problem(fleet)
    if taken := service.taken(deployment.status, fleet):
        return Problem("ServiceNotOwned", taken)
    champion = candidate.champion_revision
    if found is None or champion is None or not service.leads_to(found, traffic_label.selector(deployment, champion)):
        return Problem("SwitchingTraffic", f"Service {deployment.name} does not select the pods of both versions yet")
    return None
