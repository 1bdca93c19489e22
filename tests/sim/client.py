"""The operator's client in the simulation: the store behind latency, faults, and the death of the process.

Every write is counted, so that a run can be repeated with the process killed right before or right after the n-th.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, TypeVar

from steadfit.kube.client import APIError, Conflict, Listing, NotFound, Unavailable
from steadfit.kube.resources import Resource

from .objects import JSON, Ref, clone, ref_of
from .store import Store

T = TypeVar("T")
Manifest = Mapping[str, Any]

MANAGER = "steadfit"


@dataclass
class Faults:
    """How often things go wrong; all rates are shares of calls."""

    unavailable: float = 0.0
    """Not done, answered 429, 500, 503 or with a broken connection."""
    lost: float = 0.0
    """Done, but the answer is lost."""
    conflict: float = 0.0
    """A write that is not done, answered with a conflict that nothing explains."""
    hanging: float = 0.0
    """Done or not after ten seconds, answered with a timeout."""
    killed: float = 0.0
    """The process dies before or after a write."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write of the operator."""

    number: int
    verb: str
    ref: Ref
    manifest: Manifest = field(default_factory=dict, compare=False, repr=False)
    at_once: bool = False
    """Nothing in the cluster has changed since the write before: to die before this one leaves the same behind as to
    die after that one."""

    def __str__(self) -> str:
        return f"{self.number} {self.verb} {self.ref}"


Interruption = Literal["before", "after", "frozen"]
"""Killed before a write, killed after it, or stopped right before it to go on much later."""


@dataclass
class CrashPlan:
    """At which write a process is hit, and how. Filled with the writes as they come."""

    at: int | Callable[[Write], bool] | None = None
    interruption: Interruption = "before"
    trace: list[Write] = field(default_factory=list)
    done: bool = False
    left_at: int = 0
    """Resource version of the cluster after the last write."""

    def interruption_at(self, write: Write) -> Interruption | None:
        """Note a write; return how the process is hit at it. That happens once."""
        self.trace.append(write)
        hit = self.at(write) if callable(self.at) else self.at == write.number
        if not hit or self.done:
            return None
        self.done = True
        return self.interruption


