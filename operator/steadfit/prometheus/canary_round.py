"""One round of queries for the candidates that take traffic, through one MetricSource."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from steadfit.api.monitor import Query
from steadfit.api.strategy import AnalysisMetric
from steadfit.core.store_choice import selects
from steadfit.core.types import Compared

from .answer import NoAnswer, one_number
from .canary_comparison import compared
from .canary_queries import comparison, grid
from .canary_results import ComparisonResults
from .canary_trial import Trial, expression, source_of
from .query_session import SOURCE_DOWN, QuerySession

_TOO_EARLY = "the candidate began to take traffic less than one slice of time ago"


class ComparisonRound:
    """The queries of one round through one source."""

    def __init__(self, session: QuerySession, comparisons: ComparisonResults) -> None:
        self._session = session
        self._findings = comparisons

    async def run(self, trials: Iterable[Trial]) -> None:
        """Query all metrics that name this source."""
        source, tests = self._session.source, []
        for trial in trials:
            for metric in trial.analysis.metrics:
                if source_of(metric) != source.name:
                    continue
                if not selects(source.spec.allowed_namespaces, trial.namespace_labels):
                    self._record(trial, metric, Compared(reason=self._session.forbidden(), code="SourceNotAllowed"))
                elif metric.query:
                    tests.append(self._condition(trial, metric, metric.query))
                else:
                    tests.append(self._comparison(trial, metric))
        await asyncio.gather(*tests)

    async def _comparison(self, trial: Trial, metric: AnalysisMetric) -> None:
        slices = grid(trial.since, self._session.clock.now(), self._session.interval)
        if slices is None:
            self._record(trial, metric, Compared(reason=_TOO_EARLY, code="TooFewSamples"))
            return
        query = comparison(trial, metric, slices.step)
        answer = await self._session.query_range(query, slices, self._session.scope(trial.namespace))
        if not isinstance(answer, NoAnswer):
            try:
                self._record(trial, metric, compared(trial, metric, slices, answer, query))
            except NoAnswer as error:
                self._session.unusable(error, ours=True)
                answer = error
        if isinstance(answer, NoAnswer):
            self._record_failure(trial, metric, query, answer)

    async def _condition(self, trial: Trial, metric: AnalysisMetric, condition: Query) -> None:
        query = expression(trial, condition.prom_ql)
        answer = await self._session.query(query, self._session.scope(trial.namespace), ours=False)
        if isinstance(answer, NoAnswer):
            if answer.code in SOURCE_DOWN:
                self._record_failure(trial, metric, query, answer)
            else:
                # The source's own message says what is wrong with the expression.
                reason = f"MetricSource {self._session.source.name}: {answer}"
                self._record(trial, metric, Compared(query, reason=reason, code=answer.code))
            return
        try:
            self._record(trial, metric, Compared(query, value=one_number(answer)))
        except NoAnswer as error:
            self._session.unusable(error, ours=False)
            self._record(trial, metric, Compared(query, reason=str(error), code=error.code))

    def _record(self, trial: Trial, metric: AnalysisMetric, found: Compared) -> None:
        self._findings.record(trial, metric, found, asyncio.get_running_loop().time())

    def _record_failure(self, trial: Trial, metric: AnalysisMetric, query: str, error: NoAnswer) -> None:
        found = Compared(query, reason=self._session.unanswered(error), code=error.code)
        now = asyncio.get_running_loop().time()
        self._findings.record_failure(trial, metric, found, now, self._session.fresh)
