"""Whose an object is: a name may be taken by somebody else before a child is made."""

from __future__ import annotations

from steadfit.api.modeldeployment import ModelDeployment

from .types import Manifest


def is_foreign(deployment: ModelDeployment, manifest: Manifest | None) -> bool:
    """Return whether an object of a name that a ModelDeployment needs belongs to someone else."""
    if manifest is None:
        return False
    owners = manifest["metadata"].get("ownerReferences", [])
    return not any(owner.get("controller") and owner["uid"] == deployment.uid for owner in owners)
