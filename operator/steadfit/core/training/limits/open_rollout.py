"""Whether the newest version is still open: not judged yet, or being rolled out.

An alert is then about the model that is being replaced, and the version of a second run would be compared with a
champion that no longer serves. A candidate that waits for a person delays no run, because that may take for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion

from .blocked import Hold


def hold(versions: Sequence[ModelVersion], deployments: Iterable[ModelDeployment]) -> Hold | None:
    """Return the wait for the gate, or else for the first rollout by name."""
    newest = max(versions, key=lambda version: version.spec.number, default=None)
    if newest is not None and newest.status.phase is None and newest.metadata.deletion_timestamp is None:
        return Hold("RolloutInProgress", f"waits until version {newest.name} is judged")
    for deployment in sorted(deployments, key=lambda item: item.name):
        candidate = deployment.status.candidate
        if candidate is not None and candidate.phase != "Paused" and deployment.metadata.deletion_timestamp is None:
            return Hold(
                "RolloutInProgress",
                f"waits until the rollout of {candidate.version} on ModelDeployment {deployment.name} is over",
            )
    return None
