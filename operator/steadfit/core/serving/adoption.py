"""Adoption: an object of ours that has lost its owner, or the labels by which it is found, gets them back.

Until then it is ours all the same: nothing that serves is taken down, or made a second time, for want of an owner.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from steadfit.core import names
from steadfit.core.types import Action, Adopt, Manifest

from .fleet import Fleet
from .ownership import is_adoptable, is_owned


def adopt(fleet: Fleet) -> list[Action]:
    """Return the changes of the objects that have lost their owner or their labels."""
    return list(_changes(fleet))


def _changes(fleet: Fleet) -> Iterator[Action]:
    observed = fleet.observed
    deployment = observed.deployment
    common = {names.MANAGED_BY: names.MANAGER, names.MODEL_DEPLOYMENT: deployment.name}
    expected = [
        *((found, common) for found in (observed.service, observed.route) if found is not None),
        *((found, common) for found in observed.services),
        *((found.manifest, {**common, **_of_pods(found.manifest)}) for found in fleet.workloads),
        *((found, common) for found in observed.frozen_templates),
    ]
    for manifest, labels in expected:
        if "deletionTimestamp" in manifest["metadata"]:
            continue
        found = manifest["metadata"].get("labels", {})
        complete = all(found.get(key) == value for key, value in labels.items())
        owned = is_owned(deployment, manifest)
        if (owned and not complete) or (not owned and is_adoptable(deployment, manifest)):
            yield Adopt(_adopted(manifest, labels, names.owner_reference(deployment)))


def _of_pods(manifest: Manifest) -> Mapping[str, str]:
    """Return the labels of a revision, which its pods have too."""
    labels = manifest.get("spec", {}).get("template", {}).get("metadata", {}).get("labels", {})
    return {key: labels[key] for key in (names.REVISION, names.VERSION) if key in labels}


def _adopted(manifest: Manifest, labels: Mapping[str, str], owner: Mapping[str, object]) -> dict[str, Any]:
    metadata = manifest["metadata"]
    others = [one for one in metadata.get("ownerReferences", []) if not one.get("controller")]
    fenced = {key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion")}
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": {**fenced, "labels": dict(labels), "ownerReferences": [*others, dict(owner)]},
    }
