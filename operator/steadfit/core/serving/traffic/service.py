"""The Service of a ModelDeployment: its selector is the whole switch of traffic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.rollout import Candidate, RevisionRef
from steadfit.core import names
from steadfit.core.serving import ownership
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.ownership import is_foreign
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.types import Action, Apply, Create, Manifest

from . import pod_shares, route_weights, traffic_label

PORTS = ({"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"},)


def url(deployment: ModelDeployment) -> str:
    """Return the address of the Service inside the cluster."""
    return f"http://{deployment.name}.{deployment.metadata.namespace}.svc"


def selector(deployment: ModelDeployment, revision: str) -> dict[str, str]:
    """Return the labels that the pods of one revision carry, and no others do."""
    return {names.MODEL_DEPLOYMENT: deployment.name, names.REVISION: revision}


def selected_revision(deployment: ModelDeployment, service: Manifest | None) -> str | None:
    """Return the revision that our Service points at, if there is one; while it shares its traffic, the champion."""
    chosen = _chosen(deployment, service)
    revision = chosen.get(names.REVISION)
    if revision:
        return revision if chosen == selector(deployment, revision) else None
    return traffic_label.champion_of(deployment, chosen)


def shared(deployment: ModelDeployment, service: Manifest | None) -> str | None:
    """Return the champion whose traffic our Service shares out; None while it points at one revision."""
    return traffic_label.champion_of(deployment, _chosen(deployment, service))


def taking_traffic(fleet: Fleet) -> frozenset[str]:
    """Return the revisions whose pods our Service selects: one, or a champion and its candidate.

    Those that our HTTPRoute gives weight to take traffic too.
    """
    observed = fleet.observed
    by_weight = route_weights.taking(fleet)
    selected = selected_revision(observed.deployment, observed.service)
    if selected is None:
        return by_weight
    champion = shared(observed.deployment, observed.service)
    return by_weight | {selected} | (traffic_label.sharing_revisions(champion, fleet) if champion else frozenset())


def _chosen(deployment: ModelDeployment, service: Manifest | None) -> Mapping[str, str]:
    if service is None or is_foreign(deployment, service):
        return {}
    return service.get("spec", {}).get("selector") or {}


def decided_at(ref: RevisionRef) -> dict[str, str]:
    """Return the annotation that ties a Deployment to the decision for a revision."""
    return {names.DECIDED_ANNOTATION: str(ref.dump()["since"])}


def decision(live: RevisionRef, candidate: Candidate | None) -> str:
    """Return what ties the Service to the decisions for what is live and for the candidate that is tried beside it.

    It changes when a candidate comes and when it goes: what a deposed leader still sends for a candidate that was
    dropped meanwhile meets another resourceVersion.
    """
    parts = [live] if candidate is None or candidate.champion_revision != live.revision else [live, candidate]
    return "/".join(str(ref.dump()["since"]) for ref in parts)


def is_prepared(live: RevisionRef, candidate: Candidate, fleet: Fleet) -> bool:
    """Return whether the Service says already that the candidate is tried, so that dropping it would change it."""
    observed = fleet.observed
    if observed.service is None or is_foreign(observed.deployment, observed.service):
        return False
    return ownership.decided(observed.service) == decision(live, candidate)


def render(
    deployment: ModelDeployment, chosen: Mapping[str, str], decided: str, observed: Manifest | None
) -> dict[str, Any]:
    """Return the Service; fenced by uid and resourceVersion of the observed one."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": ownership.metadata(deployment, decided, observed),
        "spec": {"type": "ClusterIP", "selector": dict(chosen), "ports": [dict(port) for port in PORTS]},
    }


def point(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return what points the Service at the live revision, and at the candidate that shares its traffic.

    A Service that is missing is created, never applied: a create cannot take over somebody else's. An existing one
    moves to another live revision once every pod of that is ready, as long as the pods behind it still answer. A
    candidate is let into the traffic by the status, and leaves it at once.
    """
    deployment, service, live = fleet.observed.deployment, fleet.observed.service, status.live
    if service is not None and (is_foreign(deployment, service) or "deletionTimestamp" in service["metadata"]):
        return []
    if live is None or is_quarantined(live, status, fleet):
        return _without_candidate(deployment, service)
    decided = decision(live, status.candidate)
    if service is None:
        return [Create(render(deployment, selector(deployment, live.revision), decided, None))]
    before = selected_revision(deployment, service)
    if before != live.revision and fleet.ready_pods(before) > 0 and not fleet.is_complete(live.revision):
        return []
    chosen = _desired_selector(live, status, fleet)
    if _is_up_to_date(service, chosen, decided):
        return []
    return [Apply(render(deployment, chosen, decided, service))]


def _desired_selector(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> dict[str, str]:
    """Return the live revision's labels, or those that it has in common with the candidate that shares its traffic.

    That does not hang on the candidate's pods being ready: a Service sends nothing to those that are not. Pods of
    anything else that would get requests end it at once.
    """
    deployment, candidate = fleet.observed.deployment, traffic_label.sharing_candidate(status)
    if candidate is None or pod_shares.by_gateway(deployment):
        return selector(deployment, live.revision)
    if traffic_label.other_revisions(live.revision, candidate.revision, fleet):
        return selector(deployment, live.revision)
    return traffic_label.selector(deployment, live.revision)


def _without_candidate(deployment: ModelDeployment, service: Manifest | None) -> Sequence[Action]:
    """Return what takes the traffic from a candidate that nothing is known of any more, or that lost its champion."""
    champion = shared(deployment, service)
    if service is None or champion is None:
        return []
    return [Apply(render(deployment, selector(deployment, champion), ownership.decided(service), service))]


def _is_up_to_date(service: Manifest, chosen: Mapping[str, str], decided: str) -> bool:
    ports = [{key: port.get(key) for key in PORTS[0]} for port in service.get("spec", {}).get("ports", [])]
    same = service.get("spec", {}).get("selector") == chosen and ports == list(PORTS)
    return same and ownership.decided(service) == decided
