"""What is said of the HTTPRoute: the condition, and what a canary waits for before it begins."""

from __future__ import annotations

from steadfit.api.rollout import Candidate, RevisionRef
from steadfit.core.conditions import DesiredCondition
from steadfit.core.serving.fleet import Fleet

from . import http_route, pod_shares, route_acceptance

ROUTE_READY = "RouteReady"


def conditions(fleet: Fleet) -> list[DesiredCondition]:
    """Return the condition that is there while the spec asks for Gateways. `Ready` speaks of the Service alone."""
    if not pod_shares.by_gateway(fleet.observed.deployment):
        return []
    problem = route_acceptance.problem(fleet)
    if problem is not None:
        return [DesiredCondition(ROUTE_READY, "False", problem.reason, problem.message)]
    accepting = ", ".join(route_acceptance.describe(parent) for parent in route_acceptance.parents(fleet))
    return [DesiredCondition(ROUTE_READY, "True", "Accepted", f"requests come through {accepting}")]


def hindrance(candidate: Candidate, live: RevisionRef, fleet: Fleet) -> str:
    """Return why a canary would measure nothing yet; empty when it may begin."""
    problem = route_acceptance.problem(fleet)
    if problem is not None:
        return f"its pods are ready, but no requests would reach them: {problem.message}"
    if not http_route.is_prepared(live, candidate, fleet):
        return "its pods are ready; the HTTPRoute is being prepared"
    return ""
