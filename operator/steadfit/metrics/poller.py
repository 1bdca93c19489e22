"""The poller: asks every MetricSource at its own pace and tells what the answers mean. Only the leader runs it.

A source is asked a handful of grouped queries for all models, then the expressions of users, never more at once than
it allows. One lost answer changes nothing while the last value is fresh; a source that is down is not asked on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from steadfit.api.base import parse_duration
from steadfit.api.metricsource import MetricSource, MetricSourceSpec
from steadfit.api.monitor import Monitor
from steadfit.core.store_choice import selects
from steadfit.core.types import Signal, SourceHealth
from steadfit.kube.clock import Clock

from .answer import Answer, NoAnswer, check_age, one_number
from .live import Live, source_of
from .recorded import Place, places, queries, series_of, signal
from .signals import Signals

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 5.0
SHORTEST_INTERVAL = 1.0
PROBE = "vector(1)"
LOST = frozenset({"Unreachable", "Timeout", "Unavailable", "AddressRefused", "CertificateRefused", "Unauthorized"})
"""Answers after which more questions are of no use now."""

Ask = tuple[Live, Monitor]


class World(Protocol):
    """What is there to be asked and watched; the engine's cache."""

    def sources(self) -> Sequence[MetricSource]:
        """Return all MetricSources."""

    def lives(self) -> Sequence[Live]:
        """Return the ModelDeployments that serve and have monitors that the operator measures."""


class Source(Protocol):
    """Answers queries."""

    async def query(self, expression: str, namespace: str | None = None) -> Answer:
        """Return the answer, or raise NoAnswer."""

    async def close(self) -> None:
        """Release what it holds."""


@dataclass(frozen=True, slots=True)
class PollerStatistics:
    """What was asked."""

    queries: Mapping[tuple[str, str], int]
    """Queries by MetricSource and result: `Answered`, or why not."""
    values: Mapping[tuple[str, str, str, str], float] = field(default_factory=dict)
    """What was measured last, by namespace, model, version and monitor."""


class Poller:
    """Keeps one loop for each MetricSource."""

    def __init__(
        self,
        world: World,
        signals: Signals,
        connect: Callable[[MetricSourceSpec], Source],
        clock: Clock,
        rng: Random,
    ) -> None:
        self._world = world
        self._signals = signals
        self._connect = connect
        self._clock = clock
        self._rng = rng
        self._queries: Counter[tuple[str, str]] = Counter()

    async def run(self) -> None:
        """Ask until cancelled."""
        loops: dict[tuple[str, str, int], asyncio.Task[None]] = {}
        try:
            while True:
                sources = {(one.name, one.uid, one.metadata.generation): one for one in self._world.sources()}
                for gone in loops.keys() - sources.keys():
                    loops.pop(gone).cancel()
                for identity, source in sources.items():
                    if identity not in loops:
                        loops[identity] = asyncio.create_task(self._ask_for_ever(source))
                try:
                    self.sweep()
                except Exception:
                    logger.exception("sweeping the signals failed")
                await asyncio.sleep(SWEEP_SECONDS)
        finally:
            for task in loops.values():
                task.cancel()
            await asyncio.gather(*loops.values(), return_exceptions=True)

    def statistics(self) -> PollerStatistics:
        """Return what was asked so far."""
        return PollerStatistics(dict(self._queries), self._signals.values())

    def sweep(self) -> None:
        """Forget what is gone, and tell the monitors whose source does not exist."""
        sources, lives = self._world.sources(), self._world.lives()
        self._signals.keep_only(lives, sources)
        names = {source.name for source in sources}
        now = asyncio.get_running_loop().time()
        for live in lives:
            for monitor in live.monitors:
                name = source_of(monitor)
                if name not in names:
                    self._signals.tell(
                        live, monitor, Signal(reason=f"there is no MetricSource {name}", code="SourceMissing"), now
                    )

    async def _ask_for_ever(self, source: MetricSource) -> None:
        interval = max(SHORTEST_INTERVAL, parse_duration(source.spec.interval).total_seconds())
        client = self._connected(source.spec)
        loop = asyncio.get_running_loop()
        try:
            while True:
                started = loop.time()
                try:
                    await self.ask(source, client)
                except Exception:
                    # A bug over one source must not end the leader, nor the asking of others.
                    logger.exception("asking MetricSource %s failed", source.name)
                pause = interval * self._rng.uniform(0.9, 1.1) - (loop.time() - started)
                await asyncio.sleep(max(SHORTEST_INTERVAL / 2, pause))
        finally:
            await client.close()

    def _connected(self, spec: MetricSourceSpec) -> Source:
        try:
            return self._connect(spec)
        except ValueError:
            return _Unusable()

    async def ask(self, source: MetricSource, client: Source) -> None:
        """Make one round: ask all that is to be asked of a source, and tell what came of it."""
        round_ = _Round(source, client, self._signals, self._clock, self._queries)
        allowed = []
        for live in self._world.lives():
            for monitor in live.monitors:
                if source_of(monitor) != source.name:
                    continue
                if selects(source.spec.allowed_namespaces, live.namespace_labels):
                    allowed.append((live, monitor))
                else:
                    round_.tell_forbidden(live, monitor)
        await round_.recorded([(live, monitor) for live, monitor in allowed if not monitor.query])
        await round_.expressions([(live, monitor) for live, monitor in allowed if monitor.query])
        self._signals.tell_health(source, round_.health())


