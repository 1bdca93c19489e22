"""Counts of requests by connection and second, for comparisons that need the variance between connections.

The requests of one connection come from one client and are alike, so a comparison of two versions takes connections as
clusters (docs/design/0106). A series of Prometheus for each connection would have no bound; these counts are kept for
two minutes, in bounded memory.

Everything here but `document` runs on the event loop, without locks. A second is closed once the event loop counts a
later one; its rows are encoded then, and never change. `document` may be called by any thread: it reads one immutable
value.
"""

import asyncio
import logging
import math
import time
import uuid
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from steadfit_server.telemetry.metrics import BUCKETS
from steadfit_server.telemetry.voices import Voice, Voices

LOG = logging.getLogger(__name__)

# Closed seconds that are kept.
KEPT_SECONDS = 120
# Largest answer, in bytes. One that would be larger ends with an earlier second.
MAX_BYTES = 256 * 1024
# Time after a comparison's read in which it is taken to be under way: longer than the time between two reads.
COMPARING_SECONDS = 40.0
# Largest step of the wall clock, in seconds, that seconds are not counted anew for.
MAX_STEP = 0.5


@dataclass(frozen=True, slots=True)
class _Closed:
    """The closed seconds: the last one, the oldest one that is kept, and those with rows, encoded."""

    server: str
    last: int
    oldest: int
    rows: tuple[tuple[int, bytes], ...]


class Tallies:
    """Requests, failures and latencies by connection and second.

    Parameters
    ----------
    namespace, model, version, revision : str
        Identity of the model.
    monotonic : Callable[[], float], default time.perf_counter
        Returns seconds that never go back; also the clock of `answered`.
    wall : Callable[[], float], default time.time
        Returns seconds since 1970.
    """

    def __init__(
        self,
        namespace: str,
        model: str,
        version: str,
        revision: str,
        monotonic: Callable[[], float] = time.perf_counter,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._identity = {"namespace": namespace, "model": model, "version": version, "revision": revision}
        self._monotonic = monotonic
        self._wall = wall
        self._compared_at = -math.inf
        self._voices = Voices()
        self._cells: dict[int, tuple[list[int], dict[int, int]]] = {}
        self._begin()

    def _begin(self) -> None:
        """Count anew: the id of the server changes, so no reader adds these seconds to earlier ones."""
        self._voices.closed(self._cells)
        self._cells = {}
        self._offset = self._wall() - self._monotonic()
        self._second = self._first = int(self._wall())
        self._closed = _Closed(uuid.uuid4().hex, self._second - 1, self._second, ())

    def answered(self, voice: Voice, status: int, seconds: float, at: float) -> None:
        """Count one answered inference request of a connection; `at` is the time of the monotonic clock."""
        second = int(at + self._offset)
        if second > self._second:
            self._close(second)
        group = self._voices.group_of(voice)
        cell = self._cells.get(group)
        if cell is None:
            cell = self._cells[group] = ([0, 0], {})
            self._voices.counted(group)
        counts, latencies = cell
        counts[0] += 1
        if status >= 500:
            counts[1] += 1
        bucket = bisect_left(BUCKETS, seconds)
        latencies[bucket] = latencies.get(bucket, 0) + 1

    @property
    def compared(self) -> bool:
        """Whether a comparison reads the counts, as while this version is a canary or the champion beside one."""
        return self._monotonic() - self._compared_at < COMPARING_SECONDS

    def left(self, voice: Voice) -> None:
        """Forget a connection that is closed."""
        self._voices.left(voice)

    def tick(self) -> None:
        """Close the seconds that are over, also without requests; count anew after a step of the wall clock."""
        now = self._monotonic()
        if abs(self._wall() - now - self._offset) > MAX_STEP:
            self._begin()
            return
        second = int(now + self._offset)
        if second > self._second:
            self._close(second)

    async def keep_time(self) -> None:
        """Tick at the beginning of each second until cancelled."""
        while True:
            await asyncio.sleep(1.0 - (self._monotonic() + self._offset) % 1.0)
            try:
                self.tick()
            except Exception:
                # The counts are for a comparison; without them the operator asks Prometheus. Predictions go on.
                LOG.exception("closing a second of the counts failed")

    def note_comparison(self) -> None:
        """Note that a comparison reads the counts. Any thread may call it."""
        self._compared_at = self._monotonic()

    def document(self, since: int = 0) -> bytes:
        """Return the rows of the closed seconds after `since`, as JSON.

        `latest` is the last closed second, `closed` the last one that the rows cover. It is an earlier one if the
        answer would be larger than `MAX_BYTES`; the next call, with this one as `since`, returns more.
        """
        closed = self._closed
        parts: list[bytes] = []
        last, size = closed.last, 1024
        for second, rows in closed.rows:
            if second <= since:
                continue
            size += len(rows) + 1
            if size > MAX_BYTES:
                last = second - 1
                break
            parts.append(rows)
        head = orjson.dumps(
            {
                "server": closed.server,
                **self._identity,
                "closed": last,
                "latest": closed.last,
                "time": round(self._wall(), 3),
                "oldest": closed.oldest,
                "bounds": BUCKETS,
            }
        )
        return b'%b,"rows":[%b]}' % (head[:-1], b",".join(parts))

    def _close(self, second: int) -> None:
        """Close all seconds before one."""
        kept = self._closed.rows
        oldest = max(self._first, second - KEPT_SECONDS)
        if self._cells:
            rows = [[self._second, group, *counts, latencies] for group, (counts, latencies) in self._cells.items()]
            kept = (*kept, (self._second, orjson.dumps(rows, option=orjson.OPT_NON_STR_KEYS)[1:-1]))
            self._voices.closed(self._cells)
            self._cells = {}
        if kept and kept[0][0] < oldest:
            kept = tuple(one for one in kept if one[0] >= oldest)
        self._second = second
        self._closed = _Closed(self._closed.server, second - 1, oldest, kept)
