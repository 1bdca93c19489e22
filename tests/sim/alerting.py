"""Alertmanager in copies and the operator's intake on replicas that are always up: alerts told again and again.

The intake's own writer runs here, with a client of its own, so that it races with the leader for the same status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from random import Random
from typing import Literal

from steadfit.app.alerts.listeners import listener
from steadfit.app.alerts.writer import AlertWriter
from steadfit.core.training.triggers.alert_matching import ReceivedAlert
from steadfit.kube.client import APIError

from .client import CrashPlan, Faults, SimClient
from .simulated_cluster import NAMESPACE, SimulatedCluster
from .starting_objects import NAME

REPEAT_SECONDS = 120.0
GROUP = 50
"""How many alerts are told in one call."""
Status = Literal["firing", "resolved"]
LABELS = {"alertname": "ModelInputDrift", "namespace": NAMESPACE, "model": NAME}


class Alertmanagers:
    """Copies that know the same alerts and do not know of each other; each tells them through its own replica."""

    def __init__(self, cluster: SimulatedCluster, copies: int = 3) -> None:
        self._world = cluster
        self.told = 0
        self._known: dict[str, tuple[Status, datetime]] = {}
        self._writers = [
            AlertWriter(
                SimClient(cluster.store, Random(copy), Faults(), CrashPlan(), lambda: None, lambda: None), Random(copy)
            )
            for copy in range(copies)
        ]
        self._tasks = [cluster.loop.create_task(self._tell_again(copy)) for copy in range(copies)]

    async def fire(self, fingerprints: Iterable[str]) -> None:
        """Let alerts begin to fire, and return once every copy has told them."""
        self._known.update(dict.fromkeys(fingerprints, ("firing", self._world.loop.now())))
        await self._tell_all()

    async def resolve(self) -> None:
        """Let all alerts end, and return once every copy has told it."""
        self._known = {fingerprint: ("resolved", began) for fingerprint, (_, began) in self._known.items()}
        await self._tell_all()

    def close(self) -> None:
        """Fall silent."""
        for task in self._tasks:
            task.cancel()

    async def _tell_all(self) -> None:
        await asyncio.gather(*[self._tell(writer) for writer in self._writers])

    async def _tell_again(self, copy: int) -> None:
        rng = Random(f"copy-{copy}")
        while True:
            await asyncio.sleep(rng.uniform(0.5, 1.5) * REPEAT_SECONDS)
            await self._tell(self._writers[copy])

    async def _tell(self, writer: AlertWriter) -> None:
        everything = list(self._known.items())
        for start in range(0, len(everything), GROUP):
            await self._post(writer, dict(everything[start : start + GROUP]))

    async def _post(self, writer: AlertWriter, group: Mapping[str, tuple[Status, datetime]]) -> None:
        job = self._world.find("TrainingJob", NAME)
        if job is None:
            return
        now = self._world.loop.now()
        told = [
            ReceivedAlert(fingerprint, status, LABELS, starts_at=began, received_at=now)
            for fingerprint, (status, began) in group.items()
        ]
        self.told += len(told)
        try:
            await writer.store(listener(job), told)
        except APIError:
            # Answered with a 503: told again in a while.
            return
