"""The quarantines in the status of a version, and the changes that its store does not have yet.

The ModelDeployment decides. The version keeps the quarantine of its artifact in case the ModelDeployment's status is
lost, and the store keeps it in case the cluster is lost. A release is kept too, until it is written to the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion, ModelVersionStatus, Quarantine, Release, ServingRecord
from steadfit.core.serving.quarantine import quarantines_of
from steadfit.core.times_ahead import is_after
from steadfit.core.types import ObservedModelVersion

FURTHER = 16
"""Most ModelDeployments beyond the first that a status lists."""
MOST_RELEASES = 16
"""Releases that a status lists, and more while a ModelDeployment lists each: dropped earlier, one is written again."""
ALL_RELEASES = 64
"""Where so many are needed, a further one waits: it is written once a ModelDeployment drops its entry."""


@dataclass(frozen=True, slots=True)
class Change:
    """What the store does not have yet.

    Attributes
    ----------
    put
        Quarantines that are not written beside the artifact.
    take
        Releases of quarantines that may be written beside it.
    served
        Servings without room in the status. They come alone: a quarantine does not wait for them, nor fail with them.
    """

    put: tuple[Quarantine, ...] = ()
    take: tuple[Release, ...] = ()
    served: tuple[ServingRecord, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether anything is missing in the store."""
        return bool(self.put or self.take or self.served)


def recall(observed: ObservedModelVersion) -> ModelVersionStatus:
    """Return the version's status with every quarantine in it and in the ModelDeployments.

    Those that lay beside the artifact when it was published are added once, in the first pass.
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
    """Return what the store does not have yet."""
    version = observed.version
    entries = quarantines_of(status)
    done = {item.deployment: item.at for item in status.releases}
    take = []
    for deployment in observed.deployments:
        freed, name = _freed(deployment, version), deployment.name
        if freed is None or _decided(deployment, version) is not None or (name in done and done[name] >= freed):
            continue
        if not any(item.deployment == name and is_after(item.at, freed) for item in entries):
            take.append(Release(deployment=name, at=freed))
    room = ALL_RELEASES - len(_needed_releases(status.releases, observed))
    take = take[: max(0, room)]
    leaving = {item.deployment for item in take}
    put = [item for item in entries if not item.stored and item.deployment not in leaving]
    return Change(tuple(put), tuple(take))


def learned(status: ModelVersionStatus, written: Change, observed: ObservedModelVersion) -> ModelVersionStatus:
    """Return the status after a change is written to the store."""
    put = {item.deployment for item in written.put}
    gone = {item.deployment: item for item in written.take}
    entries = [
        item.model_copy(update={"stored": True}) if item.deployment in put else item
        for item in quarantines_of(status)
        if item.deployment not in gone
    ]
    others = [item for item in status.releases if item.deployment not in gone]
    releases = _needed_releases([*others, *gone.values()], observed)
    return _with(status, entries).model_copy(update={"releases": releases})


def _needed_releases(releases: Sequence[Release], observed: ObservedModelVersion) -> list[Release]:
    """Return the releases without the oldest that no ModelDeployment asks for, as far as they have no room."""
    needed = {item.name for item in observed.deployments if _freed(item, observed.version) is not None}
    spare = [item for item in releases if item.deployment not in needed]
    dropped = spare[: max(0, len(releases) - MOST_RELEASES)]
    return [item for item in releases if item not in dropped]


def _with(status: ModelVersionStatus, entries: Sequence[Quarantine]) -> ModelVersionStatus:
    """Return the status with these quarantines, the oldest first."""
    ordered = sorted(entries, key=lambda item: (item.at, item.deployment))
    first = ordered[0] if ordered else None
    return status.model_copy(update={"quarantine": first, "quarantine_elsewhere": ordered[1 : 1 + FURTHER]})


def _decided(deployment: ModelDeployment, version: ModelVersion) -> Quarantine | None:
    """Return the first entry by which a ModelDeployment keeps this artifact from its traffic."""
    digest = version.spec.artifact.digest
    found = [entry for entry in deployment.status.quarantine if entry.digest == digest]
    entry = min(found, key=lambda item: (item.at, item.revision), default=None)
    if entry is None:
        return None
    return Quarantine(
        reason=entry.reason, by=entry.by, at=entry.at, deployment=deployment.name, revision=entry.revision
    )


def _freed(deployment: ModelDeployment, version: ModelVersion) -> datetime | None:
    """Return when a ModelDeployment last released this artifact."""
    digest = version.spec.artifact.digest
    return max((item.at for item in deployment.status.released if item.digest == digest), default=None)
