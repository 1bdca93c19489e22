"""The Service of a ModelDeployment: its manifest, and which revisions its selector, or the route, sends traffic to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.rollout import Candidate, RevisionRef
from steadfit.core import names
from steadfit.core.serving import ownership
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.ownership import is_foreign
from steadfit.core.types import Manifest

from . import pod_shares, route_weights, traffic_label

PORTS = ({"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"},)


def url(deployment: ModelDeployment) -> str:
    """Return the address of the Service inside the cluster."""
    return f"http://{deployment.name}.{deployment.metadata.namespace}.svc"


def selector(deployment: ModelDeployment, revision: str) -> dict[str, str]:
    """Return the labels that select the pods of one revision."""
    return {names.MODEL_DEPLOYMENT: deployment.name, names.REVISION: revision}


def taken(status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return why requests do not go where the operator points them, as their object is someone else's; else empty.

    While that is so nothing takes over: it could not be judged, and what answers could not be told from what does not.
    """
    observed = fleet.observed
    name = observed.deployment.name
    if is_foreign(observed.deployment, observed.service):
        return f"a Service {name} that belongs to someone else has the name this deployment needs; delete or rename it"
    if status.live is None:
        return ""
    needed = [name] if observed.service is None else []
    if pod_shares.by_gateway(observed.deployment):
        seen = {_revision_of(one) for one in observed.services}
        needed += [] if status.live.revision in seen else [names.workload_name(name, status.live.revision)]
    refused = next((one for one in needed if one in observed.refused_services), None)
    return f"the API server refuses Service {refused}: {observed.refused_services[refused]}" if refused else ""


def _revision_of(service: Manifest) -> str:
    return str(service["metadata"].get("labels", {}).get(names.REVISION, ""))


def selected_revision(deployment: ModelDeployment, service: Manifest | None) -> str | None:
    """Return the revision that our Service selects, during a canary the champion; None without a Service of ours."""
    found = _selector(deployment, service)
    revision = found.get(names.REVISION)
    if revision:
        return revision if found == selector(deployment, revision) else None
    return traffic_label.champion_of(deployment, found)


def shared(deployment: ModelDeployment, service: Manifest | None) -> str | None:
    """Return the champion whose traffic label our Service selects; None while it selects one revision."""
    return traffic_label.champion_of(deployment, _selector(deployment, service))


def taking_traffic(fleet: Fleet) -> frozenset[str]:
    """Return the revisions that our Service selects, one or a champion and its candidate, or that our route weighs."""
    observed = fleet.observed
    by_weight = route_weights.answering(fleet) | _behind_a_foreign_service(fleet)
    selected = selected_revision(observed.deployment, observed.service)
    if selected is None:
        return by_weight
    champion = shared(observed.deployment, observed.service)
    return by_weight | {selected} | (traffic_label.sharing_revisions(champion, fleet) if champion else frozenset())


def _behind_a_foreign_service(fleet: Fleet) -> frozenset[str]:
    """Return the revisions whose pods someone else's Service of our name selects, or may select while it is unseen."""
    observed = fleet.observed
    if observed.service is None and observed.deployment.name in observed.refused_services:
        return frozenset(found.revision for found in fleet.workloads)
    if observed.service is None or not is_foreign(observed.deployment, observed.service):
        return frozenset()
    wanted = (observed.service.get("spec", {}).get("selector") or {}).items()
    labels = (pod["metadata"].get("labels", {}) for pod in observed.pods)
    return frozenset(str(found[names.REVISION]) for found in labels if wanted and wanted <= found.items())


def _selector(deployment: ModelDeployment, service: Manifest | None) -> Mapping[str, str]:
    if service is None or is_foreign(deployment, service):
        return {}
    return service.get("spec", {}).get("selector") or {}


def decided_at(ref: RevisionRef) -> dict[str, str]:
    """Return the annotation of a Deployment with the time of the decision that it follows."""
    return {names.DECIDED_ANNOTATION: str(ref.dump()["since"])}


def decision(live: RevisionRef, candidate: Candidate | None) -> str:
    """Return the times of the decisions for the live revision and its canary candidate, for the Service's annotation.

    It changes when a candidate is chosen or dropped, so a former leader's late write for a dropped candidate fails on
    the resourceVersion.
    """
    parts = [live] if candidate is None or candidate.champion_revision != live.revision else [live, candidate]
    return "/".join(str(ref.dump()["since"]) for ref in parts)


def is_prepared(live: RevisionRef, candidate: Candidate, fleet: Fleet) -> bool:
    """Return whether the Service follows the decision for the candidate.

    Only then does dropping the candidate change the Service, so that late writes of a former leader fail.
    """
    observed = fleet.observed
    if observed.service is None or is_foreign(observed.deployment, observed.service):
        return False
    return ownership.decided(observed.service) == decision(live, candidate)


OURS = {
    "type",
    "selector",
    "ports",
    "sessionAffinity",
    "sessionAffinityConfig",
    "publishNotReadyAddresses",
    "externalName",
}
"""Fields of a Service's spec that decide which pods get which requests. The others are of the cluster and its users."""


def render(
    deployment: ModelDeployment, labels: Mapping[str, str], decided: str, observed: Manifest | None
) -> dict[str, Any]:
    """Return the Service with this selector, and uid and resourceVersion of the observed one as preconditions."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": ownership.metadata(deployment, decided, ownership.digest(dict(labels)), observed),
        "spec": spec(labels, observed),
    }


def spec(labels: Mapping[str, str], observed: Manifest | None) -> dict[str, Any]:
    """Return the spec with this selector. Of ours it has only what it needs, and of the observed one all the rest."""
    theirs = observed.get("spec", {}) if observed is not None else {}
    kept = {name: value for name, value in theirs.items() if name not in OURS}
    return {**kept, "type": "ClusterIP", "selector": dict(labels), "ports": [dict(port) for port in PORTS]}


def is_changed(service: Manifest) -> bool:
    """Return whether something else decides who answers than the operator wrote last; a lost annotation is a change."""
    labels = service.get("spec", {}).get("selector") or {}
    return ownership.written(service) != ownership.digest(labels) or not leads_to(service, labels)


def leads_to(service: Manifest, labels: Mapping[str, str]) -> bool:
    """Return whether a Service selects ready pods by just these labels, each for any request, through our ports."""
    stored = service.get("spec", {})
    ports = [{key: port.get(key) for key in PORTS[0]} for port in stored.get("ports", [])]
    return (
        stored.get("selector") == labels
        and ports == list(PORTS)
        and stored.get("type", "ClusterIP") == "ClusterIP"
        and stored.get("sessionAffinity", "None") == "None"
        and not stored.get("publishNotReadyAddresses")
    )
