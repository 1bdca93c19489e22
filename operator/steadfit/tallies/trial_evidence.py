"""The evidence of one trial: for each metric that the servers count by connection, both arms second by second."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from steadfit.api.base import parse_duration
from steadfit.api.strategy import AnalysisMetric
from steadfit.core.serving.evidence.cell import Cell
from steadfit.core.serving.evidence.evidence import Evidence
from steadfit.core.serving.rollout.by_connection import compared
from steadfit.core.types import Compared
from steadfit.prometheus.canary_trial import Trial, query_key

from .answer import Row
from .pairing import Second

COLD_SECONDS = 10
"""Time after a server's first answer in which its latencies do not count. A process imports, compiles and fills its
caches with the first answers; the champion's did that long ago."""


def counted(metric: AnalysisMetric) -> bool:
    """Return whether the servers count a metric by connection."""
    return metric.error_rate is not None or metric.latency is not None


class TrialEvidence:
    """Evidence of every metric; a metric whose kind or limit changes begins anew."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._evidence: dict[str, tuple[tuple[object, ...], Evidence]] = {}
        self._answered: dict[str, int] = {}
        """The second of each server's first answer."""

    def add(self, trial: Trial, bounds: tuple[float, ...], second: Second) -> None:
        """Add a closed second of both arms."""
        for row in (*second.candidate, *second.champion):
            self._answered.setdefault(row.server, row.second)
        for metric, evidence in self._of(trial, second.second):
            late = _late(metric, bounds)
            # Before it takes traffic, only the champion's voices are of interest: they are not new when it begins.
            candidate = second.candidate if second.second >= self._first else ()
            evidence.add(second.second, self._cells(candidate, late), self._cells(second.champion, late))

    def compared(self, trial: Trial, second: int) -> Mapping[str, Compared]:
        """Return the comparison of each metric; a new metric begins with the second after this one."""
        found = self._of(trial, second + 1)
        return {metric.name: compared(trial.analysis, metric, evidence) for metric, evidence in found}

    def _cells(self, rows: tuple[Row, ...], late: int | None) -> list[Cell]:
        if late is None:
            return [Cell(row.second, row.voice, row.requests, row.failed) for row in rows]
        return [
            Cell(row.second, row.voice, row.requests, sum(count for bucket, count in row.latencies if bucket > late))
            for row in rows
            if row.second >= self._answered[row.server] + COLD_SECONDS
        ]

    def _of(self, trial: Trial, second: int) -> Iterator[tuple[AnalysisMetric, Evidence]]:
        """Return the evidence of each metric; of a new metric, it begins with a second."""
        for metric in filter(counted, trial.analysis.metrics):
            key, known = query_key(metric), self._evidence.get(metric.name)
            if known is None or known[0] != key:
                known = self._evidence[metric.name] = key, Evidence(self._first, second)
            if trial.step_since is not None:
                known[1].begin_step(trial.step, math.ceil(trial.step_since.timestamp()))
            yield metric, known[1]


def _late(metric: AnalysisMetric, bounds: tuple[float, ...]) -> int | None:
    """Return the index of the last bucket within the limit of a latency; None for failed requests."""
    if metric.latency is None:
        return None
    limit = parse_duration(metric.latency.max).total_seconds()
    return next((index for index, bound in enumerate(bounds) if bound >= limit), len(bounds) - 1)
