"""Frozen pod templates: a ControllerRevision for each revision that may have to serve again.

The spec, the store and the default image change; the pod template that a revision was proven with does not. Its
Deployment has that template, but a Deployment can be changed and deleted. The ControllerRevision outlives it, and has
what the operator declared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core import names
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.types import Action, Create, Delete

from . import declared_template
from .revision import Rendering, render

KIND = "ControllerRevision"
POD_TEMPLATE_LOST: Final = "PodTemplateLost"
"""The live revision cannot be started again: nothing is left of its pod template."""


def of_revision(ref: RevisionRef, fleet: Fleet) -> Rendering | Problem:
    """Return the pod template of a revision as it was declared, or why nothing in the cluster proves one.

    A version may render to another revision by now. Without a frozen template that one is gone.
    """
    template = fleet.declared.get(ref.revision) or declared_template.of_revision(ref, fleet)
    if template is not None:
        return Rendering(template, ref.template_digest, ref.revision, ref.inputs_digest)
    version = fleet.version_of(ref)
    if version is None:
        return Problem("VersionNotFound", f"ModelVersion {ref.version} was deleted as well")
    rendering = render(version, fleet)
    if isinstance(rendering, Problem):
        return rendering
    return Problem(POD_TEMPLATE_LOST, "spec.server, its ArtifactStore or the operator has changed since")


def keep(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the changes after which each revision in use has a ControllerRevision with its declared template.

    One with another template is deleted first: its data cannot be changed.
    """
    actions: list[Action] = []
    for ref in declared_template.in_use(status):
        frozen, template = fleet.frozen_template(ref.revision), fleet.declared.get(ref.revision)
        if template is None:
            continue
        if frozen is None:
            actions.append(Create(manifest(fleet.observed.deployment, ref, template), is_record=True))
        elif frozen["data"]["template"] != template:
            actions.append(Delete(frozen, is_record=True))
    return actions


def missing(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[RevisionRef]:
    """Return the revisions in use without a ControllerRevision."""
    return [ref for ref in declared_template.in_use(status) if fleet.frozen_template(ref.revision) is None]


def refused(status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return which ControllerRevisions the API server refuses, by its own words; empty if none."""
    refusals, found = fleet.observed.refusals, []
    for ref in missing(status, fleet):
        name = names.workload_name(fleet.observed.deployment.name, ref.revision)
        if name in refusals:
            kept = f"which keeps the pod template of version {ref.number}"
            found.append(f"the API server refuses ControllerRevision {name}, {kept}: {refusals[name]}")
    return "; ".join(found)


def retire(status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the deletion of the ControllerRevisions of revisions that are not used and have no Deployment."""
    used = {ref.revision for ref in declared_template.in_use(status)} | {found.revision for found in fleet.workloads}
    used = {names.workload_name(fleet.observed.deployment.name, revision) for revision in used}
    return [
        Delete(frozen)
        for frozen in fleet.observed.frozen_templates
        if frozen["metadata"]["name"] not in used and "deletionTimestamp" not in frozen["metadata"]
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
    known = {names.INPUTS_ANNOTATION: ref.inputs_digest, names.DECLARED_ANNOTATION: ref.declared_template_digest}
    return {
        names.DIGEST_ANNOTATION: ref.digest,
        names.TEMPLATE_ANNOTATION: ref.template_digest,
        **{name: digest for name, digest in known.items() if digest},
    }