class _Unusable:
    """Stands for a source whose URL passed admission, but which no client can be made for."""

    async def query(self, expression: str, namespace: str | None = None) -> Answer:
        raise NoAnswer("InvalidURL", "this is no URL that can be asked: correct spec.url")

    async def close(self) -> None:
        pass


class _Round:
    """One look at one source."""

    def __init__(
        self,
        source: MetricSource,
        client: Source,
        signals: Signals,
        clock: Clock,
        counts: Counter[tuple[str, str]],
    ) -> None:
        self._source = source
        self._client = client
        self._signals = signals
        self._clock = clock
        self._counts = counts
        self._fresh = 2 * parse_duration(source.spec.interval).total_seconds() + 60
        self._proxied = source.spec.tenancy.mode == "Proxied"
        self._problem: NoAnswer | None = None
        self._slots = asyncio.Semaphore(source.spec.max_concurrent)
        self._lost: NoAnswer | None = None
        self._losses = 0
        self._warnings: dict[str, None] = {}

    def tell_forbidden(self, live: Live, monitor: Monitor) -> None:
        name = self._source.name
        reason = f"MetricSource {name} is not allowed in this namespace (its allowedNamespaces)"
        self._tell(live, monitor, Signal(reason=reason, code="SourceNotAllowed"))

    async def recorded(self, asks: Sequence[Ask]) -> None:
        """Ask the grouped queries; without any, ask whether the source answers at all."""
        # A proxy that enforces a namespace is asked for each one by itself: not every such proxy takes several.
        scopes: dict[str | None, list[Ask]] = {}
        for live, monitor in asks:
            scopes.setdefault(live.namespace if self._proxied else None, []).append((live, monitor))
        if not scopes:
            await self._query(PROBE, None, ours=True)
        await asyncio.gather(*(self._scope(namespace, asked) for namespace, asked in scopes.items()))

    async def _scope(self, namespace: str | None, asks: Sequence[Ask]) -> None:
        wanted = queries((monitor for _, monitor in asks), self._fresh)
        answers = await asyncio.gather(*(self._query(query.expression, namespace, ours=True) for query in wanted))
        readings: dict[str, Mapping[Place, float]] = {}
        failures: dict[str, NoAnswer] = {}
        for query, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, NoAnswer):
                failures[query.series] = answer
                continue
            try:
                readings[query.series] = places(answer)
            except NoAnswer as error:
                failures[query.series] = self._problem = error
        for live, monitor in asks:
            failed = next((failures[series] for series in series_of(monitor) if series in failures), None)
            if failed is not None:
                self._tell_unanswered(live, monitor, failed)
            else:
                self._tell(live, monitor, signal(live, monitor, readings))

    async def expressions(self, asks: Sequence[Ask]) -> None:
        """Ask the expressions of users, each once."""
        same: dict[tuple[str, str | None], list[Ask]] = {}
        for live, monitor in asks:
            if monitor.query:
                scope = live.namespace if self._proxied else None
                same.setdefault((monitor.query.prom_ql, scope), []).append((live, monitor))
        await asyncio.gather(*(self._expression(text, scope, among) for (text, scope), among in same.items()))

    async def _expression(self, text: str, namespace: str | None, asks: Iterable[Ask]) -> None:
        answer = await self._query(text, namespace, ours=False)
        for live, monitor in asks:
            if isinstance(answer, NoAnswer) and answer.code in LOST:
                self._tell_unanswered(live, monitor, answer)
            elif isinstance(answer, NoAnswer):
                self._tell(
                    live, monitor, Signal(reason=f"MetricSource {self._source.name}: {answer}", code=answer.code)
                )
            else:
                try:
                    self._tell(live, monitor, Signal(one_number(answer)))
                except NoAnswer as error:
                    self._counts[self._source.name, error.code] += 1
                    self._tell(live, monitor, Signal(reason=str(error), code=error.code))

    def health(self) -> SourceHealth:
        """Return how the source answered."""
        if self._problem is not None:
            return SourceHealth(f"{self._source.spec.url}: {self._problem}", self._problem.code)
        return SourceHealth("", warning="; ".join(self._warnings))

    async def _query(self, expression: str, namespace: str | None, *, ours: bool) -> Answer | NoAnswer:
        """Ask, unless the source is down; an expression of a user's that is refused is not the source's fault."""
        async with self._slots:
            if self._lost is not None and self._losses >= self._source.spec.max_concurrent:
                return self._lost
            return await self._asked(expression, namespace, ours=ours)

    async def _asked(self, expression: str, namespace: str | None, *, ours: bool) -> Answer | NoAnswer:
        try:
            answer = await self._client.query(expression, namespace)
            check_age(answer, self._clock.now().timestamp(), self._fresh)
        except NoAnswer as error:
            self._counts[self._source.name, error.code] += 1
            if error.code in LOST:
                self._lost, self._losses = error, self._losses + 1
            if ours or error.code in LOST:
                self._problem = error
            return error
        self._counts[self._source.name, "Answered"] += 1
        self._warnings |= dict.fromkeys(answer.warnings)
        return answer

    def _tell(self, live: Live, monitor: Monitor, found: Signal) -> None:
        self._signals.tell(live, monitor, found, asyncio.get_running_loop().time())

    def _tell_unanswered(self, live: Live, monitor: Monitor, error: NoAnswer) -> None:
        # Without the source's own words, which may change with every answer: its status has them.
        reason = f"MetricSource {self._source.name}: {error.message}"
        now = asyncio.get_running_loop().time()
        self._signals.tell_unanswered(live, monitor, Signal(reason=reason, code=error.code), now, self._fresh)
