"""Servers that count by connection, read by the operator's own reader; a new process begins anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from steadfit.prometheus.canary_trial import Trial
from steadfit.tallies.answer import Answer, NoTallies, Row
from steadfit.tallies.pods import ServerPod
from steadfit.tallies.reader import TalliesReader

from .simulated_cluster import Process, SimulatedCluster

REQUESTS_A_SECOND = 5
"""Requests to each pod, each with a connection of its own."""
CHAMPION_FAILS = 0.01
KEPT_SECONDS = 120
BOUNDS = (0.1, 0.25, 0.5)

Breaking = Callable[[int, float], float]
"""Says which share of its requests a version fails at a time in seconds since 1970."""


class Tallies:
    """Counts the requests of every server pod."""

    def __init__(self, cluster: SimulatedCluster, breaking: Breaking) -> None:
        self.breaking = breaking
        self.away = False
        self._world = cluster
        self._process: Process | None = None
        self._reader: TalliesReader | None = None
        self._task = cluster.loop.create_task(self._read_again())

    async def _read_again(self) -> None:
        while True:
            await asyncio.sleep(1.0 - (self._world.loop.now().timestamp() - 0.1) % 1.0)
            process = self._world.process
            if process is not self._process:
                self._process, self._reader = process, None
                if process is not None:
                    found, engine = process.engine.signals.comparisons, process.engine
                    self._reader = TalliesReader(engine, found, lambda: self, self._world.loop)
            if self._reader is not None:
                self._reader.sweep(self)

    async def read(self, pod: ServerPod, since: int, *, comparing: bool = True) -> Answer:
        """Return the closed seconds of a pod."""
        await asyncio.sleep(0.01)
        if self.away or self._process is None:
            raise NoTallies("did not answer within 1 s", silent=True)
        now = self._world.loop.now().timestamp()
        latest = int(now) - 1
        trial = next((one for one in self._process.engine.trials() if one.revision == pod.revision), None)
        seconds = range(max(since + 1, latest - KEPT_SECONDS), latest + 1)
        rows = [row for second in seconds for row in self._rows(pod, trial, second)]
        return Answer(pod.uid, latest, latest, now, BOUNDS, tuple(rows))

    def _rows(self, pod: ServerPod, trial: Trial | None, second: int) -> list[Row]:
        rng = Random(f"{pod.uid} {second}")
        share = CHAMPION_FAILS if trial is None else self.breaking(trial.version, second)
        return [
            Row(second, pod.uid, f"{pod.uid}-{second}-{number}", 1, int(rng.random() < share), ((0, 1),))
            for number in range(REQUESTS_A_SECOND)
        ]

    async def close(self) -> None:
        """Do nothing."""
