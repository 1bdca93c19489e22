"""A revision: a version together with the pod template that serves it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import RevisionRef
from steadfit.core import names
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.store_access import settings
from steadfit.core.store_choice import by_name

from . import pod_template

STORE_NOT_USABLE: Final = "StoreNotUsable"


@dataclass(frozen=True, slots=True)
class Rendering:
    """A version rendered with the current spec and installation.

    Attributes
    ----------
    template
        The pod template of the revision's Deployment.
    template_digest
        Digest of the pod template without the fields that differ between versions.
    revision
        Hash of the artifact's digest and the template's digest.
    """

    template: Mapping[str, Any]
    template_digest: str
    revision: str


def render(version: ModelVersion, fleet: Fleet) -> Rendering | Problem:
    """Return a version rendered with the current spec, or why that cannot be done.

    The revision stays the same until spec.server, the default image or the version's store changes. The new revision
    then needs a rollout like any other.
    """
    observed = fleet.observed
    store = by_name(version.spec.store_ref.name, observed.stores)
    if isinstance(store, str):
        return Problem(STORE_NOT_USABLE, f"version {version.spec.number} cannot be fetched: {store}")
    base = pod_template.template(observed.deployment, store, observed.platform)
    template_digest = _digest([base, settings(store)])
    revision = revision_name(version, template_digest)
    return Rendering(pod_template.complete(base, version, revision, store), template_digest, revision)


def revision_name(version: ModelVersion, template_digest: str) -> str:
    """Return the name of the revision that serves a version with a pod template.

    A duplicate has a revision of its own, or the pods of the older version would answer and be measured under the
    older number.
    """
    own = [str(version.spec.number)] if version.spec.duplicate_of else []
    return names.short_hash(version.spec.artifact.digest, template_digest, *own)


def as_ref(version: ModelVersion, rendering: Rendering, now: datetime) -> RevisionRef:
    """Return a rendered revision for the status."""
    return RevisionRef(
        revision=rendering.revision,
        version=version.name,
        number=version.spec.number,
        digest=version.spec.artifact.digest,
        template_digest=rendering.template_digest,
        since=now,
    )


def _digest(content: object) -> str:
    """Return the SHA-256 of the content as canonical JSON."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