class SimClient:
    """Implements `KubeClient` for one process. After `kill` it answers nothing any more."""

    def __init__(
        self,
        store: Store,
        rng: Random,
        faults: Faults,
        plan: CrashPlan,
        on_kill: Callable[[], None],
        on_freeze: Callable[[], None],
    ) -> None:
        self._store = store
        self._rng = rng
        self._faults = faults
        self._plan = plan
        self._on_kill = on_kill
        self._on_freeze = on_freeze
        self._dead = False
        self._gate = asyncio.Event()
        self._gate.set()

    def kill(self) -> None:
        """End the process as SIGKILL does: no call goes out or comes back any more."""
        self._dead = True
        self._gate.set()

    def pause(self) -> None:
        """Stop the process: its calls stand still just before they reach the API server."""
        self._gate.clear()

    def resume(self) -> None:
        """Let the process go on."""
        self._gate.set()

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        """Read one object live."""
        return await self._call(lambda: self._store.get(Ref(resource.api_version, resource.kind, namespace, name)))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        label_selector: str | None = None,
    ) -> Listing:
        """Read all objects of a resource."""

        def commit() -> Listing:
            self._store.check_served(resource.kind)
            found = self._store.peek(resource.kind, namespace, label_selector, resource.api_version)
            return Listing([clone(dict(obj)) for obj in found], str(self._store.resource_version))

        return await self._call(commit)

    async def create(self, manifest: Manifest) -> JSON:
        """Create an object."""
        return await self._write("create", manifest, lambda: self._store.create(manifest, MANAGER))

    async def apply(self, manifest: Manifest, field_manager: str) -> JSON:
        """Server-side apply with force."""
        return await self._write("apply", manifest, lambda: self._store.apply(manifest, field_manager))

    async def patch_status(self, manifest: Manifest, patch: Mapping[str, Any]) -> JSON:
        """Merge-patch the status of the observed object."""
        for fence in ("uid", "resourceVersion"):
            if not manifest["metadata"].get(fence):
                raise AssertionError(f"the status of {ref_of(manifest)} is written without {fence}")
        return await self._write("status", manifest, lambda: self._store.patch_status(manifest, patch, MANAGER))

    async def patch_spec(self, manifest: Manifest, patch: Mapping[str, Any]) -> JSON:
        """Merge-patch the spec of the observed object."""
        for fence in ("uid", "resourceVersion"):
            if not manifest["metadata"].get(fence):
                raise AssertionError(f"the spec of {ref_of(manifest)} is written without {fence}")
        return await self._write("patch", manifest, lambda: self._store.patch_spec(manifest, patch, MANAGER))

    async def patch_owners(self, manifest: Manifest) -> JSON:
        """Give the observed object an owner."""
        for fence in ("uid", "resourceVersion"):
            if not manifest["metadata"].get(fence):
                raise AssertionError(f"{ref_of(manifest)} is adopted without {fence}")
        return await self._write("adopt", manifest, lambda: self._store.patch_owners(manifest, MANAGER))

    async def replace(self, manifest: Manifest) -> JSON:
        """Replace an object."""
        return await self._write("replace", manifest, lambda: self._store.replace(manifest, MANAGER))

    async def delete(self, manifest: Manifest, propagation: str = "Background") -> None:
        """Delete the observed object; one that is gone already is no error."""

        metadata = manifest["metadata"]
        if "uid" not in metadata:
            raise AssertionError(f"{ref_of(manifest)} is deleted whatever it is")
        preconditions = {key: metadata[key] for key in ("uid", "resourceVersion") if key in metadata}

        def commit() -> None:
            try:
                self._store.delete(ref_of(manifest), MANAGER, preconditions=preconditions, propagation=propagation)
            except NotFound:
                return

        await self._write("delete", manifest, commit)

    async def _write(self, verb: str, manifest: Manifest, commit: Callable[[], T]) -> T:
        ref = ref_of(manifest)
        if ref.kind == "Event":
            # A task of its own writes Events, later: a kill there equals a kill after the write before.
            return await self._call(commit)
        await self._travel()
        if self._rng.random() < self._faults.conflict:
            raise Conflict(409, "Conflict", "simulated")
        at_once = self._plan.left_at == self._store.resource_version
        interruption = self._plan.interruption_at(Write(len(self._plan.trace) + 1, verb, ref, manifest, at_once))
        if self._rng.random() < self._faults.killed:
            interruption = self._rng.choice(("before", "after"))
        if interruption == "frozen":
            self._on_freeze()
            await self._gate.wait()
            self._alive()
        if interruption == "before":
            self._die()
        result = self._attempt(commit)
        self._plan.left_at = self._store.resource_version
        if interruption == "after":
            self._die()
        return await self._answer(result)

    async def _call(self, commit: Callable[[], T]) -> T:
        await self._travel()
        return await self._answer(self._attempt(commit))

    async def _travel(self) -> None:
        """Go to the API server."""
        self._alive()
        await asyncio.sleep(self._rng.uniform(0.001, 0.05))
        await self._gate.wait()
        self._alive()
        fault = self._rng.random()
        if fault < self._faults.unavailable:
            code = self._rng.choice([429, 500, 503, 0])
            retry_after = self._rng.choice([None, 1.0, 5.0]) if code == 429 else None
            raise Unavailable(code, "Simulated", "not done", retry_after)

    def _attempt(self, commit: Callable[[], T]) -> Callable[[], T]:
        """Do it now; return what to say when the answer arrives."""
        try:
            result = commit()
        except APIError as error:
            refusal = error

            def refuse() -> T:
                raise refusal

            return refuse
        return lambda: result

    async def _answer(self, answer: Callable[[], T]) -> T:
        """Come back from the API server."""
        await asyncio.sleep(self._rng.uniform(0.001, 0.05))
        if self._rng.random() < self._faults.hanging:
            await asyncio.sleep(10)
            raise Unavailable(0, "Timeout", "no answer within 10 s")
        await self._gate.wait()
        self._alive()
        if self._rng.random() < self._faults.lost:
            raise Unavailable(0, "ConnectionReset", "the answer was lost")
        return answer()

    def _die(self) -> None:
        self.kill()
        self._on_kill()
        raise asyncio.CancelledError

    def _alive(self) -> None:
        if self._dead:
            raise asyncio.CancelledError
