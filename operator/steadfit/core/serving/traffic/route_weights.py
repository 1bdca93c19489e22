"""Observed and desired weights of an HTTPRoute.

A Gateway splits request by request, so weights are exact for any number of pods. It answers the share of a Service
without ready pods with errors, so a candidate has weight 0 before its pods are ready, and while none of them is.
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
    """Return the revision whose Service has this name; None if it is another Service."""
    prefix = names.workload_name(deployment.name, "")
    text = str(name)
    return text.removeprefix(prefix) if text.startswith(prefix) and text != prefix else None


def referenced(deployment: ModelDeployment, route: Manifest | None) -> Mapping[str, int]:
    """Return the weights of the revisions that our route references; a terminating route still routes."""
    return {} if route is None or is_foreign(deployment, route) else _referenced(deployment, route)


def _referenced(deployment: ModelDeployment, route: Manifest) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for rule in route.get("spec", {}).get("rules") or []:
        for backend in rule.get("backendRefs") or []:
            revision = revision_of(deployment, backend.get("name"))
            if revision is not None:
                found[revision] = found.get(revision, 0) + int(backend.get("weight", 1))
    return found


def taking(fleet: Fleet) -> frozenset[str]:
    """Return the revisions with a weight above 0 in our route."""
    weights = referenced(fleet.observed.deployment, fleet.observed.route)
    return frozenset(revision for revision, weight in weights.items() if weight > 0)


def answering(fleet: Fleet) -> frozenset[str]:
    """Return the revisions that an HTTPRoute of our name sends requests to, or may, whoever owns it."""
    observed = fleet.observed
    if observed.route is None and observed.route_refused:
        return frozenset(found.revision for found in fleet.workloads)
    weights = _referenced(observed.deployment, observed.route) if observed.route is not None else {}
    return frozenset(revision for revision, weight in weights.items() if weight > 0)


def desired(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> Mapping[str, int]:
    """Return the weights of the live revision and of its canary candidate; their sum is 100."""
    candidate = traffic_label.sharing_candidate(status)
    if candidate is None or candidate.weight is None or is_quarantined(candidate, status, fleet):
        return {live.revision: WHOLE}
    weight = candidate.weight
    if fleet.ready_pods(candidate.revision) == 0:
        weight = 0
    elif not pod_shares.all_ready(candidate, fleet):
        # The pods of the next step are not ready yet: it keeps its weight.
        known = referenced(fleet.observed.deployment, fleet.observed.route)
        weight = min(weight, known.get(candidate.revision, 0))
    return {live.revision: WHOLE - weight, candidate.revision: weight}
