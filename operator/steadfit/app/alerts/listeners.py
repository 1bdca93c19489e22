"""TrainingJobs with alert triggers, read live and cached for a few seconds.

Every replica receives alerts and only the leader has the cache of all objects, so this is a small cache of its own. It
only selects TrainingJobs: the writer reads each one again before it writes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from steadfit.api.trainingjob import Trigger
from steadfit.core.training.triggers.alert_matching import Listener, Listeners, by_model
from steadfit.kube.client import KubeClient
from steadfit.kube.resources import TRAINING_JOBS

logger = logging.getLogger(__name__)

CACHE_SECONDS = 3.0
MANY_NAMESPACES = 8
"""For more namespaces than this, one list of all is cheaper than one each, and bounds the requests of one post."""

_TRIGGERS = TypeAdapter(list[Trigger])


@dataclass(frozen=True, slots=True)
class _Entry:
    listeners: Listeners
    until: float


class ListenerCache:
    """Finds the TrainingJobs of namespaces by the model that their triggers match."""

    def __init__(self, client: KubeClient, watched: Collection[str] = ()) -> None:
        self._client = client
        self._watched = frozenset(watched)
        self._entries: dict[str, _Entry] = {}
        self._turn = asyncio.Lock()

    def watches(self, namespace: str) -> bool:
        """Return whether the operator watches a namespace."""
        return not self._watched or namespace in self._watched

    async def of(self, namespaces: Collection[str]) -> Mapping[str, Listeners]:
        """Return the TrainingJobs of these namespaces, all of which are watched."""
        # One at a time: the second caller finds what the first one has read.
        async with self._turn:
            now = asyncio.get_running_loop().time()
            self._entries = {name: entry for name, entry in self._entries.items() if entry.until > now}
            missing = [name for name in namespaces if name not in self._entries]
            # The age counts from before the request: a change during it is not in the answer.
            for name, listeners in (await self._read(missing)).items():
                self._entries[name] = _Entry(by_model(listeners), now + CACHE_SECONDS)
            return {name: self._entries[name].listeners for name in namespaces}

    async def _read(self, namespaces: Collection[str]) -> dict[str, list[Listener]]:
        found: dict[str, list[Listener]] = {name: [] for name in namespaces}
        if len(namespaces) > MANY_NAMESPACES and not self._watched:
            listings = [await self._client.list(TRAINING_JOBS)]
        else:
            listings = [await self._client.list(TRAINING_JOBS, name) for name in namespaces]
        for listing in listings:
            for job in listing.items:
                if job["metadata"]["namespace"] in found and "deletionTimestamp" not in job["metadata"]:
                    found[job["metadata"]["namespace"]].extend(_readable(job))
        return found


def _readable(job: Mapping[str, Any]) -> list[Listener]:
    try:
        return [listener(job)]
    except ValidationError:
        # One TrainingJob that a newer operator wrote must not silence the others; its own pass reports the error.
        logger.exception("the triggers of %s/%s cannot be read", job["metadata"]["namespace"], job["metadata"]["name"])
        return []


def listener(job: Mapping[str, Any]) -> Listener:
    """Return the triggers of a TrainingJob."""
    metadata = job["metadata"]
    triggers = _TRIGGERS.validate_python(job["spec"].get("triggers", []))
    return Listener(metadata["namespace"], metadata["name"], triggers)
