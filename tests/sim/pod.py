"""One training pod as its node sees it: containers that wait, run and end, and the status that tells of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random

from steadfit.kube.client import APIError

from . import podstatus
from .loop import SimLoop, time_text
from .objects import JSON, ref_of
from .store import Store

MANAGER = "kubelet"


class PodEnded(Exception):  # noqa: N818 - what happened
    """The pod is gone or going: its script ends here."""


class Pod:
    """One training pod as its node sees it."""

    def __init__(self, loop: SimLoop, store: Store, obj: JSON, rng: Random) -> None:
        self._loop = loop
        self._store = store
        self.ref = ref_of(obj)
        self.labels: Mapping[str, str] = obj["metadata"]["labels"]
        self._uid = obj["metadata"]["uid"]
        self._rng = rng
        spec = obj["spec"]
        self._init = [one["name"] for one in spec.get("initContainers", [])]
        self._main = [one["name"] for one in spec["containers"]]
        self._images = {one["name"]: one["image"] for one in (*spec.get("initContainers", []), *spec["containers"])}
        self._states: dict[str, JSON] = {name: podstatus.waiting("PodInitializing") for name in self._images}
        self._begun: dict[str, str] = {}
        self._started = ""

    def live(self) -> JSON:
        """Return the pod as it is stored."""
        self._alive()
        return self._store.get(self.ref)

    def image(self, name: str) -> str:
        """Return the image of a container."""
        return str(self._images[name])

    async def sleep(self, low: float, high: float) -> None:
        """Wait; the pod may be gone afterwards."""
        await asyncio.sleep(self._rng.uniform(low, high))
        self._alive()

    async def forever(self) -> None:
        """Wait until the pod is gone."""
        while True:
            await self.sleep(30, 30)

    def bind(self) -> None:
        """Give the pod a node."""
        self._started = time_text(self._loop)
        self._store.edit(self.ref, lambda pod: pod["spec"].update(nodeName="worker"), "scheduler")

    async def run(self, name: str, low: float, high: float) -> None:
        """Start a container and let it run."""
        self._begun[name] = time_text(self._loop)
        self._states[name] = podstatus.running(self._begun[name])
        self.show()
        await self.sleep(low, high)

    def finish(self, name: str) -> None:
        """Let a container end well."""
        self._states[name] = podstatus.terminated(self._begun[name], time_text(self._loop), 0, "Completed")
        self.show()

    def wait_for(self, name: str, reason: str, message: str) -> None:
        """Let a container wait."""
        self._states[name] = podstatus.waiting(reason, message)
        self.show()

    def fail(self, name: str, code: int, reason: str, message: str = "") -> str:
        """Let a container and with it the pod fail."""
        self._states[name] = podstatus.terminated(self._begun[name], time_text(self._loop), code, reason, message)
        self.show(phase="Failed")
        return f"{name} failed"

    def evict(self) -> str:
        """Let the node throw the pod out."""
        disrupted = podstatus.condition(
            "DisruptionTarget",
            True,
            time_text(self._loop),
            "TerminationByKubelet",
            "The node was low on resource: memory.",
        )
        self.show(phase="Failed", extra=disrupted, reason="Evicted", message="The node was low on resource: memory.")
        return "evicted"

    def show(self, phase: str | None = None, extra: JSON | None = None, reason: str = "", message: str = "") -> None:
        """Write the pod's status."""
        init = [podstatus.container(name, self._images[name], self._states[name]) for name in self._init]
        main = [podstatus.container(name, self._images[name], self._states[name]) for name in self._main]
        if phase is None:
            done = all("terminated" in self._states[name] for name in self._main)
            begun = any(name in self._begun for name in self._main)
            phase = "Succeeded" if done else "Running" if begun else "Pending"
        self.put(
            podstatus.status(
                phase, self._started, init, main, extra=[extra] if extra else [], reason=reason, message=message
            )
        )

    def put(self, status: JSON) -> None:
        """Write a status as it is."""
        self._alive()
        try:
            self._store.set_status(self.ref, status, MANAGER)
        except APIError:
            raise PodEnded from None

    def _alive(self) -> None:
        pod = self._store.find(self.ref)
        if pod is None or pod["metadata"]["uid"] != self._uid or "deletionTimestamp" in pod["metadata"]:
            raise PodEnded
