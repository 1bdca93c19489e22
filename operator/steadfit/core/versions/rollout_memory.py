"""What ModelDeployments have decided about the rollout of a version: where it was abandoned or passed over.

The ModelDeployment decides. The version keeps the decision in case the ModelDeployment's status is lost, or it is
deleted and applied again (`core/serving/selection/abandoned.py` and `version_floor.py` read it then).
"""

from __future__ import annotations

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion, ModelVersionStatus, PastAbandonment
from steadfit.core.types import ObservedModelVersion

MAX_ABANDONED = 16
MAX_FLOORS = 64


def follow(status: ModelVersionStatus, observed: ObservedModelVersion) -> ModelVersionStatus:
    """Return the status with the decisions of the ModelDeployments; those of deleted ones stay.

    A ModelDeployment without a status has not read them yet, so it overrules none of them.
    """
    version = observed.version
    present = [item for item in observed.deployments if item.status.observed_generation >= 0]
    names = {item.name for item in present}
    abandoned = [item for item in status.abandoned if item.deployment not in names]
    abandoned += [entry for deployment in present for entry in _abandoned(deployment, version)]
    abandoned.sort(key=lambda item: (item.at, item.deployment, item.revision))
    floors = [*status.below_floor_of]
    floors += [item.name for item in present if item.name not in floors and _is_below_floor(version, item)]
    update = {"abandoned": abandoned[-MAX_ABANDONED:], "below_floor_of": floors[-MAX_FLOORS:]}
    return status.model_copy(update=update)


def _abandoned(deployment: ModelDeployment, version: ModelVersion) -> list[PastAbandonment]:
    return [
        PastAbandonment(
            deployment=deployment.name, revision=entry.revision, reason=entry.reason, by=entry.by, at=entry.at
        )
        for entry in deployment.status.abandoned
        if (entry.version, entry.digest) == (version.name, version.spec.artifact.digest)
    ]


def _is_below_floor(version: ModelVersion, deployment: ModelDeployment) -> bool:
    """Return whether a ModelDeployment has decided on this number of this TrainingJob."""
    floor = deployment.status.version_floor
    if floor is None or floor.uid is None or version.spec.training_job_ref.name != deployment.training_job:
        return False
    return version.spec.training_job_ref.uid in (None, floor.uid) and version.spec.number <= floor.number
