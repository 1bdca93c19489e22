"""What was measured last of each candidate beside its champion, in memory: a new leader measures anew.

Listeners are called only when a verdict would change, so that a count which merely grows costs no pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.strategy import AnalysisMetric
from steadfit.core.serving.rollout.analysis import standing
from steadfit.core.types import Compared

from .canary_trial import Trial, query_key, trial_of

Ring = Callable[[str, str], None]
"""Called with namespace and name of a ModelDeployment that ought to be looked at again."""


@dataclass(frozen=True, slots=True)
class _Found:
    trial: tuple[str, str, datetime]
    question: tuple[object, ...]
    standing: tuple[str, str]
    compared: Compared
    at: float


class Findings:
    """The last comparison of every metric of every trial."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._found: dict[tuple[str, str], dict[str, _Found]] = {}

    def of(self, deployment: ModelDeployment) -> Mapping[str, Compared]:
        """Return the comparisons by metric: those of the candidate that is there, and of what is asked by now."""
        trial = trial_of(deployment, {})
        if trial is None:
            return {}
        entries = self._found.get((trial.namespace, trial.name), {})
        return {
            metric.name: entry.compared
            for metric in trial.analysis.metrics
            if (entry := entries.get(metric.name)) is not None
            and (entry.trial, entry.question) == (_identity(trial), query_key(metric))
        }

    def tell(self, trial: Trial, metric: AnalysisMetric, compared: Compared, at: float) -> None:
        """Take a comparison that was made at a time of the event loop."""
        entries = self._found.setdefault((trial.namespace, trial.name), {})
        known = entries.get(metric.name)
        decides = standing(trial.analysis, metric, compared)
        entry = _Found(_identity(trial), query_key(metric), decides, compared, at)
        entries[metric.name] = entry
        if known is None or (known.trial, known.question, known.standing) != (entry.trial, entry.question, decides):
            self._ring(trial.namespace, trial.name)

    def tell_unanswered(
        self, trial: Trial, metric: AnalysisMetric, compared: Compared, at: float, kept_seconds: float
    ) -> None:
        """Take note that a source gave no answer: a comparison stays for a while, as one answer may get lost."""
        known = self._found.get((trial.namespace, trial.name), {}).get(metric.name)
        if (
            known is not None
            and not known.compared.reason
            and (known.trial, known.question) == (_identity(trial), query_key(metric))
            and at - known.at <= kept_seconds
        ):
            return
        self.tell(trial, metric, compared, at)

    def keep_only(self, trials: Iterable[Trial]) -> None:
        """Forget what is not compared any more."""
        names = {(trial.namespace, trial.name): {metric.name for metric in trial.analysis.metrics} for trial in trials}
        self._found = {
            place: {name: entry for name, entry in entries.items() if name in names[place]}
            for place, entries in self._found.items()
            if place in names
        }


def _identity(trial: Trial) -> tuple[str, str, datetime]:
    return trial.revision, trial.champion_revision, trial.since
