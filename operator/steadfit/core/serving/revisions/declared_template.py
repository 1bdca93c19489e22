"""The pod template of a revision as the operator declared it, never as it happens to stand in the cluster.

Anyone may change a Deployment before the operator looks: an edit, a policy at admission. So a template counts only if
its digest is the one in the status. It is that of the ControllerRevision, or what the version renders to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core import names
from steadfit.core.serving.fleet import Fleet

from .revision import Rendering, declared_digest, render


def recall(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status with the digests that an earlier operator did not write.

    Where its version still renders to the revision, the rendered template is the declared one; else it is the one in
    its ControllerRevision, which that operator had copied from the Deployment.
    """
    places = {"live": status.live, "last_good": status.last_good, "candidate": status.candidate}
    found: dict[str, RevisionRef] = {}
    for place, ref in places.items():
        if ref is not None and ref.declared_template_digest is None:
            template = _rendered(ref, fleet) or _kept(ref.revision, fleet)
            if template is not None:
                found[place] = ref.model_copy(update={"declared_template_digest": declared_digest(template)})
    return status.model_copy(update=found) if found else status


def known(status: ModelDeploymentStatus, fleet: Fleet) -> Mapping[str, Mapping[str, Any]]:
    """Return the declared templates, by revision.

    A revision that the status does not name any more is on its way out: what its ControllerRevision has will do.
    """
    found = {one.revision: _kept(one.revision, fleet) for one in fleet.workloads}
    found |= {ref.revision: of_revision(ref, fleet) for ref in in_use(status)}
    return {revision: template for revision, template in found.items() if template is not None}


def of_revision(ref: RevisionRef, fleet: Fleet) -> Mapping[str, Any] | None:
    """Return the declared template of a revision; None if nothing in the cluster proves one."""
    kept = _kept(ref.revision, fleet)
    if kept is not None and _is_proven(kept, ref):
        return kept
    rendered = _rendered(ref, fleet)
    return rendered if rendered is not None and _is_proven(rendered, ref) else None


def is_known(ref: RevisionRef, fleet: Fleet) -> bool:
    """Return whether something in the cluster proves the template of a revision, even if the status lacks it."""
    return ref.revision in fleet.declared or of_revision(ref, fleet) is not None


def in_use(status: ModelDeploymentStatus) -> Iterator[RevisionRef]:
    """Yield the revisions that serve, served last, or are being rolled out."""
    seen = set()
    for ref in (status.live, status.last_good, status.candidate):
        if ref is not None and ref.revision not in seen:
            seen.add(ref.revision)
            yield ref


def _is_proven(template: Mapping[str, Any], ref: RevisionRef) -> bool:
    return ref.declared_template_digest in (None, declared_digest(template))


def server_images(revision: str, fleet: Fleet) -> Iterator[str]:
    """Yield the images that stand in what is left of a revision's pod template."""
    found = fleet.workload(revision)
    for template in (_kept(revision, fleet), found.manifest["spec"]["template"] if found else None):
        containers = template["spec"]["containers"] if template else []
        yield from (str(one["image"]) for one in containers if one["name"] == names.SERVER_CONTAINER)


def _kept(revision: str, fleet: Fleet) -> Mapping[str, Any] | None:
    frozen = fleet.frozen_template(revision)
    return frozen["data"]["template"] if frozen else None


def _rendered(ref: RevisionRef, fleet: Fleet) -> Mapping[str, Any] | None:
    """Return what the version of a revision renders to, if that is the revision; None if it is another one by now.

    After an upgrade the server image that its pods have may be the default of the operator that declared them; the
    digest tells whether it is.
    """
    version = fleet.version_of(ref)
    for image in (None, *server_images(ref.revision, fleet)):
        rendering = render(version, fleet, image) if version else None
        same = isinstance(rendering, Rendering) and rendering.template_digest == ref.template_digest
        if isinstance(rendering, Rendering) and same and rendering.revision == ref.revision:
            return rendering.template
    return None
