"""A Prometheus: what monitors measure of the version that serves, told to whatever operator is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from steadfit.core.types import Signal

from .simulated_cluster import SimulatedCluster

INTERVAL_SECONDS = 15.0
KEPT_SECONDS = 90.0
"""How long a value counts when no further answer comes."""
AWAY = Signal(reason="MetricSource default: it cannot be reached", code="Unreachable")

Answer = Callable[[int, str], Signal]
"""Says what a monitor measures of a version, by the version's number and the monitor's name."""


class Prometheus:
    """Answers by a script. It knows nothing of crashes: a new operator is told as the old one was."""

    def __init__(self, cluster: SimulatedCluster, answer: Answer) -> None:
        self.answer = answer
        self.away = False
        self._world = cluster
        self._task = cluster.loop.create_task(self._tell_again())

    def close(self) -> None:
        """Fall silent."""
        self._task.cancel()

    async def _tell_again(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            process = self._world.process
            if process is None:
                continue
            signals, now = process.engine.signals, self._world.loop.time()
            for live in process.engine.live_models():
                for monitor in live.monitors:
                    if self.away:
                        signals.record_failure(live, monitor, AWAY, now, KEPT_SECONDS)
                    else:
                        signals.record(live, monitor, self.answer(live.version, monitor.name), now)
