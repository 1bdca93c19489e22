"""A Prometheus: what is measured of a candidate beside its champion, told to whatever operator is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from steadfit.core.types import Arm, Compared

from .simulated_cluster import SimulatedCluster

INTERVAL_SECONDS = 15.0
KEPT_SECONDS = 90.0
"""How long a comparison counts when no further answer comes."""
AWAY = Compared(reason="MetricSource default: it cannot be reached", code="Unreachable")
REQUESTS_A_SECOND = 20.0

Failing = Callable[[int], float]
"""Says which share of its requests a version fails."""


class Comparisons:
    """Counts requests since the candidate takes traffic; the champion fails one in a hundred."""

    def __init__(self, cluster: SimulatedCluster, failing: Failing) -> None:
        self.failing = failing
        self.away = False
        self._world = cluster
        self._task = cluster.loop.create_task(self._tell_again())

    async def _tell_again(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            process = self._world.process
            if process is None:
                continue
            comparisons, now = process.engine.signals.comparisons, self._world.loop.time()
            for trial in process.engine.trials():
                count = REQUESTS_A_SECOND * (self._world.loop.now() - trial.since).total_seconds()
                for metric in trial.analysis.metrics:
                    if self.away:
                        comparisons.record_failure(trial, metric, AWAY, now, KEPT_SECONDS)
                        continue
                    share = self.failing(trial.version) if metric.name == "error-rate" else 0.01
                    begun = trial.step_since or self._world.loop.now()
                    in_step = REQUESTS_A_SECOND / 2 * (self._world.loop.now() - begun).total_seconds()
                    found = Compared("expression", _arm(share, count / 2), _arm(0.01, count), in_step=in_step)
                    comparisons.record(trial, metric, found, now)


def _arm(share: float, count: float) -> Arm:
    return Arm(count, share, share * (1 - share) / max(count, 1.0))
