"""The version floor: the number up to which versions were decided on, and never return by themselves.

It rises with every version that served without a pin, was rolled back or was abandoned, and with a promotion to all
versions of that time. It never falls, so a decision counts after its entry in a list of the status has been dropped. It
belongs to one TrainingJob by uid: numbers of another one, or of one that was made again, say nothing about it.
"""

from __future__ import annotations

from collections.abc import Iterator

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import VersionFloor
from steadfit.core.serving.fleet import Fleet

from . import pin


def training_job_uid(status: ModelDeploymentStatus, fleet: Fleet) -> str | None:
    """Return the uid of the TrainingJob whose versions are rolled out, which may have been deleted; None if unknown."""
    job = fleet.observed.job
    if job is not None:
        return job.uid
    return status.version_floor.uid if status.version_floor else None


def recall(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return a status that was lost, or is new, with the floor that the versions know of the ModelDeployment's name."""
    if status.observed_generation >= 0:
        return status
    name = fleet.observed.deployment.name
    known = [
        version
        for version in fleet.observed.versions
        if name in version.status.below_floor_of and is_of_job(version, status, fleet)
    ]
    highest = max(known, key=lambda version: version.spec.number, default=None)
    uid = training_job_uid(status, fleet) or (highest.spec.training_job_ref.uid if highest else None)
    if highest is None or uid is None:
        return status
    return status.model_copy(update={"version_floor": VersionFloor(number=highest.spec.number, uid=uid)})


def is_of_job(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a version is one of that TrainingJob, and of no earlier one, of the same name or another."""
    if version.spec.training_job_ref.name != fleet.observed.deployment.training_job:
        return False
    uid = training_job_uid(status, fleet)
    return uid is None or version.spec.training_job_ref.uid in (None, uid)


def live_number(status: ModelDeploymentStatus, fleet: Fleet) -> int:
    """Return the number above which versions are newer than the live one; 0 if none serves, or one of another job.

    Whose number a live version has whose ModelVersion is gone is not known: it counts no more than the floor.
    """
    if status.live is None:
        return 0
    version = fleet.version_of(status.live)
    if version is None:
        return min(status.live.number, current(status, fleet))
    return status.live.number if is_of_job(version, status, fleet) else 0


def current(status: ModelDeploymentStatus, fleet: Fleet) -> int:
    """Return the floor; 0 while nothing was decided."""
    floor = status.version_floor
    stored = floor.number if floor and floor.uid in (None, training_job_uid(status, fleet)) else 0
    return max([stored, *_decided(status, fleet)])


def store(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status with the floor after the decisions of this pass."""
    number = current(status, fleet)
    floor = VersionFloor(number=number, uid=training_job_uid(status, fleet)) if number else None
    return status.model_copy(update={"version_floor": floor})


def _decided(status: ModelDeploymentStatus, fleet: Fleet) -> Iterator[int]:
    """Yield the numbers of the versions of the TrainingJob that the status has decisions about."""
    entries = [
        *[(entry.version, entry.artifact or entry.digest) for entry in status.quarantine],
        *[(entry.version, entry.digest) for entry in status.released],
        *[(entry.version, entry.digest) for entry in status.served_versions],
        *[(entry.version, entry.digest) for entry in status.abandoned],
    ]
    digests: dict[str, set[str | None]] = {}
    for name, digest in entries:
        digests.setdefault(name, set()).add(digest)
    for name, known in digests.items():
        for version in fleet.known_versions.named(name):
            # An entry of an older commit may lack the digest.
            if not known.isdisjoint({None, version.spec.artifact.digest}) and is_of_job(version, status, fleet):
                yield version.spec.number
    promoted = status.promoted
    named = pin.find(pin.of_action(promoted), fleet) if promoted else None
    if promoted and named and is_of_job(named, status, fleet):
        yield promoted.above
