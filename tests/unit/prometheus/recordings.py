"""Recorded series in memory, asked as a MetricSource is."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from steadfit.api.metricsource import MetricSource
from steadfit.api.monitor import Monitor
from steadfit.core.monitors.kind import Recorded
from steadfit.core.monitors.registry import measurement
from steadfit.prometheus.answer import Answer, Line, Lines, NoAnswer, Sample
from steadfit.prometheus.canary_trial import Trial
from steadfit.prometheus.live import LiveModel

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Rises = Sequence[tuple[dict[str, str], float]]
_RECORDED = re.compile(r"max by \((.*?)\) \((steadfit:[a-z_:]+)\{")

DRIFT: dict[str, Any] = {"name": "drift", "drift": {"max": 0.2}}
AUC: dict[str, Any] = {"name": "auc", "quality": {"metric": "roc_auc", "min": 0.7}}


class At:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time


def monitor(spec: dict[str, Any]) -> Monitor:
    return Monitor.model_validate({"action": "Retrain", **spec})


def recorded(one: Monitor) -> tuple[Monitor, Recorded]:
    """A monitor over a recorded series, beside what it reads."""
    found = measurement(one)
    assert isinstance(found, Recorded)
    return one, found


def query(expression: str, name: str = "query", source: str = "default") -> dict[str, Any]:
    return {"name": name, "query": {"promQL": expression, "max": 1, "source": source}}


def live(
    *monitors: dict[str, Any], name: str = "flights", namespace: str = "shop", version: int = 3, **labels: str
) -> LiveModel:
    return LiveModel(namespace, name, version, tuple(map(monitor, monitors)), labels)


def source(name: str = "default", generation: int = 1, **spec: Any) -> MetricSource:
    return MetricSource.model_validate(
        {
            "metadata": {"name": name, "uid": f"uid-{name}", "generation": generation},
            "spec": {"url": "http://prometheus:9090", **spec},
        }
    )


@dataclass
class Recordings:
    """What Prometheus has recorded, and what it is asked."""

    clock: At
    values: dict[str, list[tuple[dict[str, str], float]]] = field(default_factory=dict)
    expressions: dict[str, float | NoAnswer] = field(default_factory=dict)
    failures: dict[str, NoAnswer] = field(default_factory=dict)
    """By series; the empty name stands for all queries."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    seconds: float = 0
    busy: int = 0
    most: int = 0
    lag: float = 0
    closed: int = 0
    lines: Rises = ()
    """By how much each series rises in a second, for range queries."""
    ranges: list[tuple[int, int, int]] = field(default_factory=list)
    """Start, end and step of each range query."""

    def record(self, series: str, value: float, of: LiveModel, window: str = "1h", **labels: str) -> None:
        place = {"namespace": of.namespace, "model": of.name, "version": str(of.version), "window": window, **labels}
        self.values.setdefault(series, []).append((place, value))

    def drift(self, of: LiveModel, value: float, samples: float = 1000, window: str = "1h") -> None:
        self.record("steadfit:drift_psi:weighted", value, of, window)
        self.record("steadfit:predictions_count", samples, of, window)

    async def query(self, expression: str, namespace: str | None = None) -> Answer:
        self.asked.append((expression, namespace))
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            await asyncio.sleep(self.seconds)
            return self._answer(expression)
        finally:
            self.busy -= 1

    def _answer(self, expression: str) -> Answer:
        found = _RECORDED.match(expression)
        series = found[2] if found else ""
        for name in (series, ""):
            if name in self.failures:
                raise self.failures[name]
        at = self.clock.now().timestamp() - self.lag
        if found:
            samples = tuple(Sample(labels, at, value) for labels, value in self.values.get(series, []))
            return Answer("vector", samples, self.warnings)
        value = self.expressions.get(expression, 1.0)
        if isinstance(value, NoAnswer):
            raise value
        return Answer("scalar", (Sample({}, at, value),), self.warnings)

    async def query_range(
        self, expression: str, start: int, end: int, step: int, namespace: str | None = None
    ) -> Lines:
        self.asked.append((expression, namespace))
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            await asyncio.sleep(self.seconds)
            return self._lines(range(start, end + 1, step))
        finally:
            self.busy -= 1

    def _lines(self, ends: range) -> Lines:
        if "" in self.failures:
            raise self.failures[""]
        self.ranges.append((ends.start, ends[-1], ends.step))
        return Lines(
            tuple(Line(labels, {at - self.lag: rise * ends.step for at in ends}) for labels, rise in self.lines),
            self.warnings,
        )

    async def close(self) -> None:
        self.closed += 1

    def series(self) -> Counter[str]:
        """Return how often each series was asked for."""
        return Counter(found[2] for text, _ in self.asked if (found := _RECORDED.match(text)))


@dataclass
class RecordedPrometheus:
    """The objects that a poller sees."""

    all_sources: Sequence[MetricSource]
    all_lives: Sequence[LiveModel]
    all_trials: Sequence[Trial] = ()

    def sources(self) -> Sequence[MetricSource]:
        return self.all_sources

    def live_models(self) -> Sequence[LiveModel]:
        return self.all_lives

    def trials(self) -> Sequence[Trial]:
        return self.all_trials
