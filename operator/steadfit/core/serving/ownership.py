"""Objects of a ModelDeployment's own name, and whose one is: a name may be taken by somebody else before it is made."""

from __future__ import annotations

from typing import Any

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core import names
from steadfit.core.types import Manifest


def is_foreign(deployment: ModelDeployment, manifest: Manifest | None) -> bool:
    """Return whether an object of a name that a ModelDeployment needs belongs to someone else."""
    if manifest is None:
        return False
    owners = manifest["metadata"].get("ownerReferences", [])
    return not any(owner.get("controller") and owner["uid"] == deployment.uid for owner in owners)


def metadata(deployment: ModelDeployment, decided: str, observed: Manifest | None) -> dict[str, Any]:
    """Return the metadata of an object that follows a decision; fenced by what was observed of it."""
    return {
        "name": deployment.name,
        "namespace": deployment.metadata.namespace,
        "labels": {names.MANAGED_BY: names.MANAGER, names.MODEL_DEPLOYMENT: deployment.name},
        "annotations": {names.DECIDED_ANNOTATION: decided},
        "ownerReferences": [names.owner_reference(deployment)],
        **(fences(observed) if observed is not None else {}),
    }


def fences(observed: Manifest) -> dict[str, Any]:
    """Return what an apply must find unchanged: the object, and its state."""
    return {key: observed["metadata"][key] for key in ("uid", "resourceVersion")}


def decided(manifest: Manifest) -> str:
    """Return the decision that an object follows; empty when it follows none."""
    return str(manifest["metadata"].get("annotations", {}).get(names.DECIDED_ANNOTATION, ""))
