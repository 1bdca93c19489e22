"""Periodic full lists, and one before work starts: they repair what the watches missed.

kopf synthesises no DELETED event for an object that vanished while a watch was down, and a watch that is silently dead
delivers nothing. So every resource is listed every few minutes and compared with the cache.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from .cache import Cache, resource_version
from .client import APIError, Forbidden, KubeClient, NotFound
from .resources import Resource
from .restored import require_newer

logger = logging.getLogger(__name__)

JITTER = 0.2
RETRY_SECONDS = 2.0
MAX_RETRY_SECONDS = 60.0
REQUEST_DELAY_SECONDS = 10.0
"""Delay of a requested round, so that the watches are up again before it."""
DISCOVERY_SECONDS = 30.0
"""Interval of the lists of a resource that the cluster lacks and an object needs."""
WATCH_GRACE_SECONDS = 60.0
"""How long a watch may take to deliver a change that a list has shown."""


@dataclass(frozen=True, slots=True)
class ListScope:
    """One list: a resource, in one namespace or in all, narrowed by labels or not."""

    resource: Resource
    namespace: str | None = None
    label_selector: str | None = None
    optional: bool = False
    """Whether the cluster may lack the resource: then it has no objects, and that is no failure."""


@dataclass(frozen=True, slots=True)
class ResyncStatistics:
    """Counts of the lists."""

    completed: int
    """Rounds in which every list succeeded."""
    failed: int
    """Lists that failed."""
    age_seconds: float
    """Time since the last complete round; since the start before the first."""
    repaired_changes: int
    """Objects that were newer in a list than in the cache, after priming."""
    repaired_deletions: int
    """Objects that were gone although no watch event said so."""
    stale_watches: Sequence[str]
    """Kinds whose watch has not delivered a change within the grace time."""
    missing_rights: Sequence[str] = ()
    """Verbs and resources that the operator's role lacks and that work waits for before it starts."""


class Resync:
    """Lists every source into the cache: `prime` before work starts, then `run` and `discover` without end."""

    def __init__(
        self,
        client: KubeClient,
        cache: Cache,
        sources: Sequence[ListScope],
        interval_seconds: float,
        rng: Random,
        after_round: Callable[[], None],
        wanted: Callable[[Resource], bool] = lambda resource: False,
        on_found: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._cache = cache
        self._sources = sources
        self._interval = interval_seconds
        self._rng = rng
        self._after_round = after_round
        self._wanted = wanted
        self._on_found = on_found
        # Objects that were newer in a list than in the cache, and since when: the watch should deliver them too.
        self._undelivered: dict[str, tuple[Resource, int, float]] = {}
        self._forbidden: set[Resource] = set()
        self._requested = asyncio.Event()
        self._last: float | None = None
        self._completed = 0
        self._failed = 0
        self._changes = 0
        self._deletions = 0

    async def prime(self) -> None:
        """Fill the cache; retry until every list has succeeded."""
        self._last = asyncio.get_running_loop().time()
        delay = RETRY_SECONDS
        # All in each round: whoever reads what is missing gets the whole of it.
        missing = self._sources
        while missing := [source for source in missing if not await self._list(source, priming=True)]:
            await asyncio.sleep(delay * (1 + JITTER * self._rng.random()))
            delay = min(MAX_RETRY_SECONDS, delay * 2)
        self._complete()

    async def run(self) -> None:
        """Compare the cache with full lists, without end.

        Raises
        ------
        Restored
            If a list is older than the cache: the cluster was restored to an older state.
        """
        while True:
            # Jitter keeps many operators from listing at once after the API server came back.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval * (1 + JITTER * (2 * self._rng.random() - 1))):
                    await self._requested.wait()
            self._requested.clear()
            if all([await self._list(source, priming=False) for source in self._sources]):
                self._complete()

    async def discover(self) -> None:
        """List the resources that the cluster lacks while an object needs them, without end.

        No event announces a new resource: the watches were started without it.
        """
        while True:
            await asyncio.sleep(DISCOVERY_SECONDS)
            for source in self._sources:
                if self._cache.lacks(source.resource) and self._wanted(source.resource):
                    await self._list(source, priming=True)

    def request(self) -> None:
        """Bring the next round forward: after an interruption the watches never deliver what was deleted meanwhile."""
        asyncio.get_running_loop().call_later(REQUEST_DELAY_SECONDS, self._requested.set)

    def note_event(self, obj: Mapping[str, Any]) -> None:
        """Record that a watch has delivered a state of an object."""
        uid = obj["metadata"]["uid"]
        undelivered = self._undelivered.get(uid)
        if undelivered is not None and resource_version(obj) >= undelivered[1]:
            del self._undelivered[uid]

    def statistics(self) -> ResyncStatistics:
        """Return counts of the lists."""
        now = asyncio.get_running_loop().time()
        stale = {res.kind for res, _, since in self._undelivered.values() if now - since > WATCH_GRACE_SECONDS}
        return ResyncStatistics(
            completed=self._completed,
            failed=self._failed,
            age_seconds=0.0 if self._last is None else now - self._last,
            repaired_changes=self._changes,
            repaired_deletions=self._deletions,
            stale_watches=sorted(stale),
            missing_rights=[] if self._completed else sorted(f"list {one.full_name}" for one in self._forbidden),
        )

    async def _list(self, source: ListScope, *, priming: bool) -> bool:
        # Of before the request: the watch may deliver what is newer than the list while its pages arrive.
        seen = self._cache.newest(source.resource)
        try:
            listing = await self._client.list(source.resource, source.namespace, source.label_selector)
        except NotFound as error:
            if source.optional:
                self._cache.mark_lacking(source.resource)
                return True
            self._refused(source, error)
            return False
        except APIError as error:
            self._refused(source, error)
            return False
        self._forbidden.discard(source.resource)
        version = int(listing.resource_version)
        require_newer(f"the list of {source.resource.plural}", version, seen)
        was_lacking = self._cache.lacks(source.resource)
        newer, gone = self._cache.replace(source.resource, source.namespace, listing.items, version)
        if not priming:
            now = asyncio.get_running_loop().time()
            self._changes += len(newer)
            self._deletions += len(gone)
            for obj in newer:
                self._undelivered.setdefault(obj["metadata"]["uid"], (source.resource, resource_version(obj), now))
            for obj in gone:
                self._undelivered.pop(obj["metadata"]["uid"], None)
                logger.info("%s was deleted without a watch event", obj["metadata"]["name"])
        if was_lacking:
            logger.info("the cluster serves %s now", source.resource.plural)
            self._on_found()
            self._after_round()
        return True

    def _refused(self, source: ListScope, error: APIError) -> None:
        self._failed += 1
        if isinstance(error, Forbidden):
            self._forbidden.add(source.resource)
            logger.warning(
                "the role of the operator lacks the verb list for %s: apply the roles of this release; %s",
                source.resource.full_name,
                error,
            )
            return
        logger.warning("cannot list %s: %s", source.resource.plural, error)

    def _complete(self) -> None:
        self._completed += 1
        self._last = asyncio.get_running_loop().time()
        self._after_round()
