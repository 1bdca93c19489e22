"""What a version remembers of its quarantines, and what of that its store still has to learn.

The ModelDeployment decides; the version remembers its artifact's quarantine when that status is lost, and the store
remembers when the cluster is. A release is a memory too: until the store knows it, there is something to be written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion, ModelVersionStatus, Quarantine, Release
from steadfit.core.serving.quarantine import quarantines_of
from steadfit.core.types import ObservedModelVersion

FURTHER = 16
"""ModelDeployments beyond the first that are kept in mind."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed beside the artifact.

    Attributes
    ----------
    put
        Quarantines that are not written there yet.
    take
        Releases of quarantines that may be written there.
    """

    put: tuple[Quarantine, ...] = ()
    take: tuple[Release, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether there is anything to change."""
        return bool(self.put or self.take)


def recall(observed: ObservedModelVersion) -> ModelVersionStatus:
    """Return the version's status with every quarantine that it or a ModelDeployment knows of.

    What was found beside the artifact when it was published counts once, at the first look at the version.
    """
    version = observed.version
    known = {item.deployment: item for item in quarantines_of(version.status)}
    if version.status.observed_generation < 0:
        for past in version.spec.quarantined:
            known.setdefault(past.deployment, Quarantine(**past.model_dump(), stored=True))
    for deployment in observed.deployments:
        now, then = _decided(deployment, version), known.get(deployment.name)
        freed = _freed(deployment, version)
        if now is not None and (then is None or (freed is not None and then.at <= freed < now.at)):
            known[deployment.name] = now
    return _with(version.status, list(known.values()))


def change(status: ModelVersionStatus, observed: ObservedModelVersion) -> Change:
    """Return what the store has to learn."""
    version = observed.version
    entries = quarantines_of(status)
    done = {item.deployment: item.at for item in status.releases}
    take = []
    for deployment in observed.deployments:
        freed, name = _freed(deployment, version), deployment.name
        if freed is None or _decided(deployment, version) is not None or (name in done and done[name] >= freed):
            continue
        if not any(item.deployment == name and item.at > freed for item in entries):
            take.append(Release(deployment=name, at=freed))
    leaving = {item.deployment for item in take}
    put = [item for item in entries if not item.stored and item.deployment not in leaving]
    return Change(tuple(put), tuple(take))


def learned(status: ModelVersionStatus, written: Change) -> ModelVersionStatus:
    """Return the status once the store knows a change."""
    put = {item.deployment for item in written.put}
    gone = {item.deployment: item for item in written.take}
    entries = [
        item.model_copy(update={"stored": True}) if item.deployment in put else item
        for item in quarantines_of(status)
        if item.deployment not in gone
    ]
    others = [item for item in status.releases if item.deployment not in gone]
    return _with(status, entries).model_copy(update={"releases": [*others, *gone.values()][-FURTHER:]})


def _with(status: ModelVersionStatus, entries: Sequence[Quarantine]) -> ModelVersionStatus:
    """Return the status with these quarantines, the oldest first."""
    ordered = sorted(entries, key=lambda item: (item.at, item.deployment))
    first = ordered[0] if ordered else None
    return status.model_copy(update={"quarantine": first, "quarantine_elsewhere": ordered[1 : 1 + FURTHER]})


def _decided(deployment: ModelDeployment, version: ModelVersion) -> Quarantine | None:
    """Return the first entry by which a ModelDeployment keeps this very artifact from its traffic."""
    digest = version.spec.artifact.digest
    found = [entry for entry in deployment.status.quarantine if entry.digest == digest]
    entry = min(found, key=lambda item: (item.at, item.revision), default=None)
    if entry is None:
        return None
    return Quarantine(
        reason=entry.reason, by=entry.by, at=entry.at, deployment=deployment.name, revision=entry.revision
    )


def _freed(deployment: ModelDeployment, version: ModelVersion) -> datetime | None:
    """Return when a ModelDeployment released this artifact last."""
    digest = version.spec.artifact.digest
    return max((item.at for item in deployment.status.released if item.digest == digest), default=None)
