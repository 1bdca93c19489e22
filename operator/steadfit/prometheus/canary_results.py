"""The last comparison of each candidate with its champion, in memory: a new leader measures again.

Listeners are called only when a verdict may change, so that a count which grows costs no pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.strategy import AnalysisMetric
from steadfit.core.serving.rollout.analysis import decision_key
from steadfit.core.types import Compared

from .canary_trial import Trial, query_key, trial_of

Notify = Callable[[str, str], None]
"""Called with namespace and name of a ModelDeployment that has to be reconciled."""


@dataclass(frozen=True, slots=True)
class _Entry:
    trial: tuple[object, ...]
    query_key: tuple[object, ...]
    decision_key: tuple[str, str]
    compared: Compared
    at: float


class ComparisonResults:
    """The last comparison of every metric of every trial."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._found: dict[tuple[str, str], dict[str, _Entry]] = {}

    def of(self, deployment: ModelDeployment) -> Mapping[str, Compared]:
        """Return the comparisons by metric, of the present candidate and of the queries that the analysis has now."""
        trial = trial_of(deployment, {})
        if trial is None:
            return {}
        entries = self._found.get((trial.namespace, trial.name), {})
        return {
            metric.name: entry.compared
            for metric in trial.analysis.metrics
            if (entry := entries.get(metric.name)) is not None
            and (entry.trial, entry.query_key) == (_identity(trial), query_key(metric))
        }

    def record(self, trial: Trial, metric: AnalysisMetric, compared: Compared, at: float) -> None:
        """Store a comparison; `at` is the time of the event loop in seconds."""
        entries = self._found.setdefault((trial.namespace, trial.name), {})
        known = entries.get(metric.name)
        decides = decision_key(trial.analysis, metric, compared)
        entry = _Entry(_identity(trial), query_key(metric), decides, compared, at)
        entries[metric.name] = entry
        if known is None or (known.trial, known.query_key, known.decision_key) != (
            entry.trial,
            entry.query_key,
            decides,
        ):
            self._notify(trial.namespace, trial.name)

    def record_failure(
        self, trial: Trial, metric: AnalysisMetric, compared: Compared, at: float, kept_seconds: float
    ) -> None:
        """Store that a source gave no answer. A comparison stays for `kept_seconds`, as one answer may get lost."""
        known = self._found.get((trial.namespace, trial.name), {}).get(metric.name)
        if (
            known is not None
            and not known.compared.reason
            and (known.trial, known.query_key) == (_identity(trial), query_key(metric))
            and at - known.at <= kept_seconds
        ):
            return
        self.record(trial, metric, compared, at)

    def keep_only(self, trials: Iterable[Trial]) -> None:
        """Remove the comparisons of candidates and metrics that do not exist any more."""
        names = {(trial.namespace, trial.name): {metric.name for metric in trial.analysis.metrics} for trial in trials}
        self._found = {
            place: {name: entry for name, entry in entries.items() if name in names[place]}
            for place, entries in self._found.items()
            if place in names
        }


def _identity(trial: Trial) -> tuple[object, ...]:
    return trial.revision, trial.champion_revision, trial.since, trial.step_since
