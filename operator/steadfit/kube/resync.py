"""The full list now and then, and once before work starts: what repairs whatever the watches missed.

kopf synthesises no DELETED for what vanished while a watch was down, and a watch that is silently dead tells nothing
at all. So every resource is listed every few minutes and compared with the cache.
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
from .client import APIError, KubeClient, NotFound
from .resources import Resource

logger = logging.getLogger(__name__)

JITTER = 0.2
RETRY_SECONDS = 2.0
MAX_RETRY_SECONDS = 60.0
ASKED_SECONDS = 10.0
"""Time that watches are given to come up before a round that was asked for."""
LOOK_SECONDS = 30.0
"""Time between two looks for a resource that the cluster lacks and somebody wants."""
WATCH_GRACE_SECONDS = 60.0
"""How long a watch may take to tell what a list has shown."""


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
    """How the lists went."""

    completed: int
    """Rounds in which every list succeeded."""
    failed: int
    """Lists that failed."""
    age_seconds: float
    """Time since the last complete round; since the start before the first."""
    repaired_changes: int
    """Objects of which a list knew newer than the cache, after priming."""
    repaired_deletions: int
    """Objects that were gone although no watch had said so."""
    stale_watches: Sequence[str]
    """Kinds whose watch owes news for longer than it may take."""


class Resync:
    """Lists every source into the cache: `prime` before work starts, `run` and `find` for ever after."""

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
        # Objects that a list knew newer than the cache, and since when: the watch should tell them too.
        self._owed: dict[str, tuple[Resource, int, float]] = {}
        self._asked = asyncio.Event()
        self._last: float | None = None
        self._completed = 0
        self._failed = 0
        self._changes = 0
        self._deletions = 0

    async def prime(self) -> None:
        """Fill the cache; retried until every list has succeeded."""
        self._last = asyncio.get_running_loop().time()
        for source in self._sources:
            delay = RETRY_SECONDS
            while not await self._list(source, priming=True):
                await asyncio.sleep(delay * (1 + JITTER * self._rng.random()))
                delay = min(MAX_RETRY_SECONDS, delay * 2)
        self._complete()

    async def run(self) -> None:
        """Compare the cache with full lists, for ever."""
        while True:
            # Jitter keeps many operators from listing at once after the API server came back.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval * (1 + JITTER * (2 * self._rng.random() - 1))):
                    await self._asked.wait()
            self._asked.clear()
            if all([await self._list(source, priming=False) for source in self._sources]):
                self._complete()

    async def find(self) -> None:
        """Look for the resources that the cluster lacks while somebody wants them, for ever.

        Nothing tells of a resource that is new: the watches were begun without it.
        """
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for source in self._sources:
                if self._cache.lacks(source.resource) and self._wanted(source.resource):
                    await self._list(source, priming=True)

    def ask(self) -> None:
        """Have the next round soon: the watches were down, and what was deleted meanwhile they will never tell."""
        asyncio.get_running_loop().call_later(ASKED_SECONDS, self._asked.set)

    def note_event(self, obj: Mapping[str, Any]) -> None:
        """Note that a watch has told of an object: it owes this news no more."""
        uid = obj["metadata"]["uid"]
        owed = self._owed.get(uid)
        if owed is not None and resource_version(obj) >= owed[1]:
            del self._owed[uid]

    def statistics(self) -> ResyncStatistics:
        """Return how the lists went."""
        now = asyncio.get_running_loop().time()
        stale = {res.kind for res, _, since in self._owed.values() if now - since > WATCH_GRACE_SECONDS}
        return ResyncStatistics(
            completed=self._completed,
            failed=self._failed,
            age_seconds=0.0 if self._last is None else now - self._last,
            repaired_changes=self._changes,
            repaired_deletions=self._deletions,
            stale_watches=sorted(stale),
        )

    async def _list(self, source: ListScope, *, priming: bool) -> bool:
        try:
            listing = await self._client.list(source.resource, source.namespace, source.label_selector)
        except NotFound as error:
            if source.optional:
                self._cache.lose(source.resource)
                return True
            self._refused(source, error)
            return False
        except APIError as error:
            self._refused(source, error)
            return False
        was_lacking = self._cache.lacks(source.resource)
        newer, gone = self._cache.replace(
            source.resource, source.namespace, listing.items, int(listing.resource_version)
        )
        if not priming:
            now = asyncio.get_running_loop().time()
            self._changes += len(newer)
            self._deletions += len(gone)
            for obj in newer:
                self._owed.setdefault(obj["metadata"]["uid"], (source.resource, resource_version(obj), now))
            for obj in gone:
                self._owed.pop(obj["metadata"]["uid"], None)
                logger.info("%s was deleted unseen", obj["metadata"]["name"])
        if was_lacking:
            logger.info("the cluster has %s by now", source.resource.plural)
            self._on_found()
            self._after_round()
        return True

    def _refused(self, source: ListScope, error: APIError) -> None:
        self._failed += 1
        logger.warning("cannot list %s: %s", source.resource.plural, error)

    def _complete(self) -> None:
        self._completed += 1
        self._last = asyncio.get_running_loop().time()
        self._after_round()
