"""Counters of outcomes by the version that predicted, which may not be the version that is served."""

import threading
from dataclasses import dataclass, field

from steadfit_artifact.reference import Task

from steadfit_server.feedback.outcome import OUTCOMES, OutcomeScorer, ScoredOutcome

# Other versions than the served one whose outcomes are counted. Each costs about 40 series per pod.
MAX_OTHER_VERSIONS = 8
REASONS = ("malformed", "forged", "other_model", "expired", "wrong_type", "replayed")


@dataclass
class OutcomeTally:
    """Counts of the outcomes of one version's predictions."""

    version: str
    revision: str
    task: Task
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    squared_error: float = 0.0
    absolute_error: float = 0.0
    shown: bool = False

    @classmethod
    def empty(cls, version: str, revision: str, task: Task, bins: tuple[str, ...]) -> "OutcomeTally":
        """Return a tally with every series at 0."""
        return cls(version, revision, task, {(name, outcome): 0 for name in bins for outcome in OUTCOMES[task]})


class OutcomeCounts:
    """Counts of the outcomes of all versions; thread-safe.

    Parameters
    ----------
    version, revision : str
        Version and revision of the served model; its series exist from the start.
    task : Task | None
        Task of the served model; None if its outcomes can't be scored.
    scorer : OutcomeScorer
        Gives the bins.
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
        """Return whether outcomes of this version are counted: only the first few versions are."""
        tally = self._tallies.get((version, revision))
        return len(self._tallies) < self._most if tally is None else tally.task == task

    def add(self, version: str, revision: str, task: Task, scored: ScoredOutcome) -> None:
        """Count one outcome of a version for which `takes` returned True."""
        with self._lock:
            tally = self._tallies.get((version, revision))
            if tally is None:
                tally = OutcomeTally.empty(version, revision, task, self._scorer.bins(task))
                self._tallies[version, revision] = tally
            tally.counts[scored.bin, scored.outcome] += 1
            tally.squared_error += scored.squared_error
            tally.absolute_error += scored.absolute_error

    def reject(self, reason: str) -> None:
        """Count one rejected outcome by its reason."""
        with self._lock:
            self._rejected[reason] += 1

    def rejected(self) -> dict[str, int]:
        """Return the number of rejected outcomes by reason."""
        with self._lock:
            return dict(self._rejected)

    def scrape(self) -> list[OutcomeTally]:
        """Return the counts of each version for Prometheus.

        A version that is not served here has no series before its first outcome. `increase` ignores the first value of
        a series, so the first scrape shows it at 0 and the next one shows the counts.
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
