"""A revision: a version together with the pod template that serves it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import RevisionRef
from steadfit.core import names
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.store_access import settings
from steadfit.core.types import Platform

from . import pod_inputs, pod_template


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
    inputs_digest
        Digest of what users have chosen for the pods; None if it is not known.
    """

    template: Mapping[str, Any]
    template_digest: str
    revision: str
    inputs_digest: str | None = None


def render(version: ModelVersion, fleet: Fleet, server_image: str | None = None) -> Rendering | Problem:
    """Return a version rendered with the current spec, or why that cannot be done.

    An operator that renders other pods gives another revision, which needs a rollout like any other. It is chosen when
    the version or the inputs change; an upgrade alone rolls nothing (`lookup.py`). `server_image` replaces the default
    image of the operator.
    """
    deployment, store = fleet.observed.deployment, pod_inputs.store_of(version, fleet)
    if isinstance(store, Problem):
        return store
    platform = fleet.observed.platform
    base = pod_template.template(
        deployment, store, replace(platform, server_image=server_image or platform.server_image)
    )
    digest = _digest([base, settings(store)])
    revision = revision_name(version, digest)
    template = pod_template.complete(base, version, revision, store)
    return Rendering(template, digest, revision, pod_inputs.digest(deployment, store))


def template_digest(deployment: ModelDeployment, store: ArtifactStore, platform: Platform) -> str:
    """Return the digest of the pod template that an operator with these settings renders."""
    return _digest([pod_template.template(deployment, store, platform), settings(store)])


def declared_digest(template: Mapping[str, Any]) -> str:
    """Return the digest of a whole pod template as it is declared."""
    return _digest(template)


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
        declared_template_digest=declared_digest(rendering.template),
        inputs_digest=rendering.inputs_digest,
        since=now,
    )


def _digest(content: object) -> str:
    """Return the SHA-256 of the content as canonical JSON."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
