"""Frozen pod templates: a ControllerRevision for each revision that may have to serve again.

The spec, the store and the default image change; the pod template that a revision was proven with does not. Its
Deployment has that template, but a Deployment can be deleted. The ControllerRevision outlives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core import names
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.traffic import traffic_label
from steadfit.core.types import Action, Create, Delete, Manifest

from .revision import Rendering, render

KIND = "ControllerRevision"
POD_TEMPLATE_LOST: Final = "PodTemplateLost"
"""The live revision cannot be started again: nothing is left of its pod template."""


def of_revision(ref: RevisionRef, fleet: Fleet) -> Rendering | Problem:
    """Return the pod template of a revision: the frozen one, or else what its version renders to.

    A version may render to another revision by now. Without a frozen template that one is gone.
    """
    frozen = fleet.frozen_template(ref.revision)
    if frozen is not None:
        return Rendering(frozen["data"]["template"], ref.template_digest, ref.revision, ref.inputs_digest)
    version = fleet.version_of(ref)
    if version is None:
        return Problem("VersionNotFound", f"ModelVersion {ref.version} was deleted as well")
    rendering = render(version, fleet)
    if isinstance(rendering, Problem):
        return rendering
    if rendering.revision != ref.revision:
        return Problem(POD_TEMPLATE_LOST, "spec.server, its ArtifactStore or the operator has changed since")
    return rendering


def keep(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the creation of the ControllerRevisions that are missing, once their Deployments are observed."""
    actions: list[Action] = []
    for ref in _in_use(status):
        if fleet.frozen_template(ref.revision) is None:
            template = _of_deployment(ref, fleet)
            if template is not None:
                actions.append(Create(manifest(fleet.observed.deployment, ref, template)))
    return actions


def retire(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the deletion of the ControllerRevisions of revisions that are not used and have no Deployment."""
    used = {ref.revision for ref in _in_use(status)} | {found.revision for found in fleet.workloads}
    return [
        Delete(frozen)
        for frozen in fleet.observed.frozen_templates
        if frozen["metadata"].get("labels", {}).get(names.REVISION) not in used
        and "deletionTimestamp" not in frozen["metadata"]
    ]


def manifest(deployment: ModelDeployment, ref: RevisionRef, template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ControllerRevision of a revision. Its labels and annotations are those of the Deployment."""
    return {
        "apiVersion": "apps/v1",
        "kind": KIND,
        "metadata": {
            "name": names.workload_name(deployment.name, ref.revision),
            "namespace": deployment.metadata.namespace,
            "labels": labels_of(deployment, ref),
            "annotations": annotations_of(ref),
            "ownerReferences": [names.owner_reference(deployment)],
        },
        "revision": ref.number,
        "data": {"template": dict(template)},
    }


def labels_of(deployment: ModelDeployment, ref: RevisionRef) -> dict[str, str]:
    """Return the labels by which the objects of a revision are found."""
    return {
        names.MANAGED_BY: names.MANAGER,
        names.MODEL_DEPLOYMENT: deployment.name,
        names.REVISION: ref.revision,
        names.VERSION: str(ref.number),
    }


def annotations_of(ref: RevisionRef) -> dict[str, str]:
    """Return the annotations that identify a revision after the status was lost."""
    inputs = {names.INPUTS_ANNOTATION: ref.inputs_digest} if ref.inputs_digest else {}
    return {names.DIGEST_ANNOTATION: ref.digest, names.TEMPLATE_ANNOTATION: ref.template_digest, **inputs}


def _in_use(status: ModelDeploymentStatus) -> Iterator[RevisionRef]:
    """Yield the revisions that serve, served last, or are being rolled out."""
    seen = set()
    for ref in (status.live, status.last_good, status.candidate):
        if ref is not None and ref.revision not in seen:
            seen.add(ref.revision)
            yield ref


def _of_deployment(ref: RevisionRef, fleet: Fleet) -> Mapping[str, Any] | None:
    """Return the template of a revision's Deployment as the API server has stored it, with its defaults.

    So a later change is told by comparison alone. The traffic label of a former champion is no part of the revision.
    """
    found = fleet.workload(ref.revision)
    template: Manifest | None = found.manifest.get("spec", {}).get("template") if found else None
    if template is None:
        return None
    own = traffic_label.label(ref.revision)
    kept = {
        key: value
        for key, value in template["metadata"].get("labels", {}).items()
        if key == own or not key.startswith(names.TRAFFIC_PREFIX)
    }
    return {**template, "metadata": {**template["metadata"], "labels": kept}}
