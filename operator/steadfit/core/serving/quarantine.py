"""Quarantine: what was rolled back never takes traffic again until it is released."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion, ModelVersionStatus, Quarantine
from steadfit.api.rollout import QuarantineEntry, RevisionRef
from steadfit.core.text import cut

from .fleet import Fleet

LONGEST = 128
"""Entries that are kept; the version objects remember the digests of older ones."""


def remembered(status: ModelVersionStatus) -> list[Quarantine]:
    """Return what a version itself knows of the ModelDeployments that keep it from traffic."""
    first = [status.quarantine] if status.quarantine else []
    return [*first, *status.quarantine_elsewhere]


def _quarantines_version(version: ModelVersion, status: ModelDeploymentStatus, deployment: str) -> bool:
    """Return whether a version may not be served by the ModelDeployment of this name, whatever its pods look like.

    The deployment's own entries decide; the version's status still knows after the deployment's was lost. What the
    version remembers of a time before it was released here is not believed any more.
    """
    digest = version.spec.artifact.digest
    if any(entry.digest == digest for entry in status.quarantine):
        return True
    freed = max((item.at for item in status.released if item.digest == digest), default=None)
    return any(
        item.deployment == deployment and (freed is None or item.at > freed) for item in remembered(version.status)
    )


def _quarantines(
    ref: RevisionRef, version: ModelVersion | None, status: ModelDeploymentStatus, deployment: str
) -> bool:
    """Return whether a revision may not be served by the ModelDeployment of this name; `version` is what it serves."""
    if any(ref.revision == entry.revision or ref.digest == entry.digest for entry in status.quarantine):
        return True
    return version is not None and _quarantines_version(version, status, deployment)


def is_version_quarantined(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a version may not be served here whatever its pods look like."""
    return _quarantines_version(version, status, fleet.observed.deployment.name)


def is_quarantined(ref: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a revision may not be served here, by itself or because its version may not."""
    return _quarantines(ref, fleet.version_named(ref.version), status, fleet.observed.deployment.name)


def is_quarantined_by(deployment: ModelDeployment, ref: RevisionRef, versions: Sequence[ModelVersion]) -> bool:
    """Return whether a ModelDeployment that is seen from elsewhere may not serve a revision."""
    found = next((version for version in versions if version.name == ref.version), None)
    return _quarantines(ref, found, deployment.status, deployment.name)


def highest_rolled_back(status: ModelDeploymentStatus) -> int:
    """Return the highest version number that was rolled back, released or not; 0 if none was.

    A release lets a version back that a person asks for; by itself nothing that old comes back.
    """
    rolled_back = [entry.number for entry in status.quarantine]
    return max([0, *rolled_back, *(item.number for item in status.released)])


def enter(
    status: ModelDeploymentStatus, bad: RevisionRef, good: RevisionRef, *, reason: str, by: str, now: datetime
) -> ModelDeploymentStatus:
    """Return the status with `bad` in quarantine.

    Its digest is barred too when `good` ran from the same pod template: then only the model had changed. With
    another template the server may be to blame, and the same model may come back with a better one.
    """
    if any(entry.revision == bad.revision for entry in status.quarantine):
        return status
    digest = bad.digest if bad.template_digest == good.template_digest and bad.digest != good.digest else None
    entry = QuarantineEntry(
        revision=bad.revision,
        version=bad.version,
        number=bad.number,
        digest=digest,
        reason=cut(reason),
        by=by,
        at=now,
    )
    return status.model_copy(update={"quarantine": [*status.quarantine, entry][-LONGEST:]})
