"""Whose the objects are that a ModelDeployment needs: its own, ones that it adopts, or those of someone else.

A restore, or a deletion that leaves the children behind, takes the owner from objects that the operator has made. As
Kubernetes' own controllers do, it adopts what has its labels and no other controller. What has neither its owner nor
its labels belongs to someone else, whatever its name is.
"""

from __future__ import annotations

import json
from typing import Any

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core import names
from steadfit.core.types import Manifest


def is_owned(deployment: ModelDeployment, manifest: Manifest) -> bool:
    """Return whether a ModelDeployment is the controller of an object."""
    owner = names.controller_of(manifest)
    return owner is not None and owner["uid"] == deployment.uid


def is_adoptable(deployment: ModelDeployment, manifest: Manifest) -> bool:
    """Return whether an object was made for a ModelDeployment of this name, and nobody owns it now.

    One whose owner is an earlier ModelDeployment of the name is about to be deleted with it.
    """
    labels = manifest["metadata"].get("labels", {})
    ours = labels.get(names.MANAGED_BY) == names.MANAGER and labels.get(names.MODEL_DEPLOYMENT) == deployment.name
    return ours and names.controller_of(manifest) is None


def is_foreign(deployment: ModelDeployment, manifest: Manifest | None) -> bool:
    """Return whether an object is someone else's."""
    return manifest is not None and not is_owned(deployment, manifest) and not is_adoptable(deployment, manifest)


def metadata(deployment: ModelDeployment, decided: str, written: str, observed: Manifest | None) -> dict[str, Any]:
    """Return the metadata of an object that follows a decision, with the observed one's preconditions."""
    return {
        "name": deployment.name,
        "namespace": deployment.metadata.namespace,
        "labels": {names.MANAGED_BY: names.MANAGER, names.MODEL_DEPLOYMENT: deployment.name},
        "annotations": {names.DECIDED_ANNOTATION: decided, names.WRITTEN_ANNOTATION: written},
        "ownerReferences": [names.owner_reference(deployment)],
        **(preconditions(observed) if observed is not None else {}),
    }


def preconditions(observed: Manifest) -> dict[str, Any]:
    """Return the uid and resourceVersion that an apply must find unchanged."""
    return {key: observed["metadata"][key] for key in ("uid", "resourceVersion")}


def digest(value: Any) -> str:
    """Return the digest of what is written, for the annotation."""
    return names.short_hash(json.dumps(value, sort_keys=True))


def written(manifest: Manifest) -> str:
    """Return the digest of what the operator wrote last; empty without the annotation."""
    return str(manifest["metadata"].get("annotations", {}).get(names.WRITTEN_ANNOTATION, ""))


def decided(manifest: Manifest) -> str:
    """Return the time of the decision that an object follows; empty without the annotation."""
    return str(manifest["metadata"].get("annotations", {}).get(names.DECIDED_ANNOTATION, ""))
