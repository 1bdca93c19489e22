"""ModelDeployments that have reached their limit of automatic rollbacks, for the alert that pages a person.

Read from their conditions at every scrape. Only the leader has a cache, so only the leader exports them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core.serving.recovery.rollback_limit import ROLLBACKS_FROZEN


@dataclass(frozen=True, slots=True)
class FrozenStatistics:
    """Whether automatic rollbacks are frozen, by namespace and ModelDeployment."""

    frozen: Mapping[tuple[str, str], bool]


class FrozenRollbacks:
    """Reads the conditions of all ModelDeployments."""

    def __init__(self, deployments: Callable[[], Iterable[ModelDeployment]]) -> None:
        self._deployments = deployments

    def statistics(self) -> FrozenStatistics:
        """Return which ModelDeployments have the condition."""
        return FrozenStatistics(
            {(found.metadata.namespace or "", found.name): _is_frozen(found) for found in self._deployments()}
        )


def _is_frozen(deployment: ModelDeployment) -> bool:
    return any((one.type, one.status) == (ROLLBACKS_FROZEN, "True") for one in deployment.status.conditions)
