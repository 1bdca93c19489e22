"""Which pods the Service selects: its selector alone decides which revisions the traffic reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core.serving import ownership
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.ownership import is_foreign
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.types import Action, Create, Manifest, Replace

from . import failover, partial_rollback, pod_shares, traffic_label
from .service import decision, leads_to, render, selected_revision, selector, shared


def point(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the change that makes the Service select the live revision, or it and its canary candidate.

    A missing Service is created, never applied: a create cannot take over an object of another owner. An existing one
    moves to a new live revision once enough pods of that are ready, or at once if no pod behind the Service is, or they
    were rolled back. While no pod of the live one is ready, it selects the one that stands in (`failover.py`). The
    status decides when a candidate joins the traffic; it leaves without delay.
    """
    deployment, service, live = fleet.observed.deployment, fleet.observed.service, status.live
    if service is not None and (is_foreign(deployment, service) or "deletionTimestamp" in service["metadata"]):
        return []
    if live is None:
        return _without_candidate(deployment, service)
    decided, instead = decision(live, status.candidate), failover.stand_in(status, fleet)
    if instead is None and is_quarantined(live, status, fleet):
        return _rolling_back(live, status, fleet)
    if service is None:
        return [Create(render(deployment, selector(deployment, instead or live.revision), decided, None))]
    selected = selected_revision(deployment, service)
    if instead is None and failover.stays(selected, live, status, fleet):
        return []
    labels = selector(deployment, instead) if instead else _desired_selector(live, status, fleet)
    if _is_up_to_date(service, labels, decided):
        return []
    return [Replace(render(deployment, labels, decided, service))]


def after(pointing: Sequence[Action], fleet: Fleet) -> Fleet:
    """Return the fleet as it is once the Service has changed: what comes next in the same pass may rely on it."""
    observed = fleet.observed
    if not pointing:
        return fleet
    for change in pointing:
        if observed.service is not None:
            spec = {**observed.service.get("spec", {}), **change.manifest["spec"]}
            observed = replace(observed, service={**observed.service, "spec": spec})
    return replace(fleet, observed=observed)


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


def _rolling_back(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the change that shares the traffic of a bad revision with the good one, or takes the share back."""
    deployment, service = fleet.observed.deployment, fleet.observed.service
    champion, good = shared(deployment, service), partial_rollback.sharing(status, fleet)
    if service is None or (good is None and champion is None):
        return []
    labels = traffic_label.selector(deployment, good.revision) if good else selector(deployment, live.revision)
    if leads_to(service, labels):
        return []
    return [Replace(render(deployment, labels, ownership.decided(service), service))]


def _without_candidate(deployment: ModelDeployment, service: Manifest | None) -> Sequence[Action]:
    """Return the change that selects the champion alone, for a candidate that the status has lost."""
    champion = shared(deployment, service)
    if service is None or champion is None:
        return []
    return [Replace(render(deployment, selector(deployment, champion), ownership.decided(service), service))]


def _is_up_to_date(service: Manifest, labels: Mapping[str, str], decided: str) -> bool:
    said = ownership.written(service) in ("", ownership.digest(dict(labels)))
    return said and leads_to(service, labels) and ownership.decided(service) == decided
