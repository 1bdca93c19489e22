"""The poller: queries every MetricSource at its own interval and keeps the signals. Only the leader runs it.

A source gets a handful of grouped queries for all models, then the expressions of users, never more at once than it
allows. One lost answer changes nothing while the last value is fresh; a source that is down gets no further queries.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol, assert_never

from steadfit.api.base import parse_duration
from steadfit.api.metricsource import MetricSource, MetricSourceSpec
from steadfit.api.monitor import Monitor
from steadfit.core.monitors.kind import Expression, Recorded
from steadfit.core.monitors.registry import measurement
from steadfit.core.store_choice import selects
from steadfit.core.types import Compared, Signal
from steadfit.kube.clock import Clock

from .answer import NoAnswer, one_number
from .canary_round import ComparisonRound
from .canary_trial import Trial
from .canary_trial import source_of as source_of_metric
from .live import LiveModel, source_of
from .query_session import SOURCE_DOWN, QuerySession, QuerySource, Unusable
from .recorded_series import SeriesKey, queries, series_of, signal, values_of
from .signals import Signals

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 5.0
SHORTEST_INTERVAL = 1.0
PROBE = "vector(1)"
RecordedMonitor = tuple[LiveModel, Monitor, Recorded]
ExpressionMonitor = tuple[LiveModel, Monitor, Expression]


class Discovery(Protocol):
    """Lists what there is to query; the engine's cache implements it."""

    def sources(self) -> Sequence[MetricSource]:
        """Return all MetricSources."""

    def live_models(self) -> Sequence[LiveModel]:
        """Return the ModelDeployments that serve and have monitors that the operator measures."""

    def trials(self) -> Sequence[Trial]:
        """Return the candidates that take traffic beside a champion."""


@dataclass(frozen=True, slots=True)
class PollerStatistics:
    """Counts of queries, and the last values."""

    queries: Mapping[tuple[str, str], int]
    """Queries by MetricSource and result: `Answered`, or why not."""
    values: Mapping[tuple[str, str, str, str], float] = field(default_factory=dict)
    """Last values by namespace, model, version and monitor."""


class Poller:
    """Runs one loop for each MetricSource."""

    def __init__(
        self,
        discovery: Discovery,
        signals: Signals,
        connect: Callable[[MetricSourceSpec], QuerySource],
        clock: Clock,
        rng: Random,
    ) -> None:
        self._discovery = discovery
        self._signals = signals
        self._connect = connect
        self._clock = clock
        self._rng = rng
        self._queries: Counter[tuple[str, str]] = Counter()

    async def run(self) -> None:
        """Query until cancelled."""
        loops: dict[tuple[str, str, int], asyncio.Task[None]] = {}
        try:
            while True:
                sources = {(one.name, one.uid, one.metadata.generation): one for one in self._discovery.sources()}
                for gone in loops.keys() - sources.keys():
                    loops.pop(gone).cancel()
                for identity, source in sources.items():
                    if identity not in loops:
                        loops[identity] = asyncio.create_task(self._query_forever(source))
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
        """Return the counts of queries so far, and the last values."""
        return PollerStatistics(dict(self._queries), self._signals.values())

    def sweep(self) -> None:
        """Remove signals of objects that are gone, and store no data for monitors without their source."""
        sources, lives, under_way = self._discovery.sources(), self._discovery.live_models(), self._discovery.trials()
        self._signals.keep_only(lives, sources)
        self._signals.comparisons.keep_only(under_way)
        names = {source.name for source in sources}
        now = asyncio.get_running_loop().time()
        for live in lives:
            for monitor in live.monitors:
                name = source_of(monitor)
                if name not in names:
                    self._signals.record(
                        live, monitor, Signal(reason=f"there is no MetricSource {name}", code="SourceNotFound"), now
                    )
        for trial in under_way:
            for metric in trial.analysis.metrics:
                name = source_of_metric(metric)
                if name not in names:
                    missing = Compared(reason=f"there is no MetricSource {name}", code="SourceNotFound")
                    self._signals.comparisons.record(trial, metric, missing, now)

    async def _query_forever(self, source: MetricSource) -> None:
        interval = max(SHORTEST_INTERVAL, parse_duration(source.spec.interval).total_seconds())
        client = self._connected(source.spec)
        loop = asyncio.get_running_loop()
        try:
            while True:
                started = loop.time()
                try:
                    await self.poll(source, client)
                except Exception:
                    # An error at one source must not end the process or the queries to other sources.
                    logger.exception("querying MetricSource %s failed", source.name)
                pause = interval * self._rng.uniform(0.9, 1.1) - (loop.time() - started)
                await asyncio.sleep(max(SHORTEST_INTERVAL / 2, pause))
        finally:
            await client.close()

    def _connected(self, spec: MetricSourceSpec) -> QuerySource:
        try:
            return self._connect(spec)
        except ValueError:
            return Unusable()

    async def poll(self, source: MetricSource, client: QuerySource) -> None:
        """Send all queries of one round to a source, and store the results."""
        session = QuerySession(source, client, self._clock, self._queries)
        round_ = _Round(session, self._signals)
        recorded: list[RecordedMonitor] = []
        expressions: list[ExpressionMonitor] = []
        for live in self._discovery.live_models():
            for monitor in live.monitors:
                if source_of(monitor) != source.name:
                    continue
                if not selects(source.spec.allowed_namespaces, live.namespace_labels):
                    round_.record_forbidden(live, monitor)
                    continue
                found = measurement(monitor)
                match found:
                    case Recorded():
                        recorded.append((live, monitor, found))
                    case Expression():
                        expressions.append((live, monitor, found))
                    case _:
                        assert_never(found)
        await round_.recorded(recorded)
        await ComparisonRound(session, self._signals.comparisons).run(self._discovery.trials())
        await round_.expressions(expressions)
        self._signals.record_health(source, session.health())


