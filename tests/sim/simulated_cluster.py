"""A whole simulated installation: cluster, nodes, users, and one or more operator processes that crash and restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from steadfit.app.engine.engine import Engine, EngineSettings, PlanTable
from steadfit.app.engine.plan_table import planners
from steadfit.core.types import Platform

from .behaviour import Serving, Training
from .client import CrashPlan, Faults, SimClient
from .garbage import GarbageCollector
from .loop import SimLoop
from .objects import JSON, Ref, clone, ref_of
from .properties import MANAGERS, Properties
from .serving import ServingNodes
from .store import Change, Store
from .training import TrainingNodes
from .watch import Lag, Watches

NAMESPACE = "ml"
RESTART_SECONDS = 3.0
LEASE_SECONDS = 15.0
"""How long after a process stopped another one takes over."""
RESIGN_SECONDS = 0.1
"""How long a thawed process may still act: what is under way goes out before it learns that its lease is lost."""
QUIET_SECONDS = 1500.0
"""Longer than two resyncs and the longest backoff: what has not happened by then does not happen."""

PLATFORM = Platform(
    trainer_image="registry.example.com/steadfit/trainer@sha256:" + "1" * 64,
    server_image="registry.example.com/steadfit/server@sha256:" + "2" * 64,
    operator_version="0.1.0",
    record_url="https://steadfit-operator.steadfit-system.svc:8443",
    ca_bundle="-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
)


class Violated(AssertionError):  # noqa: N818 - what happened
    """A property did not hold."""


@dataclass(frozen=True, slots=True)
class ClockAhead:
    """The clock of a machine, ahead of that of the API server."""

    loop: SimLoop
    ahead: timedelta

    def now(self) -> datetime:
        return self.loop.now() + self.ahead


@dataclass
class Process:
    """One process of the operator: its memory, its client, its watches."""

    client: SimClient
    watches: Watches
    main: asyncio.Task[None]
    engine: Engine


@dataclass
class Conditions:
    """Under what conditions a scenario runs."""

    faults: Faults = field(default_factory=Faults)
    lag: Lag = field(default_factory=Lag)
    crash: CrashPlan = field(default_factory=CrashPlan)
    thaw_seconds: float = 60.0
    """How long a frozen process stands still."""
    plan_table: PlanTable = planners


class SimulatedCluster:
    """What scenarios act on. Users' edits go straight to the store; the operator only sees what its watches tell."""

    def __init__(self, loop: SimLoop, conditions: Conditions | None = None) -> None:
        self.loop = loop
        self.conditions = conditions or Conditions()
        self.store = Store(loop.now, loop.time)
        self.training: Callable[[Mapping[str, Any], int], Training] = lambda run, attempt: Training()
        self.serving: Callable[[Mapping[str, Any]], Serving] = lambda deployment: Serving()
        self.refuses = False
        """Whether the story makes the API server refuse a write."""
        self.properties = Properties(self.store)
        self.history: list[Change] = []
        self.crashes = 0
        self.platform = PLATFORM
        """The installation of the next process."""
        self.clock_ahead = timedelta()
        """How far the clock of the next process is ahead."""
        self.processes: list[Process] = []
        self.process: Process | None = None
        self._seen: dict[Ref, tuple[Mapping[str, Any], JSON]] = {}
        self.store.listeners.append(self.history.append)
        GarbageCollector(loop, self.store)
        self.training_nodes = TrainingNodes(loop, self.store, lambda run, attempt: self.training(run, attempt))
        ServingNodes(loop, self.store, lambda deployment: self.serving(deployment))

    # The operator

    def start(self) -> Process:
        """Start an operator process."""
        number = len(self.processes) + 1
        rng = Random(f"{self.loop.rng.random()}-{number}")
        client = SimClient(
            self.store,
            rng,
            self.conditions.faults,
            self.conditions.crash,
            on_kill=lambda: self._died(process),
            on_freeze=lambda: self._froze(process),
        )
        engine = Engine(
            client,
            ClockAhead(self.loop, self.clock_ahead),
            rng,
            self.platform,
            EngineSettings(identity=f"steadfit-{number}"),
            self.conditions.plan_table,
        )
        watches = Watches(self.loop, self.store, rng, self.conditions.lag, engine.on_event)

        async def main() -> None:
            await engine.prime()
            await engine.run()

        process = Process(client, watches, self.loop.create_task(main()), engine)
        self.processes.append(process)
        return process

    def boot(self) -> None:
        """Start the one operator; it is started again whenever it dies."""
        self.process = self.start()

    def stop(self, process: Process | None = None) -> None:
        """End a process as SIGKILL does."""
        process = process or self.process
        assert process is not None
        process.client.kill()
        process.watches.close()
        process.main.cancel()

    def _died(self, process: Process) -> None:
        self.crashes += 1
        process.watches.close()
        process.main.cancel()
        if process is self.process:
            self.loop.call_later(RESTART_SECONDS, self.boot)

    def _froze(self, process: Process) -> None:
        """Let another process take over, and the frozen one wake up much later and not know."""
        self.crashes += 1
        self.pause(process)
        self.loop.call_later(LEASE_SECONDS, self.boot)
        self.loop.call_later(self.conditions.thaw_seconds, self._thaw, process)

    def _thaw(self, process: Process) -> None:
        self.properties.two_leaders = True
        self.resume(process)
        self.loop.call_later(RESIGN_SECONDS, self._resign, process)

    def _resign(self, process: Process) -> None:
        self.stop(process)
        self.properties.two_leaders = False

    async def restart(self) -> None:
        """Kill the operator and start it again: it plans everything anew from what is stored."""
        self.stop()
        await asyncio.sleep(RESTART_SECONDS)
        self.boot()

    def pause(self, process: Process) -> None:
        """Stop a process in the middle of what it does, as a frozen node does."""
        process.client.pause()
        process.watches.pause()

    def resume(self, process: Process) -> None:
        """Let a paused process go on: its pending calls go out, then it hears what it missed."""
        process.client.resume()
        process.watches.resume()

    # Users

    def create(self, manifest: Mapping[str, Any]) -> JSON:
        """Create an object as a user."""
        return self.store.create(manifest, "kubectl-create")

    def edit(self, kind: str, name: str, change: Callable[[JSON], object]) -> JSON:
        """Change an object as a user."""
        return self.store.edit(self.ref(kind, name), change, "kubectl-edit")

    def lose_status(self, kind: str, name: str) -> None:
        """Put an object back without its status, as a restore of a backup does."""
        self.store.set_status(self.ref(kind, name), {}, "restore")

    def delete(self, kind: str, name: str) -> None:
        """Delete an object as a user."""
        self.store.delete(self.ref(kind, name), "kubectl-delete")

    # Looking

    def ref(self, kind: str, name: str) -> Ref:
        """Return the place of an object of the scenario's namespace."""
        api_version = {
            "Service": "v1",
            "Pod": "v1",
            "Job": "batch/v1",
            "Deployment": "apps/v1",
            "ControllerRevision": "apps/v1",
            "HTTPRoute": "gateway.networking.k8s.io/v1",
        }.get(kind, "steadfit.dev/v1alpha1")
        return Ref(api_version, kind, None if kind == "ArtifactStore" else NAMESPACE, name)

    def find(self, kind: str, name: str) -> JSON | None:
        """Return an object of the scenario's namespace."""
        stored = self.store.look(self.ref(kind, name))
        return self._copy(stored) if stored is not None else None

    def status(self, kind: str, name: str) -> JSON:
        """Return the status of an object; empty if there is none."""
        found = self.find(kind, name)
        return dict(found.get("status", {})) if found else {}

    def objects(self, kind: str) -> list[JSON]:
        """Return all objects of a kind."""
        return [self._copy(obj) for obj in self.store.peek(kind)]

    def _copy(self, stored: Mapping[str, Any]) -> JSON:
        """Return a copy, the same one until the object changes: a story looks twice a second at what rarely changes."""
        ref = ref_of(stored)
        known = self._seen.get(ref)
        if known is None or known[0] is not stored:
            known = self._seen[ref] = stored, clone(dict(stored))
        return known[1]

    def check(self) -> None:
        """Fail at once if a property was violated.

        Raises
        ------
        Violated
            With the first violations and the newest history.
        """
        if self.properties.violations:
            raise Violated("\n".join([*self.properties.violations[:10], self.tell()]))

    async def until(self, what: Callable[[], object], within: float = 7200.0, say: str = "") -> None:
        """Wait until something holds.

        Raises
        ------
        AssertionError
            If it does not within that many simulated seconds.
        """
        end = self.loop.time() + within
        while not what():
            self.check()
            if self.loop.time() > end:
                raise AssertionError(
                    f"{say or 'a condition'} did not come to hold within {within:.0f} s\n{self.tell()}"
                )
            await asyncio.sleep(0.5)

    async def quiet(self, within: float = 40_000.0) -> None:
        """Wait until the operator has written nothing for so long that it never will."""
        end = self.loop.time() + within
        while (last := self.last_write()) > self.loop.time() - QUIET_SECONDS:
            self.check()
            if self.loop.time() > end:
                raise AssertionError(f"the operator does not come to rest\n{self.tell()}")
            await asyncio.sleep(last + QUIET_SECONDS - self.loop.time() + 1)

    def last_write(self) -> float:
        """Return when anything but a pod last changed."""
        changes = (change.at for change in reversed(self.history) if change.ref.kind not in ("Pod", "Event"))
        return next(changes, 0.0)

    def writes_since(self, at: float) -> list[str]:
        """Return what the operator has written since."""
        return [
            f"{change.at:.1f} {change.operation} {change.ref}"
            for change in self.history
            if change.at > at and change.manager in MANAGERS and change.ref.kind != "Event"
        ]

    def tell(self, last: int = 40) -> str:
        """Return the newest history in words, for the message of a failed test."""
        lines = [
            f"{change.at:9.1f} {change.manager:22} {change.operation:8} {change.type:8} {change.ref}"
            for change in self.history
            if change.ref.kind not in ("Event", "Pod", "ReplicaSet")
        ]
        return "\n".join(lines[-last:])
