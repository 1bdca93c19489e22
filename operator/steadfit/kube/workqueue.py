"""A work queue: each key is queued at most once and handled by at most one worker at a time.

The rules are client-go's. A key that is added while it is handled is marked dirty and queued again when its worker is
done, so no change is lost and no object is handled twice at once. Two rules are added. An urgent key is handled before
the others. A key whose passes change something again and again is throttled in between, because each of its changes
queues it at once. All times are the event loop's.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

BASE_DELAY = 0.2
MAX_DELAY = 120.0
JITTER = 0.2
CHANGES_AT_ONCE = 100
"""Passes of one key that may change something without a wait: those of several rollouts."""
CHANGE_SECONDS = 5.0
"""Time after which a key may make one of them again, and the longest time it is throttled."""
URGENT_CHANGES = 10
"""Changes at once that an urgent addition gives back at most: those of a decision, and of what carries it out."""


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """Counts of the queue."""

    depth: int
    """Keys that wait for a worker."""
    processing: int
    """Keys that are being handled."""
    delayed: int
    """Keys that are queued again at a later time, or throttled."""
    failing: int
    """Keys whose last pass failed."""
    added: int
    """Times a key was queued."""
    retried: int
    """Times a key was queued because its pass failed."""
    waited_seconds: float
    """Total time in the queue of all keys taken so far."""


class WorkQueue(Generic[K]):
    """A deduplicating queue with delays and backoff for several workers on one event loop."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        # Counts the keys that are dirty, not handled by a worker and not throttled.
        self._ready = asyncio.Semaphore(0)
        # A dict from key to the time it was added: the keys to be handled (again), in this order.
        self._dirty: dict[K, float] = {}
        # Those of them that come first, in order.
        self._urgent: dict[K, None] = {}
        self._processing: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        # When the changes of a key are used up: each takes `CHANGE_SECONDS` of the future. Oldest change first.
        self._used_until: OrderedDict[K, float] = OrderedDict()
        self._throttled: dict[K, asyncio.TimerHandle] = {}
        self._added = 0
        self._retried = 0
        self._waited = 0.0

    def add(self, key: K, *, first: bool = False, urgent: bool = False) -> None:
        """Queue a key, unless it is queued already.

        Parameters
        ----------
        key
            The key.
        first
            Whether it moves before the others.
        urgent
            The same, and it may make `URGENT_CHANGES` without being throttled.
        """
        if first or urgent:
            self._urgent.setdefault(key)
        if urgent:
            self._release(key)
            self._give_back(key)
        if key in self._dirty:
            return
        self._dirty[key] = asyncio.get_running_loop().time()
        self._added += 1
        if self._is_free(key):
            self._ready.release()

    def add_after(self, key: K, seconds: float) -> None:
        """Queue a key after a delay; the earliest of several delays counts."""
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= loop.time() + seconds:
                return
            timer.cancel()
        self._timers[key] = loop.call_later(seconds, self._due, key)

    def add_rate_limited(self, key: K, at_least: float = 0.0) -> None:
        """Queue a key after its backoff: doubling with every failure, with jitter, never before `at_least` seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self._retried += 1
        delay = min(MAX_DELAY, BASE_DELAY * 2.0 ** min(failures, 32))
        self.add_after(key, max(at_least, delay) * (1 + JITTER * self._rng.random()))

    def forget(self, key: K) -> None:
        """Reset the key's backoff."""
        self._failures.pop(key, None)

    def note_change(self, key: K) -> bool:
        """Count a pass that has changed something, before `done`; return whether the key is throttled from now on.

        It is throttled after `CHANGES_AT_ONCE` of them, for up to `CHANGE_SECONDS` or until it is added as urgent. So a
        plan that never rests makes one change in this time, and not as many as the API server takes.
        """
        now = asyncio.get_running_loop().time()
        while self._used_until and next(iter(self._used_until.values())) <= now:
            self._used_until.popitem(last=False)
        longest = (CHANGES_AT_ONCE + 1) * CHANGE_SECONDS
        used = min(max(self._used_until.pop(key, now), now) + CHANGE_SECONDS, now + longest)
        self._used_until[key] = used
        wait = used - now - CHANGES_AT_ONCE * CHANGE_SECONDS
        if wait <= 0:
            return False
        self._throttled[key] = asyncio.get_running_loop().call_later(wait, self._release, key)
        return True

    async def get(self) -> K:
        """Wait for a key and take it. The caller must call `done` afterwards."""
        await self._ready.acquire()
        key = next(key for key in chain(self._urgent, self._dirty) if self._is_free(key))
        self._urgent.pop(key, None)
        self._waited += asyncio.get_running_loop().time() - self._dirty.pop(key)
        self._processing.add(key)
        return key

    def done(self, key: K) -> None:
        """Finish a key; it is queued again if it was added in the meantime."""
        self._processing.discard(key)
        if key in self._dirty and self._is_free(key):
            self._ready.release()

    def close(self) -> None:
        """Cancel all delays."""
        for timers in (self._timers, self._throttled):
            for timer in timers.values():
                timer.cancel()
            timers.clear()

    def statistics(self) -> QueueStatistics:
        """Return counts of the queue."""
        return QueueStatistics(
            depth=sum(self._is_free(key) for key in self._dirty),
            processing=len(self._processing),
            delayed=len(self._timers.keys() | (self._throttled.keys() & self._dirty.keys())),
            failing=len(self._failures),
            added=self._added,
            retried=self._retried,
            waited_seconds=self._waited,
        )

    def _due(self, key: K) -> None:
        del self._timers[key]
        self.add(key)

    def _is_free(self, key: K) -> bool:
        """Return whether a worker may take a key."""
        return key not in self._processing and key not in self._throttled

    def _give_back(self, key: K) -> None:
        """Let a key make `URGENT_CHANGES` more at once, if fewer are left."""
        if key in self._used_until:
            latest = asyncio.get_running_loop().time() + (CHANGES_AT_ONCE - URGENT_CHANGES) * CHANGE_SECONDS
            self._used_until[key] = min(self._used_until[key], latest)

    def _release(self, key: K) -> None:
        """End the throttling of a key, if it is throttled."""
        timer = self._throttled.pop(key, None)
        if timer is None:
            return
        timer.cancel()
        if key in self._dirty and self._is_free(key):
            # Its time in the queue begins now.
            self._dirty[key] = asyncio.get_running_loop().time()
            self._ready.release()
