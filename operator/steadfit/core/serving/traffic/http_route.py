"""The HTTPRoute of a ModelDeployment: its weights are the whole switch of the traffic that comes through Gateways.

It names one Service a revision: of what is live, of the candidate that is tried, and, with weight 0, of the last good
revision while that is warm. The ModelDeployment's own Service always selects the live revision alone then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.rollout import Candidate, RevisionRef
from steadfit.core import names
from steadfit.core.serving import ownership
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.ownership import is_foreign
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.types import Action, Apply, Create, Delete, Manifest

from . import pod_shares, revision_services, route_weights, warm_standby
from .route_weights import WHOLE
from .service import PORTS, decision

API_VERSION = "gateway.networking.k8s.io/v1"
KIND = "HTTPRoute"
EVERYTHING = [{"path": {"type": "PathPrefix", "value": "/"}}]


def point(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Sequence[Action]:
    """Return what makes the route send each revision its share, and gives each its Service.

    A route that is missing is created, never applied: a create cannot take over somebody else's. It names a Service
    only once that is there, and a Service goes only once no route names it.
    """
    observed = fleet.observed
    deployment, route = observed.deployment, observed.route
    referred = route_weights.referenced(deployment, route)
    if not pod_shares.by_gateway(deployment):
        ours = route is not None and not is_foreign(deployment, route) and "deletionTimestamp" not in route["metadata"]
        leaving: list[Action] = [Delete(route)] if ours and route is not None else []
        return [*leaving, *revision_services.retire(frozenset(referred), fleet)]
    if not observed.gateway_api or is_foreign(deployment, route):
        return []
    revisions = _revisions(status, fleet, now)
    return [
        *revision_services.keep(revisions, fleet),
        *_update_route(status, revisions, fleet),
        *revision_services.retire(frozenset(referred) | frozenset(revisions), fleet),
    ]


def is_prepared(live: RevisionRef, candidate: Candidate, fleet: Fleet) -> bool:
    """Return whether the route says already that the candidate is tried, so that dropping it would change it."""
    deployment, route = fleet.observed.deployment, fleet.observed.route
    if route is None or is_foreign(deployment, route):
        return False
    known = candidate.revision in route_weights.referenced(deployment, route)
    return known and ownership.decided(route) == decision(live, candidate)


def render(
    deployment: ModelDeployment, weights: Mapping[str, int], decided: str, observed: Manifest | None
) -> dict[str, Any]:
    """Return the HTTPRoute; fenced by uid and resourceVersion of the observed one."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": ownership.metadata(deployment, decided, observed),
        "spec": _spec(deployment, weights),
    }


def _spec(deployment: ModelDeployment, weights: Mapping[str, int]) -> dict[str, Any]:
    """Return the spec with all that the API server would fill in, so that what is stored can be compared with it."""
    traffic = deployment.spec.traffic
    gateway = traffic.gateway_api if traffic else None
    parents = [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", **parent.dump()}
        for parent in (gateway.parent_refs if gateway else [])
    ]
    backends = [
        {
            "group": "",
            "kind": "Service",
            "name": names.workload_name(deployment.name, revision),
            "port": PORTS[0]["port"],
            "weight": weight,
        }
        for revision, weight in weights.items()
    ]
    spec: dict[str, Any] = {"parentRefs": parents, "rules": [{"matches": EVERYTHING, "backendRefs": backends}]}
    if gateway and gateway.hostnames:
        spec["hostnames"] = list(gateway.hostnames)
    return spec


def _revisions(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> list[str]:
    """Return the revisions that have a place in the route: live, tried, and ready to be gone back to."""
    live, candidate = status.live, status.candidate
    if live is None:
        return []
    tried = candidate if candidate and candidate.champion_revision == live.revision else None
    refs = [live, tried, warm_standby.revision(status, fleet, now)]
    return list(dict.fromkeys(ref.revision for ref in refs if ref))


def _update_route(status: ModelDeploymentStatus, revisions: Sequence[str], fleet: Fleet) -> Sequence[Action]:
    deployment, route, live = fleet.observed.deployment, fleet.observed.route, status.live
    if live is None or (route is not None and "deletionTimestamp" in route["metadata"]):
        return []
    if is_quarantined(live, status, fleet):
        return _without_candidate(live, status, fleet)
    standing = revision_services.existing(fleet)
    if live.revision not in standing or _must_wait(live, status, fleet):
        return []
    weights = _redistributed(route_weights.desired(live, status, fleet), live, standing)
    there = {revision: weights.get(revision, 0) for revision in revisions if revision in standing}
    decided = decision(live, status.candidate)
    if route is None:
        return [Create(render(deployment, there, decided, None))]
    if _is_up_to_date(route, _spec(deployment, there), decided):
        return []
    return [Apply(render(deployment, there, decided, route))]


def _must_wait(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether what takes the traffic keeps it: what is live now is not complete, and the pods answer."""
    if fleet.is_complete(live.revision):
        return False
    taking = route_weights.taking(fleet)
    before = status.last_good.revision if status.last_good else None
    leaving = taking - {live.revision} if live.revision not in taking else taking & {before}
    return any(fleet.ready_pods(revision) > 0 for revision in leaving)


def _without_candidate(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return what takes the traffic from a candidate of what was rolled back and still answers.

    It answers until something good can; what it goes back to keeps a share that it has.
    """
    deployment, route = fleet.observed.deployment, fleet.observed.route
    taking = route_weights.taking(fleet)
    good = {ref.revision for ref in (status.last_good, _next(status)) if ref and not is_quarantined(ref, status, fleet)}
    if route is None or live.revision not in taking or not taking - good - {live.revision}:
        return []
    return [Apply(render(deployment, {live.revision: WHOLE}, ownership.decided(route), route))]


def _next(status: ModelDeploymentStatus) -> Candidate | None:
    """Return the candidate that takes the place of what is live without being tried beside it."""
    return status.candidate if status.candidate and status.candidate.champion_revision is None else None


def _redistributed(weights: Mapping[str, int], live: RevisionRef, standing: frozenset[str]) -> Mapping[str, int]:
    """Return the weights without those of a Service that is not there; what is live takes their share."""
    there = {revision: weight for revision, weight in weights.items() if revision in standing}
    return {**there, live.revision: WHOLE - sum(there.values()) + there[live.revision]}


def _is_up_to_date(route: Manifest, spec: Mapping[str, Any], decided: str) -> bool:
    stored = route.get("spec", {})
    same = all(stored.get(key) == value for key, value in spec.items())
    return same and bool(stored.get("hostnames")) == ("hostnames" in spec) and ownership.decided(route) == decided
