"""Kubernetes Events: written once, counted when repeated, dropped rather than waited for.

Events are for people. They must never slow down or fail a pass, so they go through a bounded queue to one writer.
An Event that repeats within ten minutes becomes a series of the first one; each object has a rate limit; dropped Events
are counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from steadfit.core.names import short_hash
from steadfit.core.types import Event

from .client import APIError, KubeClient
from .clock import Clock

logger = logging.getLogger(__name__)

CONTROLLER = "steadfit.dev/operator"
FIELD_MANAGER = "steadfit"
SERIES_WINDOW = timedelta(minutes=10)
SERIES_PAUSE = timedelta(minutes=1)
"""Shortest time between two writes of one series."""
BURST = 25
REFILL_SECONDS = 60.0
"""An object may have this many Events at once, and one more every minute."""
QUEUE_SIZE = 1000
REMEMBERED = 4096
NOTE_LENGTH = 1000

SeriesKey = tuple[str, str, str, str]


@dataclass(slots=True)
class _Series:
    """One event and its repetitions."""

    manifest: dict[str, Any]
    last: datetime
    count: int = 1
    written: datetime | None = None
    queued: bool = False


@dataclass(frozen=True, slots=True)
class RecorderStatistics:
    """Counts of the recorder."""

    written: int
    repeated: int
    """Repetitions that were only counted."""
    dropped: int
    """Events over a limit, or refused by the API server."""
    waiting: int


class Recorder:
    """Writes events.k8s.io/v1 Events in the background."""

    def __init__(self, client: KubeClient, clock: Clock, instance: str) -> None:
        self._client = client
        self._clock = clock
        self._instance = instance[:128]
        self._queue: asyncio.Queue[_Series] = asyncio.Queue(QUEUE_SIZE)
        self._series: OrderedDict[SeriesKey, _Series] = OrderedDict()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._written = 0
        self._repeated = 0
        self._dropped = 0

    def record(self, obj: Mapping[str, Any], event: Event) -> None:
        """Record an Event about an object. Returns at once and never raises."""
        now = self._clock.now()
        uid = obj["metadata"]["uid"]
        key = (uid, event.type, event.reason, event.message)
        series = self._series.get(key)
        if series is not None and now - series.last < SERIES_WINDOW:
            series.count += 1
            series.last = now
            self._repeated += 1
            if series.queued or (series.written is not None and now - series.written < SERIES_PAUSE):
                return
        elif not self._is_within_limit(uid):
            self._dropped += 1
            return
        else:
            series = _Series(self._manifest(obj, event, now), now)
            self._series[key] = series
            if len(self._series) > REMEMBERED:
                self._series.popitem(last=False)
        try:
            self._queue.put_nowait(series)
            series.queued = True
        except asyncio.QueueFull:
            self._dropped += 1

    async def run(self) -> None:
        """Write what is queued, without end."""
        while True:
            series = await self._queue.get()
            series.queued = False
            await self._write(series)

    def statistics(self) -> RecorderStatistics:
        """Return counts of the recorder."""
        return RecorderStatistics(self._written, self._repeated, self._dropped, self._queue.qsize())

    async def _write(self, series: _Series) -> None:
        try:
            if series.written is None:
                await self._client.create(series.manifest)
            else:
                repetition = {"count": series.count, "lastObservedTime": _micro_time(series.last)}
                await self._client.apply({**series.manifest, "series": repetition}, FIELD_MANAGER)
        except APIError as error:
            self._dropped += 1
            logger.info("dropped the Event %s: %s", series.manifest["reason"], error)
        else:
            self._written += 1
            series.written = self._clock.now()

    def _is_within_limit(self, uid: str) -> bool:
        now = asyncio.get_running_loop().time()
        tokens, since = self._buckets.pop(uid, (float(BURST), now))
        tokens = min(float(BURST), tokens + (now - since) / REFILL_SECONDS)
        self._buckets[uid] = (max(0.0, tokens - 1), now)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return tokens >= 1

    def _manifest(self, obj: Mapping[str, Any], event: Event, now: datetime) -> dict[str, Any]:
        metadata = obj["metadata"]
        # Events on cluster-scoped objects live in `default`, by convention.
        namespace = metadata.get("namespace") or "default"
        name = short_hash(metadata["uid"], event.type, event.reason, event.message, now.isoformat())
        regarding = {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        }
        if "namespace" in metadata:
            regarding["namespace"] = metadata["namespace"]
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name'][:200]}.{name}", "namespace": namespace},
            "eventTime": _micro_time(now),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "action": "Reconcile",
            "type": event.type,
            "reason": event.reason,
            "note": event.message[:NOTE_LENGTH],
            "regarding": regarding,
        }


def _micro_time(time: datetime) -> str:
    """Return a `metav1.MicroTime`."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
