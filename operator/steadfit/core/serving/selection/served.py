"""Versions that were let through: they served here without a pin. A removed pin and a rollback go back to them.

A pin shows what a person wants now. It is no verdict: what served only by a pin was not let through.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import RevisionRef, ServedVersion
from steadfit.core.serving.fleet import Fleet

MAX_ENTRIES = 16
"""The version that served longest ago is dropped first: whatever goes back reaches the fifteen after it before."""


def enter(status: ModelDeploymentStatus, ref: RevisionRef, now: datetime) -> ModelDeploymentStatus:
    """Return the status in which the version of a revision is the last one that served without a pin."""
    if status.served and _is_of(status.served[-1], ref):
        return status
    others = [entry for entry in status.served if not _is_of(entry, ref)]
    entry = ServedVersion(version=ref.version, number=ref.number, digest=ref.digest, at=now)
    return status.model_copy(update={"served": [*others, entry][-MAX_ENTRIES:]})


def recall(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return a status without this list with what the versions know of this ModelDeployment, or one of its name.

    Its status was lost, or it was deleted and applied again.
    """
    if status.served:
        return status
    name = fleet.observed.deployment.name
    found = [
        ServedVersion(
            version=item.name, number=item.spec.number, digest=item.spec.artifact.digest, at=record.started_at
        )
        for item in fleet.observed.versions
        for record in item.status.served
        if record.let_through and record.deployment == name
    ]
    entries = {(entry.version, entry.digest): entry for entry in sorted(found, key=lambda entry: entry.at)}
    newest = sorted(entries.values(), key=lambda entry: (entry.at, entry.number))
    return status.model_copy(update={"served": newest[-MAX_ENTRIES:]}) if newest else status


def last_first(status: ModelDeploymentStatus, fleet: Fleet) -> Iterator[ModelVersion]:
    """Yield the versions that served without a pin and still exist, the last one first."""
    for entry in reversed(status.served):
        version = fleet.version_of(entry)
        if version is not None:
            yield version


def is_let_through(ref: RevisionRef, status: ModelDeploymentStatus) -> bool:
    """Return whether the artifact of a revision has served here without a pin."""
    return any(entry.digest == ref.digest for entry in status.served)


def _is_of(entry: ServedVersion, ref: RevisionRef) -> bool:
    return (entry.version, entry.digest) == (ref.version, ref.digest)
