"""The TrainingJobs that take alerts, read live and remembered for a few seconds.

Every replica takes alerts and only the leader has a cache, so this is a small one of its own. What it says is only
whom to ask: the writer reads each TrainingJob again before it writes.
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

REMEMBERED_SECONDS = 3.0
MANY_NAMESPACES = 8
"""Where more are asked for, one list of everything is cheaper than one of each, and a post cannot cause thousands."""

_TRIGGERS = TypeAdapter(list[Trigger])


@dataclass(frozen=True, slots=True)
class _Memory:
    listeners: Listeners
    until: float


class Targets:
    """Knows the TrainingJobs of namespaces by the model their triggers ask for."""

    def __init__(self, client: KubeClient, watched: Collection[str] = ()) -> None:
        self._client = client
        self._watched = frozenset(watched)
        self._memory: dict[str, _Memory] = {}
        self._turn = asyncio.Lock()

    def watches(self, namespace: str) -> bool:
        """Return whether the operator works in a namespace."""
        return not self._watched or namespace in self._watched

    async def of(self, namespaces: Collection[str]) -> Mapping[str, Listeners]:
        """Return the TrainingJobs of these namespaces; the caller has asked `watches` before."""
        # One at a time: whoever comes second finds what the first one has read.
        async with self._turn:
            now = asyncio.get_running_loop().time()
            self._memory = {name: memory for name, memory in self._memory.items() if memory.until > now}
            missing = [name for name in namespaces if name not in self._memory]
            # Remembered from before the question: what changes while it is answered is news.
            for name, listeners in (await self._read(missing)).items():
                self._memory[name] = _Memory(by_model(listeners), now + REMEMBERED_SECONDS)
            return {name: self._memory[name].listeners for name in namespaces}

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
        # One TrainingJob that a newer operator wrote must not silence the others; its own pass tells what is wrong.
        logger.exception("the triggers of %s/%s cannot be read", job["metadata"]["namespace"], job["metadata"]["name"])
        return []


def listener(job: Mapping[str, Any]) -> Listener:
    """Return the triggers of a TrainingJob."""
    metadata = job["metadata"]
    triggers = _TRIGGERS.validate_python(job["spec"].get("triggers", []))
    return Listener(metadata["namespace"], metadata["name"], triggers)
