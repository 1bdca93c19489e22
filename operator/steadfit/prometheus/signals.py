"""The last signal of every monitor, in memory: a new leader measures again.

Listeners are called only when the phase of a monitor may change: a value that changes within its phase costs no pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from steadfit.api.metricsource import MetricSource
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.monitor import Monitor
from steadfit.core.monitors.evaluation import decision_key, measured_monitors, query_key
from steadfit.core.types import Signal, SourceHealth
from steadfit.kube.key import Key
from steadfit.kube.resources import METRIC_SOURCES, MODEL_DEPLOYMENTS

from .canary_results import ComparisonResults
from .live import LiveModel


class Listener(Protocol):
    """Called with the key of an object that has to be reconciled."""

    def __call__(self, key: Key, *, urgent: bool = False) -> None:
        """Take the key."""


@dataclass(frozen=True, slots=True)
class _Measured:
    version: int
    query_key: tuple[object, ...]
    decision_key: tuple[str, str]
    signal: Signal
    at: float


class Signals:
    """The last signal of every monitor, and the last answer of every MetricSource."""

    def __init__(self) -> None:
        self._measured: dict[tuple[str | None, str], dict[str, _Measured]] = {}
        self._health: dict[str, tuple[tuple[str, int], SourceHealth]] = {}
        self._listeners: list[Listener] = []
        self.comparisons = ComparisonResults(
            lambda namespace, name: self._notify(Key(MODEL_DEPLOYMENTS, namespace, name), urgent=True)
        )
        """The last comparisons of candidates with their champions."""

    def listen(self, listener: Listener) -> None:
        """Call `listener` for every object that has to be reconciled; a changed verdict on a canary is urgent."""
        self._listeners.append(listener)

    def of(self, deployment: ModelDeployment) -> Mapping[str, Signal]:
        """Return the signals by monitor, of the live version and of the queries that the monitors have now."""
        live = deployment.status.live
        entries = self._measured.get((deployment.metadata.namespace, deployment.name), {})
        return {
            monitor.name: entry.signal
            for monitor in measured_monitors(deployment)
            if (entry := entries.get(monitor.name)) is not None
            and live is not None
            and (entry.version, entry.query_key) == (live.number, query_key(monitor))
        }

    def values(self) -> Mapping[tuple[str, str, str, str], float]:
        """Return the numbers among the signals, by namespace, model, version and monitor."""
        return {
            (namespace or "", model, str(entry.version), monitor): entry.signal.value
            for (namespace, model), entries in self._measured.items()
            for monitor, entry in entries.items()
            if entry.signal.value is not None
        }

    def health(self, source: MetricSource) -> SourceHealth:
        """Return the health of a source, as far as it was queried with its present spec."""
        known = self._health.get(source.name)
        return known[1] if known is not None and known[0] == _identity(source) else SourceHealth()

    def record(self, live: LiveModel, monitor: Monitor, signal: Signal, at: float) -> None:
        """Store a signal; `at` is the time of the event loop in seconds."""
        entries = self._measured.setdefault((live.namespace, live.name), {})
        known = entries.get(monitor.name)
        entry = _Measured(live.version, query_key(monitor), decision_key(monitor, signal), signal, at)
        entries[monitor.name] = entry
        if known is None or (known.version, known.query_key, known.decision_key) != (
            entry.version,
            entry.query_key,
            entry.decision_key,
        ):
            self._notify(Key(MODEL_DEPLOYMENTS, live.namespace, live.name))

    def record_failure(self, live: LiveModel, monitor: Monitor, signal: Signal, at: float, kept_seconds: float) -> None:
        """Store that a source gave no answer. A value stays for `kept_seconds`, as one answer may get lost."""
        known = self._measured.get((live.namespace, live.name), {}).get(monitor.name)
        if (
            known is not None
            and known.signal.value is not None
            and (known.version, known.query_key) == (live.version, query_key(monitor))
            and at - known.at <= kept_seconds
        ):
            return
        self.record(live, monitor, signal, at)

    def record_health(self, source: MetricSource, health: SourceHealth) -> None:
        """Store the health of a source."""
        known, identity = self._health.get(source.name), _identity(source)
        self._health[source.name] = (identity, health)
        if known != (identity, health):
            self._notify(Key(METRIC_SOURCES, None, source.name))

    def keep_only(self, lives: Iterable[LiveModel], sources: Iterable[MetricSource]) -> None:
        """Remove the signals of monitors and sources that do not exist any more."""
        names = {(live.namespace, live.name): {monitor.name for monitor in live.monitors} for live in lives}
        self._measured = {
            place: {name: entry for name, entry in entries.items() if name in names[place]}
            for place, entries in self._measured.items()
            if place in names
        }
        kept = {source.name for source in sources}
        self._health = {name: known for name, known in self._health.items() if name in kept}

    def _notify(self, key: Key, *, urgent: bool = False) -> None:
        for listener in self._listeners:
            listener(key, urgent=urgent)


def _identity(source: MetricSource) -> tuple[str, int]:
    return source.uid, source.metadata.generation
