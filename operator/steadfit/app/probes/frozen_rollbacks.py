"""Which ModelDeployments have reached their limit of rollbacks, for the alert that calls a person.

It is read off their conditions at every scrape; only the leader knows any, so only it exports them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core.serving.recovery.rollback_limit import ROLLBACKS_FROZEN


@dataclass(frozen=True, slots=True)
class FrozenStatistics:
    """Whether nothing more is rolled back by itself, by namespace and ModelDeployment."""

    frozen: Mapping[tuple[str, str], bool]


class FrozenRollbacks:
    """Looks at the ModelDeployments when it is asked."""

    def __init__(self, deployments: Callable[[], Iterable[ModelDeployment]]) -> None:
        self._deployments = deployments

    def statistics(self) -> FrozenStatistics:
        """Return what their conditions say."""
        return FrozenStatistics(
            {(found.metadata.namespace or "", found.name): _is_frozen(found) for found in self._deployments()}
        )


def _is_frozen(deployment: ModelDeployment) -> bool:
    return any((one.type, one.status) == (ROLLBACKS_FROZEN, "True") for one in deployment.status.conditions)
