"""Quarantine: a revision that was rolled back takes no traffic until it is released."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion, ModelVersionStatus, Quarantine
from steadfit.api.rollout import QuarantineEntry, Released, RevisionRef
from steadfit.core import names
from steadfit.core.text import cut
from steadfit.core.times_ahead import is_after

from .fleet import Fleet, version_of


def quarantines_of(status: ModelVersionStatus) -> list[Quarantine]:
    """Return the quarantines in a version's own status, one for each ModelDeployment that rolled it back."""
    first = [status.quarantine] if status.quarantine else []
    return [*first, *status.quarantine_elsewhere]


def _quarantines_version(version: ModelVersion, status: ModelDeploymentStatus, deployment: str) -> bool:
    """Return whether a version is in quarantine at the ModelDeployment of this name, with any pod template.

    The deployment's entries decide, and after its status was lost those of the version. A release here ends the older
    quarantines in the version's status.
    """
    digest = version.spec.artifact.digest
    if any(entry.digest == digest for entry in status.quarantine):
        return True
    released = max((item.at for item in status.released if item.digest == digest), default=None)
    return any(
        item.deployment == deployment and (released is None or is_after(item.at, released))
        for item in quarantines_of(version.status)
    )


def _quarantines(
    ref: RevisionRef, version: ModelVersion | None, status: ModelDeploymentStatus, deployment: str
) -> bool:
    """Return whether a revision, or its version, is in quarantine at the ModelDeployment of this name."""
    if any(_is_of(entry, ref) for entry in status.quarantine):
        return True
    return version is not None and _quarantines_version(version, status, deployment)


def _is_of(entry: QuarantineEntry, ref: RevisionRef) -> bool:
    same = (ref.digest, ref.template_digest)
    return (
        ref.revision == entry.revision or ref.digest == entry.digest or same == (entry.artifact, entry.template_digest)
    )


def is_version_quarantined(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a version is in quarantine here, with any pod template."""
    return _quarantines_version(version, status, fleet.observed.deployment.name)


def is_quarantined(ref: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a revision, or its version, is in quarantine here."""
    return _quarantines(ref, fleet.version_of(ref), status, fleet.observed.deployment.name)


def entry_of(ref: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> QuarantineEntry | Quarantine | None:
    """Return the first quarantine here of a revision, or of its version; None if it is not in quarantine."""
    version, name = fleet.version_of(ref), fleet.observed.deployment.name
    found: list[QuarantineEntry | Quarantine] = [entry for entry in status.quarantine if _is_of(entry, ref)]
    if not found and version is not None and is_version_quarantined(version, status, fleet):
        found = [item for item in quarantines_of(version.status) if item.deployment == name]
    return min(found, key=lambda entry: entry.at, default=None)


def author_of(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> str | None:
    """Return who or what has quarantined a version here first, with any pod template; None if nobody has."""
    digest, name = version.spec.artifact.digest, fleet.observed.deployment.name
    found = [(entry.at, entry.by) for entry in status.quarantine if entry.digest == digest]
    found += [(item.at, item.by) for item in quarantines_of(version.status) if item.deployment == name]
    return min(found)[1] if found else None


def is_revision_quarantined(revision: str, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a revision, or the artifact that its Deployment serves, is in quarantine here."""
    found = fleet.workload(revision)
    annotations = found.manifest["metadata"].get("annotations", {}) if found else {}
    digest, template = annotations.get(names.DIGEST_ANNOTATION), annotations.get(names.TEMPLATE_ANNOTATION)
    if any(
        entry.revision == revision or (digest and (digest, template) == (entry.artifact, entry.template_digest))
        for entry in status.quarantine
    ):
        return True
    served = fleet.known_versions.of_artifact(digest) if digest else ()
    return any(is_version_quarantined(version, status, fleet) for version in served)


def is_quarantined_by(deployment: ModelDeployment, ref: RevisionRef, versions: Sequence[ModelVersion]) -> bool:
    """Return whether a revision, or its version, is in quarantine at another ModelDeployment."""
    return _quarantines(ref, version_of(ref, versions), deployment.status, deployment.name)


def is_removed(item: Released, fleet: Fleet) -> bool:
    """Return whether a released quarantine is removed everywhere, the note in the store included."""
    version, name = fleet.version_of(item), fleet.observed.deployment.name
    if version is None:
        return True
    return any(known.deployment == name and known.at >= item.at for known in version.status.releases)


def enter(
    status: ModelDeploymentStatus, bad: RevisionRef, good: RevisionRef, *, reason: str, by: str, now: datetime
) -> ModelDeploymentStatus:
    """Return the status with the revision `bad` in quarantine.

    Its artifact is in quarantine too if `good` has the same pod template, as only the model differs then. With another
    template the server may be the cause, and the same model may be served again by another template.
    """
    if any(entry.revision == bad.revision for entry in status.quarantine):
        return status
    digest = bad.digest if bad.template_digest == good.template_digest and bad.digest != good.digest else None
    entry = QuarantineEntry(
        revision=bad.revision,
        version=bad.version,
        number=bad.number,
        digest=digest,
        artifact=bad.digest,
        template_digest=bad.template_digest,
        inputs_digest=bad.inputs_digest,
        reason=cut(reason),
        by=by,
        at=now,
    )
    return status.model_copy(update={"quarantine": [*status.quarantine, entry]})
