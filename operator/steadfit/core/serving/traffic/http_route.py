"""The HTTPRoute of a ModelDeployment: its weights alone decide which revisions the traffic of Gateways reaches.

It references one Service per revision: of the live one, of the canary's candidate, and, with weight 0, of the last
good one while it is kept warm. The Service of the ModelDeployment then always selects the live revision alone.
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
from steadfit.core.serving.quarantine import is_quarantined, is_revision_quarantined
from steadfit.core.types import Action, Create, Delete, Manifest, Replace

from . import failover, partial_rollback, pod_shares, revision_services, route_weights, warm_standby
from .route_weights import WHOLE
from .service import PORTS, decision

API_VERSION = "gateway.networking.k8s.io/v1"
KIND = "HTTPRoute"
EVERYTHING = [{"path": {"type": "PathPrefix", "value": "/"}}]


def point(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Sequence[Action]:
    """Return the changes that give each revision its Service and its weight in the route.

    A missing route is created, never applied: a create cannot take over an object of another owner. The route
    references a Service only once that exists, and a Service is deleted only once no route references it.
    """
    observed = fleet.observed
    deployment, route = observed.deployment, observed.route
    referenced = route_weights.referenced(deployment, route)
    if not pod_shares.by_gateway(deployment):
        ours = route is not None and not is_foreign(deployment, route) and "deletionTimestamp" not in route["metadata"]
        deletions: list[Action] = [Delete(route)] if ours and route is not None else []
        return [*deletions, *revision_services.retire(frozenset(referenced) | route_weights.answering(fleet), fleet)]
    if not observed.gateway_api or is_foreign(deployment, route):
        return []
    revisions = _revisions(status, fleet, now)
    return [
        *revision_services.keep(revisions, fleet),
        *_update_route(status, revisions, fleet),
        *revision_services.retire(frozenset(referenced) | route_weights.answering(fleet) | frozenset(revisions), fleet),
    ]


def is_prepared(live: RevisionRef, candidate: Candidate, fleet: Fleet) -> bool:
    """Return whether the route references the candidate and follows its decision.

    Only then does dropping the candidate change the route, so that late writes of a former leader fail.
    """
    deployment, route = fleet.observed.deployment, fleet.observed.route
    if route is None or is_foreign(deployment, route):
        return False
    referenced = candidate.revision in route_weights.referenced(deployment, route)
    return referenced and ownership.decided(route) == decision(live, candidate)


def is_changed(route: Manifest) -> bool:
    """Return whether something else stands in our route than the operator wrote last; a lost annotation is a change."""
    return ownership.written(route) != ownership.digest(route.get("spec", {}))


def changed_field(fleet: Fleet) -> str | None:
    """Return the first field of our route that is not as it should be, of its weights as written; None if all are."""
    deployment, route = fleet.observed.deployment, fleet.observed.route
    stored = route.get("spec", {}) if route is not None else {}
    wished = _spec(deployment, route_weights.referenced(deployment, route))
    differs = (name for name in sorted({*stored, *wished}) if stored.get(name) != wished.get(name))
    weights = "spec.rules" if route is not None and is_changed(route) else None
    return next((f"spec.{name}" for name in differs), weights)


def render(
    deployment: ModelDeployment, weights: Mapping[str, int], decided: str, observed: Manifest | None
) -> dict[str, Any]:
    """Return the HTTPRoute, with uid and resourceVersion of the observed one as preconditions."""
    spec = _spec(deployment, weights)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": ownership.metadata(deployment, decided, ownership.digest(spec), observed),
        "spec": spec,
    }


def _spec(deployment: ModelDeployment, weights: Mapping[str, int]) -> dict[str, Any]:
    """Return the spec with the API server's defaults, so that it can be compared with the stored one."""
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
    """Return the revisions that the route references: live, canary candidate, and warm standby."""
    live, candidate = status.live, status.candidate
    if live is None:
        return []
    canary = candidate if candidate and candidate.champion_revision == live.revision else None
    refs = [live, canary, partial_rollback.returning(status, fleet), warm_standby.revision(status, fleet, now)]
    instead = failover.stand_in(status, fleet)
    return list(dict.fromkeys([*(ref.revision for ref in refs if ref), *([instead] if instead else [])]))


def _update_route(status: ModelDeploymentStatus, revisions: Sequence[str], fleet: Fleet) -> Sequence[Action]:
    deployment, route, live = fleet.observed.deployment, fleet.observed.route, status.live
    if live is None or (route is not None and "deletionTimestamp" in route["metadata"]):
        return []
    services = revision_services.existing(fleet) | revision_services.unseen(route_weights.taking(fleet), fleet)
    instead = failover.stand_in(status, fleet)
    if instead is None and is_quarantined(live, status, fleet):
        return _rolling_back(live, status, services, fleet)
    if instead not in services and (live.revision not in services or _must_wait(live, status, fleet)):
        return []
    desired: Mapping[str, int]
    if instead in services:
        desired = {instead: WHOLE}
    else:
        desired = _redistributed(route_weights.desired(live, status, fleet), live, services)
    weights = {revision: desired.get(revision, 0) for revision in revisions if revision in services}
    decided = decision(live, status.candidate)
    if route is None:
        return [Create(render(deployment, weights, decided, None))]
    if _is_up_to_date(route, _spec(deployment, weights), decided):
        return []
    return [Replace(render(deployment, weights, decided, route))]


def _must_wait(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether the traffic stays where it is: the live revision lacks pods, and older ones are ready."""
    if fleet.has_enough(live.revision):
        return False
    taking = route_weights.taking(fleet)
    previous = status.last_good.revision if status.last_good else None
    older = taking - {live.revision} if live.revision not in taking else taking & {previous}
    ready = [revision for revision in older if revision and fleet.ready_pods(revision) > 0]
    return any(not is_revision_quarantined(revision, status, fleet) for revision in ready)


def _rolling_back(
    live: RevisionRef, status: ModelDeploymentStatus, services: frozenset[str], fleet: Fleet
) -> Sequence[Action]:
    """Return the change that takes the traffic from the canary of a champion that was rolled back.

    The champion answers until a good revision can, which has the weight that its ready pods allow.
    """
    deployment, route = fleet.observed.deployment, fleet.observed.route
    if route is None or live.revision not in route_weights.taking(fleet):
        return []
    good = partial_rollback.returning(status, fleet)
    weight = partial_rollback.weight(good, fleet) if good and good.revision in services else 0
    weights = {live.revision: WHOLE - weight, **({good.revision: weight} if good and weight else {})}
    if _is_up_to_date(route, _spec(deployment, weights), ownership.decided(route)):
        return []
    return [Replace(render(deployment, weights, ownership.decided(route), route))]


def _redistributed(weights: Mapping[str, int], live: RevisionRef, services: frozenset[str]) -> Mapping[str, int]:
    """Return the weights of the revisions that have a Service; the live one takes the share of the others."""
    kept = {revision: weight for revision, weight in weights.items() if revision in services}
    return {**kept, live.revision: WHOLE - sum(kept.values()) + kept[live.revision]}


def _is_up_to_date(route: Manifest, spec: Mapping[str, Any], decided: str) -> bool:
    """Return whether the route is as it should be: every field decides where requests go, so it has no other one."""
    said = ownership.written(route) in ("", ownership.digest(spec))
    return said and route.get("spec") == spec and ownership.decided(route) == decided
