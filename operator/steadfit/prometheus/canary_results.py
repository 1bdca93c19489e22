"""The last comparison of each candidate with its champion, in memory: a new leader measures again.

A metric may have two comparisons: by connection, from the servers' own counts, and from a MetricSource. The first one
counts while there is one. Listeners are called only when a verdict may change, so that a count which grows costs no
pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.strategy import AnalysisMetric
from steadfit.core.serving.rollout.analysis import decision_key
from steadfit.core.types import Compared

from .canary_trial import Trial, by_connection_key, query_key, trial_of

Notify = Callable[[str, str], None]
"""Called with namespace and name of a ModelDeployment that has to be reconciled."""


@dataclass(frozen=True, slots=True)
class _Entry:
    trial: tuple[object, ...]
    key: tuple[object, ...]
    compared: Compared
    at: float


@dataclass(slots=True)
class _Results:
    """What is known of one ModelDeployment's trial, by metric."""

    from_source: dict[str, _Entry] = field(default_factory=dict)
    by_connection: dict[str, _Entry] = field(default_factory=dict)
    fallback: tuple[tuple[object, ...], str] | None = None
    """Trial, and why it has no comparisons by connection."""
    decides: dict[str, object] = field(default_factory=dict)
    """What a plan read last."""


class ComparisonResults:
    """The last comparison of every metric of every trial."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._found: dict[tuple[str, str], _Results] = {}

    def of(self, deployment: ModelDeployment) -> Mapping[str, Compared]:
        """Return the comparisons by metric, of the present candidate and of the queries that the analysis has now."""
        trial = trial_of(deployment, {})
        results = self._found.get((trial.namespace, trial.name)) if trial is not None else None
        if trial is None or results is None:
            return {}
        found = {metric.name: _choose(trial, metric, results) for metric in trial.analysis.metrics}
        return {name: compared for name, compared in found.items() if compared is not None}

    def record(self, trial: Trial, metric: AnalysisMetric, compared: Compared, at: float) -> None:
        """Store a comparison from a MetricSource; `at` is the time of the event loop in seconds."""
        results = self._results(trial)
        results.from_source[metric.name] = _Entry(_identity(trial), query_key(metric), compared, at)
        self._notify_if_changed(trial, [metric], results)

    def record_failure(
        self, trial: Trial, metric: AnalysisMetric, compared: Compared, at: float, kept_seconds: float
    ) -> None:
        """Store that a source gave no answer. A comparison stays for `kept_seconds`, as one answer may get lost."""
        known = self._results(trial).from_source.get(metric.name)
        if (
            known is not None
            and not known.compared.reason
            and (known.trial, known.key) == (_identity(trial), query_key(metric))
            and at - known.at <= kept_seconds
        ):
            return
        self.record(trial, metric, compared, at)

    def record_by_connection(self, trial: Trial, found: Mapping[str, Compared], at: float) -> None:
        """Store the comparisons by connection of a trial's metrics."""
        results, identity = self._results(trial), _identity(trial)
        results.fallback = None
        metrics = [metric for metric in trial.analysis.metrics if metric.name in found]
        for metric in metrics:
            key = by_connection_key(trial.analysis, metric)
            results.by_connection[metric.name] = _Entry(identity, key, found[metric.name], at)
        self._notify_if_changed(trial, metrics, results)

    def record_fallback(self, trial: Trial, why: str) -> None:
        """Store that a trial has no comparisons by connection: those from the MetricSource count, and say why."""
        results = self._results(trial)
        results.fallback = _in_all_steps(trial), why
        results.by_connection.clear()
        self._notify_if_changed(trial, trial.analysis.metrics, results)

    def keep_only(self, trials: Iterable[Trial]) -> None:
        """Remove the comparisons of candidates and metrics that do not exist any more."""
        names = {(trial.namespace, trial.name): {metric.name for metric in trial.analysis.metrics} for trial in trials}
        self._found = {place: results for place, results in self._found.items() if place in names}
        for place, results in self._found.items():
            for entries in (results.from_source, results.by_connection, results.decides):
                for name in entries.keys() - names[place]:
                    del entries[name]

    def _results(self, trial: Trial) -> _Results:
        return self._found.setdefault((trial.namespace, trial.name), _Results())

    def _notify_if_changed(self, trial: Trial, metrics: Iterable[AnalysisMetric], results: _Results) -> None:
        changed = False
        for metric in metrics:
            chosen = _choose(trial, metric, results)
            decides = None
            if chosen is not None:
                decides = _identity(trial), query_key(metric), decision_key(trial.analysis, metric, chosen)
            if metric.name not in results.decides or results.decides[metric.name] != decides:
                results.decides[metric.name] = decides
                changed = True
        if changed:
            self._notify(trial.namespace, trial.name)


def _choose(trial: Trial, metric: AnalysisMetric, results: _Results) -> Compared | None:
    """Return the comparison of a metric that counts; None while it is not measured."""
    identity = _identity(trial)
    entry = results.by_connection.get(metric.name)
    if entry is not None and entry.trial[0] == identity[0]:
        same = (entry.trial, entry.key) == (identity, by_connection_key(trial.analysis, metric))
        # After a change of the step or the margin the next reading counts, which takes a second.
        return entry.compared if same else None
    entry = results.from_source.get(metric.name)
    if entry is None or (entry.trial, entry.key) != (identity, query_key(metric)):
        return None
    if results.fallback and results.fallback[0] == identity[0] and (metric.error_rate or metric.latency):
        return replace(entry.compared, fallback=results.fallback[1])
    return entry.compared


def _identity(trial: Trial) -> tuple[object, ...]:
    return _in_all_steps(trial), trial.step_since


def _in_all_steps(trial: Trial) -> tuple[object, ...]:
    return trial.revision, trial.champion_revision, trial.since
