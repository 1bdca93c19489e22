"""The Service of a ModelDeployment: its selector is the whole switch of traffic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef

from . import mix, names
from .fleet import Fleet
from .quarantine import is_barred
from .types import Action, Apply, Create, Manifest

PORTS = ({"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"},)


def url(deployment: ModelDeployment) -> str:
    """Return the address of the Service inside the cluster."""
    return f"http://{deployment.name}.{deployment.metadata.namespace}.svc"


def selector(deployment: ModelDeployment, revision: str) -> dict[str, str]:
    """Return the labels that the pods of one revision carry, and no others do."""
    return {names.MODEL_DEPLOYMENT: deployment.name, names.REVISION: revision}


def is_foreign(deployment: ModelDeployment, service: Manifest | None) -> bool:
    """Return whether a Service of this name belongs to someone else."""
    if service is None:
        return False
    owners = service["metadata"].get("ownerReferences", [])
    return not any(owner.get("controller") and owner["uid"] == deployment.uid for owner in owners)


def selected_revision(deployment: ModelDeployment, service: Manifest | None) -> str | None:
    """Return the revision that our Service points at, if there is one; while it shares its traffic, the champion."""
    chosen = _chosen(deployment, service)
    revision = chosen.get(names.REVISION)
    if revision:
        return revision if chosen == selector(deployment, revision) else None
    return mix.champion_of(deployment, chosen)


def shared(deployment: ModelDeployment, service: Manifest | None) -> str | None:
    """Return the champion whose traffic our Service shares out; None while it points at one revision."""
    return mix.champion_of(deployment, _chosen(deployment, service))


def taking_traffic(fleet: Fleet) -> frozenset[str]:
    """Return the revisions whose pods our Service selects: one, or a champion and its candidate."""
    observed = fleet.observed
    selected = selected_revision(observed.deployment, observed.service)
    if selected is None:
        return frozenset()
    champion = shared(observed.deployment, observed.service)
    return frozenset({selected}) | (mix.members(champion, fleet) if champion else frozenset())


def _chosen(deployment: ModelDeployment, service: Manifest | None) -> Mapping[str, str]:
    if service is None or is_foreign(deployment, service):
        return {}
    return service.get("spec", {}).get("selector") or {}


def decided_at(ref: RevisionRef) -> dict[str, str]:
    """Return the annotation that ties a Service or Deployment to the decision for a revision."""
    return {names.DECIDED_ANNOTATION: str(ref.dump()["since"])}


def render(deployment: ModelDeployment, live: RevisionRef, observed: Manifest | None) -> dict[str, Any]:
    """Return the Service; fenced by uid and resourceVersion of the observed one."""
    metadata: dict[str, Any] = {
        "name": deployment.name,
        "namespace": deployment.metadata.namespace,
        "labels": {names.MANAGED_BY: names.MANAGER, names.MODEL_DEPLOYMENT: deployment.name},
        "annotations": decided_at(live),
        "ownerReferences": [names.owner_reference(deployment)],
    }
    if observed is not None:
        metadata |= {key: observed["metadata"][key] for key in ("uid", "resourceVersion")}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "type": "ClusterIP",
            "selector": selector(deployment, live.revision),
            "ports": [dict(port) for port in PORTS],
        },
    }


def _as_rendered(service: Manifest, live: RevisionRef, deployment: ModelDeployment) -> bool:
    spec, annotations = service.get("spec", {}), service["metadata"].get("annotations", {})
    ports = [{key: port.get(key) for key in PORTS[0]} for port in spec.get("ports", [])]
    if spec.get("selector") != selector(deployment, live.revision) or ports != list(PORTS):
        return False
    return bool(decided_at(live).items() <= annotations.items())


def point(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return what points the Service at the live revision, the only one it is ever pointed at.

    A Service that is missing is created, never applied: a create cannot take over somebody else's. An existing one
    moves once every pod of the live revision is ready, as long as the pods behind it still answer.
    """
    deployment, service, live = fleet.observed.deployment, fleet.observed.service, status.live
    if live is None or is_barred(live, status, fleet):
        return []
    if service is None:
        return [Create(render(deployment, live, None))]
    if is_foreign(deployment, service) or "deletionTimestamp" in service["metadata"]:
        return []
    if _as_rendered(service, live, deployment):
        return []
    before = selected_revision(deployment, service)
    if before != live.revision and fleet.ready(before) > 0 and not fleet.complete(live.revision):
        return []
    return [Apply(render(deployment, live, service))]
