"""How many ModelDeployments keep the pods of an earlier operator, by namespace.

A rollout of another spec.server does not count. Read from their conditions at every scrape. Only the leader has a
cache, so only the leader exports them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core.serving.status.up_to_date import OLDER_PLATFORM, UP_TO_DATE


@dataclass(frozen=True, slots=True)
class OutdatedStatistics:
    """Number of ModelDeployments that lag behind this operator, by namespace; 0 where none does."""

    outdated: Mapping[str, int]


class OutdatedModels:
    """Reads the conditions of all ModelDeployments."""

    def __init__(self, deployments: Callable[[], Iterable[ModelDeployment]]) -> None:
        self._deployments = deployments

    def statistics(self) -> OutdatedStatistics:
        """Return how many ModelDeployments are not `UpToDate` for the reason `OlderPlatform`."""
        counts: Counter[str] = Counter()
        for found in self._deployments():
            lags = any((one.type, one.reason) == (UP_TO_DATE, OLDER_PLATFORM) for one in found.status.conditions)
            counts[found.metadata.namespace or ""] += lags
        return OutdatedStatistics(counts)
