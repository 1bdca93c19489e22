"""Whether the Gateways take the HTTPRoute: as each of them says in the route's status, of the route as it is now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from steadfit.api.strategy import ParentReference
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.ownership import is_foreign
from steadfit.core.types import Manifest

NEEDED = ("Accepted", "ResolvedRefs")


def problem(fleet: Fleet) -> Problem | None:
    """Return why no requests come through the Gateways, or not through all of them; None when they do."""
    observed = fleet.observed
    name = observed.deployment.name
    if not observed.gateway_api:
        return Problem(
            "GatewayAPIMissing",
            "the cluster has no HTTPRoutes: install the Gateway API (gateway.networking.k8s.io/v1), or take"
            " spec.traffic away; the Service serves",
        )
    if is_foreign(observed.deployment, observed.route):
        return Problem(
            "RouteNotOurs",
            f"an HTTPRoute {name} that belongs to someone else has the name this deployment needs; delete or rename it",
        )
    if observed.route is None or "deletionTimestamp" in observed.route["metadata"]:
        return Problem("NoRoute", f"the HTTPRoute {name} is created once a version serves")
    words = [said for parent in parents(fleet) if (said := _refusal(parent, observed.route))]
    return Problem("NotAccepted", "; ".join(words)) if words else None


def parents(fleet: Fleet) -> list[ParentReference]:
    """Return the Gateways that the spec names."""
    traffic = fleet.observed.deployment.spec.traffic
    return list(traffic.gateway_api.parent_refs) if traffic else []


def describe(parent: ParentReference) -> str:
    """Return how a Gateway is called in a sentence."""
    place = f"{parent.namespace}/{parent.name}" if parent.namespace else parent.name
    return f"Gateway {place}" + (f", listener {parent.section_name}" if parent.section_name else "")


def _refusal(parent: ParentReference, route: Manifest) -> str:
    """Return what a Gateway has against the route; empty when it takes it.

    What it said of an earlier generation says nothing of the route as it is now.
    """
    generation = route["metadata"].get("generation", 0)
    answers = list(_answers(parent, route))
    for kind in NEEDED:
        said = [one for answer in answers for one in answer if one.get("type") == kind]
        now = [one for one in said if one.get("observedGeneration", -1) >= generation]
        if any(one.get("status") == "True" for one in now):
            continue
        if not now:
            return f"{describe(parent)} has not said yet that it takes the HTTPRoute as it is now"
        words = now[0].get("message") or now[0].get("reason") or "without a reason"
        return f"{describe(parent)} does not take the HTTPRoute: {words}"
    return ""


def _answers(parent: ParentReference, route: Manifest) -> Iterator[list[Mapping[str, Any]]]:
    """Yield the conditions of each controller that speaks for a Gateway; a listener's are its own."""
    own = route["metadata"].get("namespace")
    for answer in route.get("status", {}).get("parents") or []:
        reference = answer.get("parentRef", {})
        if reference.get("kind", "Gateway") != "Gateway" or reference.get("name") != parent.name:
            continue
        if (reference.get("namespace") or own) != (parent.namespace or own):
            continue
        if reference.get("sectionName") == parent.section_name:
            yield answer.get("conditions") or []
