"""Ownership of the Service and HTTPRoute of a ModelDeployment's name, which another owner may have created first."""

from __future__ import annotations

import json
from typing import Any

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core import names
from steadfit.core.types import Manifest


def is_foreign(deployment: ModelDeployment, manifest: Manifest | None) -> bool:
    """Return whether an object of a ModelDeployment's name has another controller, or none."""
    if manifest is None:
        return False
    owners = manifest["metadata"].get("ownerReferences", [])
    return not any(owner.get("controller") and owner["uid"] == deployment.uid for owner in owners)


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
