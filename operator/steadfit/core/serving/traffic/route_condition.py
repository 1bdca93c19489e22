"""The condition `RouteReady`, and what the route makes a canary wait for before it starts."""

from __future__ import annotations

from typing import Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate, RevisionRef
from steadfit.core.conditions import DesiredCondition
from steadfit.core.serving.fleet import Fleet

from . import http_route, pod_shares, route_acceptance, traffic_repair

ROUTE_READY: Final = "RouteReady"


def conditions(status: ModelDeploymentStatus, fleet: Fleet) -> list[DesiredCondition]:
    """Return the condition, `True` while the spec names no Gateway. `Ready` is about the Service alone."""
    if not pod_shares.by_gateway(fleet.observed.deployment):
        message = "spec.traffic names no Gateway: requests come through the Service"
        return [DesiredCondition(ROUTE_READY, "True", "NoGateway", message)]
    if contested := traffic_repair.contest(status, of_route=True):
        return [DesiredCondition(ROUTE_READY, "False", "RouteContested", contested)]
    problem = route_acceptance.problem(fleet)
    if problem is not None:
        return [DesiredCondition(ROUTE_READY, "False", problem.reason, problem.message)]
    gateways = ", ".join(route_acceptance.describe(parent) for parent in route_acceptance.parents(fleet))
    return [DesiredCondition(ROUTE_READY, "True", "RouteAccepted", f"requests come through {gateways}")]


def hindrance(candidate: Candidate, live: RevisionRef, fleet: Fleet) -> str:
    """Return what the analysis of a canary waits for; empty if nothing."""
    problem = route_acceptance.problem(fleet)
    if problem is not None:
        return f"its pods are ready, but no requests would reach them: {problem.message}"
    if not http_route.is_prepared(live, candidate, fleet):
        return "its pods are ready; the HTTPRoute is being prepared"
    return ""
