"""One Service a revision, for Gateways: an HTTPRoute shares requests out among Services, not among pods.

They go when their revision has no place in the traffic any more, after the route has ceased to name them: a route that
names a Service that is not there answers its share with errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core import names
from steadfit.core.serving import ownership
from steadfit.core.serving.fleet import Fleet
from steadfit.core.types import Action, Apply, Create, Delete, Manifest

from .service import PORTS, selector


def existing(fleet: Fleet) -> frozenset[str]:
    """Return the revisions that have a Service which stays."""
    return frozenset(_revision(one) for one in fleet.observed.services if _exists(one))


def keep(revisions: Sequence[str], fleet: Fleet) -> Sequence[Action]:
    """Return what gives every one of these revisions its Service."""
    deployment = fleet.observed.deployment
    found = {_revision(one): one for one in fleet.observed.services}
    actions: list[Action] = []
    for revision in revisions:
        there = found.get(revision)
        if there is None:
            actions.append(Create(render(deployment, revision)))
        elif _exists(there) and not _is_up_to_date(deployment, revision, there):
            wished = render(deployment, revision)
            actions.append(Apply({**wished, "metadata": {**wished["metadata"], **ownership.fences(there)}}))
    return actions


def retire(kept: frozenset[str], fleet: Fleet) -> Sequence[Action]:
    """Return what deletes the Services of all other revisions."""
    return [Delete(one) for one in fleet.observed.services if _exists(one) and _revision(one) not in kept]


def render(deployment: ModelDeployment, revision: str) -> dict[str, Any]:
    """Return the Service of one revision."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": names.workload_name(deployment.name, revision),
            "namespace": deployment.metadata.namespace,
            "labels": {
                names.MANAGED_BY: names.MANAGER,
                names.MODEL_DEPLOYMENT: deployment.name,
                names.REVISION: revision,
            },
            "ownerReferences": [names.owner_reference(deployment)],
        },
        "spec": {
            "type": "ClusterIP",
            "selector": selector(deployment, revision),
            "ports": [dict(port) for port in PORTS],
        },
    }


def _revision(service: Manifest) -> str:
    return str(service["metadata"].get("labels", {}).get(names.REVISION, ""))


def _exists(service: Manifest) -> bool:
    return "deletionTimestamp" not in service["metadata"]


def _is_up_to_date(deployment: ModelDeployment, revision: str, service: Manifest) -> bool:
    spec = service.get("spec", {})
    ports = [{key: port.get(key) for key in PORTS[0]} for port in spec.get("ports", [])]
    return spec.get("selector") == selector(deployment, revision) and ports == list(PORTS)
