"""What serves is found again after a lost status: the Service still points at it, and its Deployment says what it is.

Otherwise the newest version would take over as in an empty cluster, compared with nothing, and what was tried beside
the champion a moment ago would be let through unjudged.
"""

from __future__ import annotations

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core import names
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.traffic import service
from steadfit.core.text import read_time


def live(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status with the revision live that the Service points at, if nothing else is known to be."""
    observed = fleet.observed
    if status.live is not None:
        return status
    revision = service.selected_revision(observed.deployment, observed.service)
    found = _read(revision, fleet) if revision and fleet.has_deployment(revision) else None
    if found is None or is_quarantined(found, status, fleet):
        return status
    return status.model_copy(update={"live": found})


def _read(revision: str, fleet: Fleet) -> RevisionRef | None:
    """Return a revision as its Deployment was labelled when it was made; None if that does not tell enough."""
    workload = fleet.workload(revision)
    if workload is None:
        return None
    metadata = workload.manifest["metadata"]
    labels, annotations = metadata.get("labels", {}), metadata.get("annotations", {})
    digest, template = annotations.get(names.DIGEST_ANNOTATION), annotations.get(names.TEMPLATE_ANNOTATION)
    named = [
        version
        for version in fleet.observed.versions
        if str(version.spec.number) == labels.get(names.VERSION) and version.spec.artifact.digest == digest
    ]
    since = read_time(annotations.get(names.DECIDED_ANNOTATION)) or read_time(metadata.get("creationTimestamp"))
    if not named or not template or since is None:
        return None
    (version,) = named[:1]
    if names.short_hash(version.spec.artifact.digest, template) != revision:
        return None
    return RevisionRef(
        revision=revision,
        version=version.name,
        number=version.spec.number,
        digest=version.spec.artifact.digest,
        template_digest=template,
        since=since,
    )
