"""Quarantine: what was rolled back never takes traffic again until it is released."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import QuarantineEntry, RevisionRef

from .fleet import Fleet

LONGEST = 128
"""Entries that are kept; the version objects remember the digests of older ones."""


def is_version_barred(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a version may not be served here whatever its pods look like.

    The deployment's own entries decide; the version's status still knows after the deployment's was lost.
    """
    digest = version.spec.artifact.digest
    if any(entry.digest == digest for entry in status.quarantine):
        return True
    remembered = version.status.quarantine
    return remembered is not None and remembered.deployment == fleet.observed.deployment.name


def is_barred(ref: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a revision may not be served here, by itself or because its version may not."""
    if any(ref.revision == entry.revision or ref.digest == entry.digest for entry in status.quarantine):
        return True
    version = fleet.version_named(ref.version)
    return version is not None and is_version_barred(version, status, fleet)


def highest_number(status: ModelDeploymentStatus) -> int:
    """Return the highest version number that was rolled back; 0 if none was."""
    return max((entry.number for entry in status.quarantine), default=0)


def enter(
    status: ModelDeploymentStatus, bad: RevisionRef, good: RevisionRef, *, reason: str, by: str, now: datetime
) -> ModelDeploymentStatus:
    """Return the status with `bad` in quarantine.

    Its digest is barred too when `good` ran from the same pod template: then only the model had changed. With
    another template the server may be to blame, and the same model may come back with a better one.
    """
    if any(entry.revision == bad.revision for entry in status.quarantine):
        return status
    entry = QuarantineEntry(
        revision=bad.revision,
        version=bad.version,
        number=bad.number,
        digest=bad.digest if bad.template_digest == good.template_digest and bad.digest != good.digest else None,
        reason=reason[:1024],
        by=by,
        at=now,
    )
    return status.model_copy(update={"quarantine": [*status.quarantine, entry][-LONGEST:]})
