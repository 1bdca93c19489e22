"""Acceptance of the HTTPRoute by its Gateways, as the route's status reports it for the current generation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from steadfit.api.strategy import ParentReference
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.ownership import is_foreign
from steadfit.core.types import Manifest

from . import http_route

NEEDED = ("Accepted", "ResolvedRefs")


def problem(fleet: Fleet) -> Problem | None:
    """Return why no requests arrive through one or all of the Gateways; None if they do."""
    observed = fleet.observed
    name = observed.deployment.name
    if not observed.gateway_api:
        return Problem(
            "GatewayAPINotInstalled",
            "the cluster has no HTTPRoutes: install the Gateway API (gateway.networking.k8s.io/v1), or remove"
            " spec.traffic; the Service serves",
        )
    if is_foreign(observed.deployment, observed.route):
        return Problem(
            "RouteNotOwned",
            f"an HTTPRoute {name} that belongs to someone else has the name this deployment needs; delete or rename it",
        )
    if observed.route is None and observed.route_refused:
        return Problem("RouteNotOwned", f"the API server refuses HTTPRoute {name}: {observed.route_refused}")
    if observed.route is None or "deletionTimestamp" in observed.route["metadata"]:
        return Problem("RouteNotCreated", f"the HTTPRoute {name} is created once a version serves")
    if field := http_route.changed_field(fleet):
        return Problem("RouteChanged", f"{field} of HTTPRoute {name} is not as it should be; it is being put right")
    messages = [message for parent in parents(fleet) if (message := _refusal(parent, observed.route))]
    return Problem("RouteNotAccepted", "; ".join(messages)) if messages else None


def parents(fleet: Fleet) -> list[ParentReference]:
    """Return the Gateways in the spec."""
    traffic = fleet.observed.deployment.spec.traffic
    return list(traffic.gateway_api.parent_refs) if traffic else []


def describe(parent: ParentReference) -> str:
    """Return the name of a Gateway for messages."""
    place = f"{parent.namespace}/{parent.name}" if parent.namespace else parent.name
    return f"Gateway {place}" + (f", listener {parent.section_name}" if parent.section_name else "")


def _refusal(parent: ParentReference, route: Manifest) -> str:
    """Return why a Gateway does not accept the route; empty if it does.

    Conditions of an earlier generation say nothing about the current one.
    """
    generation = route["metadata"].get("generation", 0)
    reported = list(_conditions(parent, route))
    for kind in NEEDED:
        found = [one for conditions in reported for one in conditions if one.get("type") == kind]
        current = [one for one in found if one.get("observedGeneration", -1) >= generation]
        if any(one.get("status") == "True" for one in current):
            continue
        if not current:
            return f"{describe(parent)} has not accepted the current HTTPRoute yet"
        why = current[0].get("message") or current[0].get("reason") or "no reason is given"
        return f"{describe(parent)} does not accept the HTTPRoute: {why}"
    return ""


def _conditions(parent: ParentReference, route: Manifest) -> Iterator[list[Mapping[str, Any]]]:
    """Yield the conditions that each controller has set for a Gateway, or for a listener of it."""
    own = route["metadata"].get("namespace")
    for found in route.get("status", {}).get("parents") or []:
        reference = found.get("parentRef", {})
        if reference.get("kind", "Gateway") != "Gateway" or reference.get("name") != parent.name:
            continue
        if (reference.get("namespace") or own) != (parent.namespace or own):
            continue
        if reference.get("sectionName") == parent.section_name:
            yield found.get("conditions") or []
