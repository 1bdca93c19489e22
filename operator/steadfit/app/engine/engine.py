"""The engine: cache, work queue, workers and resync. The simulator runs all of it.

It depends on a client, a clock and a source of randomness, not on HTTP, kopf or processes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

import structlog

from steadfit.api.metricsource import MetricSource
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core.names import MANAGED_BY, MANAGER
from steadfit.core.types import Platform
from steadfit.kube.cache import Cache, CacheStatistics, JSONObject
from steadfit.kube.client import KubeClient
from steadfit.kube.clock import Clock
from steadfit.kube.events import Recorder, RecorderStatistics
from steadfit.kube.key import Key
from steadfit.kube.resources import (
    CHILDREN,
    EVENTS,
    HTTP_ROUTES,
    MODEL_DEPLOYMENTS,
    OPTIONAL,
    OWN,
    TRAINING_JOBS,
    WATCHED,
    Resource,
)
from steadfit.kube.restored import Restored
from steadfit.kube.resync import ListScope, Resync, ResyncStatistics
from steadfit.kube.workqueue import QueueStatistics, WorkQueue
from steadfit.prometheus.canary_trial import Trial
from steadfit.prometheus.live import LiveModel
from steadfit.prometheus.signals import Signals

from .action_arrivals import ActionArrivals
from .affected_keys import keys_of
from .applied_templates import AppliedTemplates
from .indexes import INDEXES, is_new_action
from .observe import Observer
from .pod_times import PodObservations
from .reconcile import Outcome, Planner, Reconciler, Result
from .refusals import Refusals

logger = logging.getLogger(__name__)

PlanTable = Callable[[Observer], Mapping[Resource, Planner]]
"""Returns the planner of every own kind; tests give one with toys."""

SELECTOR = f"{MANAGED_BY}={MANAGER}"


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Settings of the engine."""

    namespaces: tuple[str, ...] = ()
    """Namespaces that are watched; all of them when empty."""
    workers: int = 4
    """Number of passes at once."""
    resync_seconds: float = 600.0
    """Time between two full lists."""
    identity: str = "steadfit"
    """Name of this process in Events."""


@dataclass(frozen=True, slots=True)
class EngineStatistics:
    """Statistics of every part of the engine."""

    queue: QueueStatistics
    cache: CacheStatistics
    resync: ResyncStatistics
    events: RecorderStatistics
    passes: Mapping[tuple[str, Outcome], int]
    """Passes by kind and outcome."""
    pass_seconds: Mapping[str, float]
    """Seconds spent in passes by kind."""
    events_received: int
    """Watch events that arrived."""


