"""Counts outcomes for each version that predicted, whichever version is served where they are posted."""

import threading
from dataclasses import dataclass, field

from steadfit_artifact.reference import Task

from steadfit_server.feedback.outcome import OUTCOMES, OutcomeScorer, ScoredOutcome

# Versions that outcomes may still come for, beside the one that is served. Each costs some 40 series a pod.
MAX_OTHER_VERSIONS = 8
REASONS = ("malformed", "forged", "other_model", "expired", "wrong_type", "replayed")


@dataclass
class OutcomeTally:
    """The outcomes of one version's predictions."""

    version: str
    revision: str
    task: Task
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    squared_error: float = 0.0
    absolute_error: float = 0.0
    shown: bool = False

    @classmethod
    def empty(cls, version: str, revision: str, task: Task, bins: tuple[str, ...]) -> "OutcomeTally":
        """Begin every series at 0."""
        return cls(version, revision, task, {(name, outcome): 0 for name in bins for outcome in OUTCOMES[task]})


class OutcomeCounts:
    """The outcomes of all versions; several threads may add and read.

    Parameters
    ----------
    version, revision : str
        Of the model that is served; its series exist from the start.
    task : Task | None
        What that predicts; None if its outcomes can't be scored.
    scorer : OutcomeScorer
        Whose bins are counted.
    """

    def __init__(self, version: str, revision: str, task: Task | None, scorer: OutcomeScorer) -> None:
        self._scorer = scorer
        self._lock = threading.Lock()
        self._rejected = dict.fromkeys(REASONS, 0)
        self._tallies: dict[tuple[str, str], OutcomeTally] = {}
        if task is not None:
            own = self._tallies[version, revision] = OutcomeTally.empty(version, revision, task, scorer.bins(task))
            own.shown = True
        self._most = len(self._tallies) + MAX_OTHER_VERSIONS

    def takes(self, version: str, revision: str, task: Task) -> bool:
        """Tell whether outcomes of this version are counted here; the versions that came first are."""
        tally = self._tallies.get((version, revision))
        return len(self._tallies) < self._most if tally is None else tally.task == task

    def add(self, version: str, revision: str, task: Task, scored: ScoredOutcome) -> None:
        """Count one outcome; `takes` said that it can be."""
        with self._lock:
            tally = self._tallies.get((version, revision))
            if tally is None:
                tally = OutcomeTally.empty(version, revision, task, self._scorer.bins(task))
                self._tallies[version, revision] = tally
            tally.counts[scored.bin, scored.outcome] += 1
            tally.squared_error += scored.squared_error
            tally.absolute_error += scored.absolute_error

    def reject(self, reason: str) -> None:
        """Count one outcome that was not counted, by the reason."""
        with self._lock:
            self._rejected[reason] += 1

    def rejected(self) -> dict[str, int]:
        """Return how many outcomes were not counted, by reason."""
        with self._lock:
            return dict(self._rejected)

    def scrape(self) -> list[OutcomeTally]:
        """Return the counts of each version for Prometheus.

        A version that is not served here has no series until its first outcome comes. `increase` sees nothing of a
        series that begins above 0, so the first scrape shows it at 0, and the next one what was counted.
        """
        with self._lock:
            shown = []
            for tally in self._tallies.values():
                if tally.shown:
                    counts, squared, absolute = dict(tally.counts), tally.squared_error, tally.absolute_error
                else:
                    counts, squared, absolute = dict.fromkeys(tally.counts, 0), 0.0, 0.0
                shown.append(OutcomeTally(tally.version, tally.revision, tally.task, counts, squared, absolute))
                tally.shown = True
            return shown
