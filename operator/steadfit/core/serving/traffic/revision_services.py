"""One Service per revision, for Gateways: an HTTPRoute splits requests over Services, not over pods.

A Service is deleted only after the route has stopped referencing it: a Gateway answers the share of a missing Service
with errors.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core import names
from steadfit.core.serving import ownership
from steadfit.core.serving.fleet import Fleet
from steadfit.core.types import Action, Create, Delete, Manifest, Replace

from .service import leads_to, selector, spec


def existing(fleet: Fleet) -> frozenset[str]:
    """Return the revisions that have a Service that is not being deleted."""
    return frozenset(_revision(one) for one in fleet.observed.services if _exists(one))


def unseen(revisions: Collection[str], fleet: Fleet) -> frozenset[str]:
    """Return those of some revisions whose Service is there and not seen, as it has lost its owner and its labels."""
    name, refused = fleet.observed.deployment.name, fleet.observed.refused_services
    return frozenset(one for one in revisions if names.workload_name(name, one) in refused)


def keep(revisions: Sequence[str], fleet: Fleet) -> Sequence[Action]:
    """Return the changes that give each of these revisions its Service."""
    deployment = fleet.observed.deployment
    services = {_revision(one): one for one in fleet.observed.services}
    actions: list[Action] = []
    for revision in revisions:
        found = services.get(revision)
        if found is None:
            actions.append(Create(render(deployment, revision)))
        elif _exists(found) and not leads_to(found, selector(deployment, revision)):
            actions.append(Replace(render(deployment, revision, found)))
    return actions


def retire(kept: frozenset[str], fleet: Fleet) -> Sequence[Action]:
    """Return the deletions of the Services of all other revisions."""
    return [Delete(one) for one in fleet.observed.services if _exists(one) and _revision(one) not in kept]


def render(deployment: ModelDeployment, revision: str, observed: Manifest | None = None) -> dict[str, Any]:
    """Return the Service of one revision, with uid and resourceVersion of the observed one as preconditions."""
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
            "annotations": {names.WRITTEN_ANNOTATION: ownership.digest(selector(deployment, revision))},
            "ownerReferences": [names.owner_reference(deployment)],
            **(ownership.preconditions(observed) if observed is not None else {}),
        },
        "spec": spec(selector(deployment, revision), observed),
    }


def _revision(service: Manifest) -> str:
    return str(service["metadata"].get("labels", {}).get(names.REVISION, ""))


def _exists(service: Manifest) -> bool:
    return "deletionTimestamp" not in service["metadata"]
