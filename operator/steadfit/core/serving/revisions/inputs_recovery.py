"""Recovery of the inputs of revisions in a status or in annotations that an earlier operator wrote without them.

Without it an upgrade from that operator would roll every ModelDeployment. A revision has the present inputs if they
render to its template with the server image that its pods have; if they do not, a user has changed them meanwhile.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet

from . import declared_template, pod_inputs
from .revision import template_digest

Ref = TypeVar("Ref", bound=RevisionRef)


def recall(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status with the inputs of its revisions, as far as they can be told."""
    places = {"live": status.live, "last_good": status.last_good, "candidate": status.candidate}
    found = {place: _with_inputs(ref, fleet) for place, ref in places.items() if ref and ref.inputs_digest is None}
    return status.model_copy(update=found) if found else status


def _with_inputs(ref: Ref, fleet: Fleet) -> Ref:
    version, image = fleet.version_of(ref), next(declared_template.server_images(ref.revision, fleet), None)
    store = pod_inputs.store_of(version, fleet) if version else None
    if image is None or store is None or isinstance(store, Problem):
        return ref
    deployment = fleet.observed.deployment
    rendered = template_digest(deployment, store, replace(fleet.observed.platform, server_image=image))
    present = pod_inputs.digest(deployment, store)
    if rendered == ref.template_digest:
        return ref.model_copy(update={"inputs_digest": present})
    if rendered == ref.asked_template_digest:
        return ref.model_copy(update={"asked_inputs_digest": present})
    return ref
