"""Recovery of the live revision after the status was lost, from the Service's selector and the Deployment's labels.

Without it the newest version would take over as in an empty cluster, without a comparison, and a candidate of a canary
would be promoted without a verdict.
"""

from __future__ import annotations

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core import names
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.traffic import service
from steadfit.core.text import read_time

from .revision import revision_name


def live(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status with the revision that the Service selects as the live one, if the status has none."""
    observed = fleet.observed
    if status.live is not None:
        return status
    revision = service.selected_revision(observed.deployment, observed.service)
    found = _read(revision, fleet) if revision else None
    if found is None or is_quarantined(found, status, fleet):
        return status
    return status.model_copy(update={"live": found})


def _read(revision: str, fleet: Fleet) -> RevisionRef | None:
    """Return a revision from the labels and annotations of its Deployment, or else of its frozen template.

    None if they do not identify it.
    """
    workload = fleet.workload(revision) if fleet.has_deployment(revision) else None
    manifest = workload.manifest if workload else fleet.frozen_template(revision)
    if manifest is None:
        return None
    metadata = manifest["metadata"]
    labels, annotations = metadata.get("labels", {}), metadata.get("annotations", {})
    digest, template = annotations.get(names.DIGEST_ANNOTATION), annotations.get(names.TEMPLATE_ANNOTATION)
    named = [
        version
        for version in fleet.versions.of_artifact(digest or "")
        if str(version.spec.number) == labels.get(names.VERSION)
    ]
    since = read_time(annotations.get(names.DECIDED_ANNOTATION)) or read_time(metadata.get("creationTimestamp"))
    if not named or not template or since is None:
        return None
    (version,) = named[:1]
    if revision_name(version, template) != revision:
        return None
    return RevisionRef(
        revision=revision,
        version=version.name,
        number=version.spec.number,
        digest=version.spec.artifact.digest,
        template_digest=template,
        declared_template_digest=annotations.get(names.DECLARED_ANNOTATION),
        inputs_digest=annotations.get(names.INPUTS_ANNOTATION),
        since=since,
    )