class _Round:
    """The queries of one round for the monitors of one source."""

    def __init__(self, session: QuerySession, signals: Signals) -> None:
        self._session = session
        self._signals = signals

    def record_forbidden(self, live: LiveModel, monitor: Monitor) -> None:
        self._record(live, monitor, Signal(reason=self._session.forbidden(), code="SourceNotAllowed"))

    async def recorded(self, monitors: Sequence[RecordedMonitor]) -> None:
        """Send the grouped queries; without any, send a probe that shows whether the source answers."""
        scopes: dict[str | None, list[RecordedMonitor]] = {}
        for live, monitor, source in monitors:
            scopes.setdefault(self._session.scope(live.namespace), []).append((live, monitor, source))
        if not scopes:
            await self._session.query(PROBE, None, ours=True)
        await asyncio.gather(*(self._scope(namespace, among) for namespace, among in scopes.items()))

    async def _scope(self, namespace: str | None, monitors: Sequence[RecordedMonitor]) -> None:
        wanted = queries(((monitor, source) for _, monitor, source in monitors), self._session.fresh)
        answers = await asyncio.gather(
            *(self._session.query(query.expression, namespace, ours=True) for query in wanted)
        )
        readings: dict[str, Mapping[SeriesKey, float]] = {}
        failures: dict[str, NoAnswer] = {}
        for query, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, NoAnswer):
                failures[query.series] = answer
                continue
            try:
                readings[query.series] = values_of(answer, query.label)
            except NoAnswer as error:
                failures[query.series] = error
                self._session.unusable(error, ours=True)
        for live, monitor, source in monitors:
            failed = next((failures[series] for series in series_of(source) if series in failures), None)
            if failed is not None:
                self._record_failure(live, monitor, failed)
            else:
                self._record(live, monitor, signal(live, monitor, source, readings))

    async def expressions(self, monitors: Sequence[ExpressionMonitor]) -> None:
        """Send the expressions of users, each once."""
        same: dict[tuple[str, str | None], list[tuple[LiveModel, Monitor]]] = {}
        for live, monitor, source in monitors:
            same.setdefault((source.promql, self._session.scope(live.namespace)), []).append((live, monitor))
        await asyncio.gather(*(self._expression(text, scope, among) for (text, scope), among in same.items()))

    async def _expression(
        self, text: str, namespace: str | None, monitors: Iterable[tuple[LiveModel, Monitor]]
    ) -> None:
        answer = await self._session.query(text, namespace, ours=False)
        for live, monitor in monitors:
            if isinstance(answer, NoAnswer) and answer.code in SOURCE_DOWN:
                self._record_failure(live, monitor, answer)
            elif isinstance(answer, NoAnswer):
                reason = f"MetricSource {self._session.source.name}: {answer}"
                self._record(live, monitor, Signal(reason=reason, code=answer.code))
            else:
                try:
                    self._record(live, monitor, Signal(one_number(answer)))
                except NoAnswer as error:
                    self._session.unusable(error, ours=False)
                    self._record(live, monitor, Signal(reason=str(error), code=error.code))

    def _record(self, live: LiveModel, monitor: Monitor, found: Signal) -> None:
        self._signals.record(live, monitor, found, asyncio.get_running_loop().time())

    def _record_failure(self, live: LiveModel, monitor: Monitor, error: NoAnswer) -> None:
        reason = self._session.unanswered(error)
        now = asyncio.get_running_loop().time()
        self._signals.record_failure(live, monitor, Signal(reason=reason, code=error.code), now, self._session.fresh)
