"""Writes alerts into `status.alerts` of TrainingJobs: read, merge, guarded write, retried after a conflict.

There is one write at a time for an object; alerts that arrive meanwhile share the next one. Without that, sixteen
senders with ten alerts each took 16 s of conflicts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from pydantic import TypeAdapter, ValidationError

from steadfit.api.trainingjob import AlertState
from steadfit.core.training.triggers.alert_matching import Listener, ReceivedAlert
from steadfit.core.training.triggers.alert_state import Result, merge
from steadfit.kube.client import Conflict, Invalid, KubeClient, NotFound, Unavailable
from steadfit.kube.resources import TRAINING_JOBS

from .listeners import listener

logger = logging.getLogger(__name__)

WRITE_SECONDS = 8.0
"""Timeout of a write. Alertmanager waits 10 s for an answer."""
CONCURRENT_WRITES = 8
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 0.8

Results = Mapping[str, Result]
_ALERTS = TypeAdapter(list[AlertState])


@dataclass(slots=True)
class _Batch:
    """Alerts of the next write of an object."""

    done: asyncio.Future[Results | Exception]
    alerts: dict[str, ReceivedAlert] = field(default_factory=dict)


class AlertWriter:
    """Stores alerts."""

    def __init__(self, client: KubeClient, rng: Random) -> None:
        self._client = client
        self._rng = rng
        self._next: dict[tuple[str, str], _Batch] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(CONCURRENT_WRITES)

    async def store(self, target: Listener, alerts: Sequence[ReceivedAlert]) -> Results:
        """Return the outcome of each alert, by fingerprint, once all of them are stored.

        Raises
        ------
        APIError
            If they are not stored, or that is not known: send them again.
        """
        key = (target.namespace, target.name)
        batch = self._next.get(key)
        if batch is None:
            batch = self._next[key] = _Batch(asyncio.get_running_loop().create_future())
        batch.alerts.update({alert.fingerprint: alert for alert in alerts})
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._work(key))
        # Others wait for the same write: a cancelled caller must not cancel it.
        outcome = await asyncio.shield(batch.done)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _work(self, key: tuple[str, str]) -> None:
        try:
            while (batch := self._next.pop(key, None)) is not None:
                try:
                    outcome: Results | Exception = await self._write(*key, list(batch.alerts.values()))
                except Exception as error:
                    # Raised in `store`, for every caller that waits.
                    outcome = error
                batch.done.set_result(outcome)
        finally:
            del self._tasks[key]

    async def _write(self, namespace: str, name: str, alerts: Sequence[ReceivedAlert]) -> Results:
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                pause = FIRST_PAUSE_SECONDS
                while True:
                    try:
                        async with self._slots:
                            return await self._try(namespace, name, alerts)
                    except Conflict:
                        # A random pause keeps concurrent writers apart.
                        await asyncio.sleep(self._rng.uniform(0, pause))
                        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        except TimeoutError as error:
            raise Unavailable(0, "Timeout", f"the TrainingJob {namespace}/{name} could not be written") from error

    async def _try(self, namespace: str, name: str, alerts: Sequence[ReceivedAlert]) -> Results:
        try:
            job = await self._client.get(TRAINING_JOBS, name, namespace)
            status: Mapping[str, Any] = job.get("status", {})
            merged = merge(_ALERTS.validate_python(status.get("alerts", [])), alerts, listener(job))
            if merged.changed:
                await self._client.patch_status(
                    job,
                    {
                        "alerts": [entry.dump() for entry in merged.alerts],
                        "alertsDropped": status.get("alertsDropped", 0) + merged.dropped,
                    },
                )
        except NotFound:
            return {alert.fingerprint: "no_match" for alert in alerts}
        except ValidationError as error:
            raise Invalid(0, "Unreadable", f"the TrainingJob {namespace}/{name} cannot be read: {error}") from error
        return merged.results
