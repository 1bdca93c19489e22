"""The Service of a ModelDeployment: its selector alone decides which revisions the traffic reaches."""

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
    """Return the labels that select the pods of one revision."""
    return {names.MODEL_DEPLOYMENT: deployment.name, names.REVISION: revision}


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
    by_weight = route_weights.taking(fleet)
    selected = selected_revision(observed.deployment, observed.service)
    if selected is None:
        return by_weight
    champion = shared(observed.deployment, observed.service)
    return by_weight | {selected} | (traffic_label.sharing_revisions(champion, fleet) if champion else frozenset())


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


def render(
    deployment: ModelDeployment, labels: Mapping[str, str], decided: str, observed: Manifest | None
) -> dict[str, Any]:
    """Return the Service with this selector, and uid and resourceVersion of the observed one as preconditions."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": ownership.metadata(deployment, decided, observed),
        "spec": {"type": "ClusterIP", "selector": dict(labels), "ports": [dict(port) for port in PORTS]},
    }


def point(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the change that makes the Service select the live revision, or it and its canary candidate.

    A missing Service is created, never applied: a create cannot take over an object of another owner. An existing one
    moves to a new live revision once all pods of that are ready, or at once if no pod behind the Service is. The
    status decides when a candidate joins the traffic; it leaves without delay.
    """
    deployment, service, live = fleet.observed.deployment, fleet.observed.service, status.live
    if service is not None and (is_foreign(deployment, service) or "deletionTimestamp" in service["metadata"]):
        return []
    if live is None or is_quarantined(live, status, fleet):
        return _without_candidate(deployment, service)
    decided = decision(live, status.candidate)
    if service is None:
        return [Create(render(deployment, selector(deployment, live.revision), decided, None))]
    selected = selected_revision(deployment, service)
    if selected != live.revision and fleet.ready_pods(selected) > 0 and not fleet.is_complete(live.revision):
        return []
    labels = _desired_selector(live, status, fleet)
    if _is_up_to_date(service, labels, decided):
        return []
    return [Apply(render(deployment, labels, decided, service))]


def _desired_selector(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> dict[str, str]:
    """Return the selector of the live revision, or of the traffic label that its canary candidate has as well.

    The candidate's pods need not be ready: a Service sends nothing to pods that are not. If pods of a third revision
    would get requests too, the live revision is selected alone.
    """
    deployment, candidate = fleet.observed.deployment, traffic_label.sharing_candidate(status)
    if candidate is None or pod_shares.by_gateway(deployment):
        return selector(deployment, live.revision)
    if traffic_label.other_revisions(live.revision, candidate.revision, fleet):
        return selector(deployment, live.revision)
    return traffic_label.selector(deployment, live.revision)


def _without_candidate(deployment: ModelDeployment, service: Manifest | None) -> Sequence[Action]:
    """Return the change that selects the champion alone, for a candidate that the status has lost or rolled back."""
    champion = shared(deployment, service)
    if service is None or champion is None:
        return []
    return [Apply(render(deployment, selector(deployment, champion), ownership.decided(service), service))]


def _is_up_to_date(service: Manifest, labels: Mapping[str, str], decided: str) -> bool:
    return leads_to(service, labels) and ownership.decided(service) == decided


def leads_to(service: Manifest, labels: Mapping[str, str]) -> bool:
    """Return whether a Service selects pods by just these labels, through our ports."""
    spec = service.get("spec", {})
    ports = [{key: port.get(key) for key in PORTS[0]} for port in spec.get("ports", [])]
    return spec.get("selector") == labels and ports == list(PORTS)
