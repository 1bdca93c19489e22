"""What serves has to be a version that a run can be compared with; until then alerts and monitors start none.

A run can read the artifacts of its own TrainingJob only. After a change of spec.trainingJobRef the version of another
one serves until a person promotes one of this, and the ModelVersion of what serves may be deleted. The version of every
run would be held then, and what requested it would go on until the circuit breaker opens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.core.serving.fleet import version_of
from steadfit.core.serving.quarantine import is_quarantined_by

from .blocked import Hold


def is_comparable(deployment: ModelDeployment, versions: Sequence[ModelVersion]) -> bool:
    """Return whether no version serves on a ModelDeployment, or one of these, or one that was rolled back."""
    live = deployment.status.live
    if live is None or version_of(live, versions) is not None:
        return True
    return is_quarantined_by(deployment, live, versions)


def hold(job: str, deployments: Iterable[ModelDeployment], versions: Sequence[ModelVersion]) -> Hold | None:
    """Return the wait for a person, if what serves on one of these ModelDeployments is no version of a TrainingJob."""
    for deployment in sorted(deployments, key=lambda item: item.name):
        live = deployment.status.live
        if live is not None and not is_comparable(deployment, versions):
            return Hold(
                "ChampionNotComparable",
                f"waits until a person decides: ModelDeployment {deployment.name} serves {live.version}, which is no"
                f" version of TrainingJob {job} that exists, so a new version could not be compared with it; Promote a"
                f" version of TrainingJob {job}, and a Retrain action trains once",
            )
    return None
