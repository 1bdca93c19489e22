"""Why the API server refuses what a plan creates, by its own words; in memory, a new leader reads again.

Two sources fill it: refused creations, and the Events of Jobs that have no pod. Only Jobs of ours without a pod
are looked at, one list each: a watch of all Events would cost the API server more than all others together.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping

from steadfit.core.runs.runtime import refusal
from steadfit.core.types import Manifest
from steadfit.kube.cache import Cache, JSONObject
from steadfit.kube.client import APIError, KubeClient
from steadfit.kube.key import Key, key_of
from steadfit.kube.resources import EVENTS, PODS, RUNTIMES, Resource

from .indexes import owned_by

logger = logging.getLogger(__name__)

ROUND_SECONDS = 10.0
LISTS_PER_ROUND = 20
"""With more Jobs without a pod, each is looked at less often."""
REMEMBERED = 1000


class Refusals:
    """The last refusal of each object. `listen` is called with the object when the words change."""

    def __init__(self, client: KubeClient, cache: Cache, listen: Callable[[JSONObject], None]) -> None:
        self._client = client
        self._cache = cache
        self._listen = listen
        self._causes: OrderedDict[Key, str] = OrderedDict()

    def within(self, namespace: str | None, resources: Collection[Resource]) -> Mapping[str, str]:
        """Return the causes for objects of some resources in a namespace, by their names."""
        return {
            key.name: cause
            for key, cause in self._causes.items()
            if key.namespace == namespace and key.resource in resources
        }

    def record(self, manifest: Manifest, message: str) -> None:
        """Store why an object, or the pod of a Job, was refused."""
        key, cause = key_of(manifest), refusal.cause(message)
        known = self._causes.get(key)
        self._causes[key] = cause
        if len(self._causes) > REMEMBERED:
            self._causes.popitem(last=False)
        if known != cause:
            self._listen(dict(manifest))

    def forget(self, manifest: Manifest) -> None:
        """Remove the refusal of an object that was created after all, or of a Job that has its pod."""
        self._causes.pop(key_of(manifest), None)

    async def run(self) -> None:
        """Read the Events of Jobs without a pod, without end."""
        turns: OrderedDict[str, None] = OrderedDict()
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            without = {str(job["metadata"]["uid"]): job for job in self._without_pod()}
            # Those that were read last come last.
            turns = OrderedDict.fromkeys([*(uid for uid in turns if uid in without), *without])
            for uid in list(turns)[:LISTS_PER_ROUND]:
                turns.move_to_end(uid)
                await self._read(without[uid])

    def _without_pod(self) -> Iterator[JSONObject]:
        for resource in RUNTIMES:
            for job in self._cache.all(resource):
                if refusal.lacks_pod(job, owned_by(self._cache, PODS, job["metadata"]["uid"])):
                    yield job
                else:
                    self.forget(job)

    async def _read(self, job: JSONObject) -> None:
        metadata = job["metadata"]
        selector = f"reason={refusal.REASON},regarding.uid={metadata['uid']}"
        try:
            listing = await self._client.list(EVENTS, metadata["namespace"], field_selector=selector)
        except APIError as error:
            logger.info("cannot list the Events of Job %s: %s", metadata["name"], error)
            return
        cause = refusal.newest(listing.items)
        if cause:
            self.record(job, cause)