class Engine:
    """The operator without its process: call `prime`, then `run`; feed watch events by `on_event`."""

    def __init__(
        self,
        client: KubeClient,
        clock: Clock,
        rng: Random,
        platform: Platform,
        settings: EngineSettings,
        plan_table: PlanTable,
    ) -> None:
        self._settings = settings
        self._cache = Cache(INDEXES)
        self._queue: WorkQueue[Key] = WorkQueue(rng)
        self._recorder = Recorder(client, clock, settings.identity)
        self.signals = Signals()
        """Measured signals of the live versions; the poller fills them."""
        self.signals.listen(self._queue.add)
        self._refusals = Refusals(self._cache, self._enqueue_affected)
        self._applied = AppliedTemplates(self._enqueue_affected)
        self._arrivals = ActionArrivals(self._cache, clock)
        self._observer = Observer(
            self._cache,
            platform,
            self.signals,
            self._refusals,
            PodObservations(self._cache, clock).by_uid,
            self._applied,
            self._arrivals.by_uid,
        )
        self._reconciler = Reconciler(
            client, self._cache, clock, self._recorder, plan_table(self._observer), self._refusals, self._applied
        )
        self.on_found: Callable[[], None] = lambda: None
        """Called when the cluster serves a resource that it lacked: the watches have to be restarted to see it."""
        self._resync = Resync(
            client,
            self._cache,
            sources(settings.namespaces),
            settings.resync_seconds,
            rng,
            self._enqueue_all,
            self._is_wanted,
            lambda: self.on_found(),
        )
        self._cache.listen(self._enqueue_affected)
        self._pass_seconds: dict[str, float] = defaultdict(float)
        self._events_received = 0

    @property
    def platform(self) -> Platform:
        """Images, URLs and the CA bundle that rendered pods get."""
        return self._observer.platform

    @platform.setter
    def platform(self, platform: Platform) -> None:
        if platform != self._observer.platform:
            self._observer.platform = platform
            # Pods in flight get a new CA.
            self._enqueue_all()

    def report_refused_alerts(self, since: datetime | None) -> None:
        """Store since when senders of alerts refuse the certificate and no alert arrives; None if they do not."""
        if since != self._observer.alerts_refused_since:
            self._observer.alerts_refused_since = since
            for obj in self._cache.all(TRAINING_JOBS):
                self._queue.add(Key(TRAINING_JOBS, obj["metadata"].get("namespace"), obj["metadata"]["name"]))

    def sources(self) -> list[MetricSource]:
        """Return all MetricSources."""
        return self._observer.sources()

    def live_models(self) -> list[LiveModel]:
        """Return the live versions and their monitors."""
        return self._observer.live_models()

    def trials(self) -> list[Trial]:
        """Return the candidates that take traffic beside a champion."""
        return self._observer.trials()

    def server_pods(self, namespace: str, name: str) -> list[JSONObject]:
        """Return the pods of a ModelDeployment's servers."""
        return self._observer.server_pods(namespace, name)

    def model_deployments(self) -> list[ModelDeployment]:
        """Return all ModelDeployments; read only."""
        return self._observer.model_deployments()

    async def prime(self) -> None:
        """Fill the cache before the first pass; waits until the API server answers."""
        await self._resync.prime()
        self._arrivals.note_primed()

    def on_event(self, event_type: str | None, body: JSONObject) -> None:
        """Store one watch event: `ADDED`, `MODIFIED`, `DELETED`, or None for an object of the initial list."""
        self._events_received += 1
        if body["kind"] == EVENTS.kind:
            # They are not kept: one that expires after its hour takes nothing back.
            if event_type != "DELETED":
                self._refusals.on_event(body)
            return
        self._resync.note_event(body)
        if event_type == "DELETED":
            self._cache.delete(body)
        else:
            self._cache.put(body)

    def on_interruption(self) -> None:
        """Request a full list, after the watches were interrupted."""
        self._resync.request()

    async def run(self) -> None:
        """Work until cancelled.

        Raises
        ------
        Restored
            If the cluster was restored to an older state than the cache holds.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._settings.workers):
                    tasks.create_task(self._work())
                tasks.create_task(self._resync.run())
                tasks.create_task(self._resync.discover())
                tasks.create_task(self._recorder.run())
        except ExceptionGroup as group:
            if (restored := group.subgroup(Restored)) is not None:
                raise restored.exceptions[0] from None
            raise
        finally:
            self._queue.close()

    def statistics(self) -> EngineStatistics:
        """Return the statistics of every part."""
        return EngineStatistics(
            queue=self._queue.statistics(),
            cache=self._cache.statistics(),
            resync=self._resync.statistics(),
            events=self._recorder.statistics(),
            passes=self._reconciler.statistics(),
            pass_seconds=dict(self._pass_seconds),
            events_received=self._events_received,
        )

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            key = await self._queue.get()
            started = loop.time()
            try:
                with structlog.contextvars.bound_contextvars(**log_fields(key)):
                    self._requeue(key, await self._reconciler.reconcile(key))
            finally:
                self._pass_seconds[key.resource.kind] += loop.time() - started
                self._queue.done(key)

    def _requeue(self, key: Key, result: Result) -> None:
        if result.retry:
            self._queue.add_rate_limited(key, at_least=result.after or 0.0)
            return
        self._queue.forget(key)
        throttled = result.outcome in ("written", "acted") and self._queue.note_change(key)
        if throttled:
            logger.warning("the passes over this object change something again and again; the next one waits")
        if result.outcome == "written":
            # What is decided is carried out before the next object is looked at.
            self._queue.add(key, first=not throttled)
        elif result.after is not None:
            self._queue.add_after(key, result.after)

    def _enqueue_affected(self, obj: JSONObject) -> None:
        urgent = is_new_action(obj)
        for key in keys_of(self._cache, obj):
            self._queue.add(key, urgent=urgent)

    def _is_wanted(self, resource: Resource) -> bool:
        """Return whether anything here asks for a resource that the cluster may lack."""
        deployments = self._cache.all(MODEL_DEPLOYMENTS)
        return resource == HTTP_ROUTES and any(obj.get("spec", {}).get("traffic") for obj in deployments)

    def _enqueue_all(self) -> None:
        for resource in OWN:
            for obj in self._cache.all(resource):
                self._queue.add(Key(resource, obj["metadata"].get("namespace"), obj["metadata"]["name"]))


def sources(namespaces: tuple[str, ...]) -> list[ListScope]:
    """Return every list that fills the cache: our kinds whole, of others only what we made."""
    return [
        ListScope(resource, namespace, SELECTOR if resource in CHILDREN else None, optional=resource in OPTIONAL)
        for resource in WATCHED
        for namespace in (namespaces if resource.namespaced and namespaces else (None,))
    ]


def log_fields(key: Key) -> dict[str, Any]:
    """Return the fields by which log lines of a pass name its object."""
    return {"kind": key.resource.kind, "namespace": key.namespace, "name": key.name}
