"""Whether the newest version is still open: not judged yet, or being rolled out.

An alert is then about the model that is being replaced, and the version of a second run would be compared with a
champion that no longer serves. Only the rollout on the ModelDeployment that runs compare with counts: that of another
one, such as one for development, replaces no champion. Every wait ends: no run waits for a candidate that waits for a
person or for spec.server.replicas, or that has not started by its progress deadline.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.core.serving.rollout import progress_deadline

from .blocked import Hold


def hold(
    job: str, versions: Sequence[ModelVersion], deployments: Iterable[ModelDeployment], now: datetime
) -> Hold | None:
    """Return the wait for the gate, or else for the rollout on the ModelDeployment that a TrainingJob compares with."""
    newest = max(versions, key=lambda version: version.spec.number, default=None)
    if newest is not None and newest.status.phase is None and newest.metadata.deletion_timestamp is None:
        return Hold("RolloutInProgress", f"waits until version {newest.name} is judged")
    deployment = compared(job, deployments)
    candidate = deployment.status.candidate if deployment else None
    if deployment is None or candidate is None or candidate.phase == "Paused":
        return None
    end = progress_deadline.ends(candidate, deployment) if candidate.phase == "Starting" else None
    if candidate.phase == "Starting" and (end is None or now >= end):
        return None
    return Hold(
        "RolloutInProgress",
        f"waits until the rollout of {candidate.version} on ModelDeployment {deployment.name} is over",
        end,
    )


def compared(job: str, deployments: Iterable[ModelDeployment]) -> ModelDeployment | None:
    """Return the ModelDeployment whose live version runs compare with: that of the job's name, else the first by name.

    One that serves goes before one that does not.
    """
    found = [one for one in deployments if one.metadata.deletion_timestamp is None]
    return min(found, key=lambda one: (one.status.live is None, one.name != job, one.name), default=None)
