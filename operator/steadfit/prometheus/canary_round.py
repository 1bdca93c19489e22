"""One look at the candidates that take traffic: asks what their analyses compare, and tells what came of it."""

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
from .canary_results import Findings
from .canary_trial import Trial, expression, source_of
from .query_session import LOST, QuerySession

_TOO_EARLY = "the candidate has only begun to take traffic"


class ComparisonRound:
    """One look by one source."""

    def __init__(self, session: QuerySession, findings: Findings) -> None:
        self._asking = session
        self._findings = findings

    async def ask(self, trials: Iterable[Trial]) -> None:
        """Ask all metrics that are for this source."""
        source, tests = self._asking.source, []
        for trial in trials:
            for metric in trial.analysis.metrics:
                if source_of(metric) != source.name:
                    continue
                if not selects(source.spec.allowed_namespaces, trial.namespace_labels):
                    self._tell(trial, metric, Compared(reason=self._asking.forbidden(), code="SourceNotAllowed"))
                elif metric.query:
                    tests.append(self._condition(trial, metric, metric.query))
                else:
                    tests.append(self._comparison(trial, metric))
        await asyncio.gather(*tests)

    async def _comparison(self, trial: Trial, metric: AnalysisMetric) -> None:
        slices = grid(trial.since, self._asking.clock.now(), self._asking.interval)
        if slices is None:
            self._tell(trial, metric, Compared(reason=_TOO_EARLY, code="TooFewSamples"))
            return
        query = comparison(trial, metric, slices.step)
        answer = await self._asking.query_range(query, slices, self._asking.scope(trial.namespace))
        if not isinstance(answer, NoAnswer):
            try:
                self._tell(trial, metric, compared(trial, metric, slices, answer, query))
            except NoAnswer as error:
                self._asking.unusable(error, ours=True)
                answer = error
        if isinstance(answer, NoAnswer):
            self._tell_unanswered(trial, metric, query, answer)

    async def _condition(self, trial: Trial, metric: AnalysisMetric, asked: Query) -> None:
        query = expression(trial, asked.prom_ql)
        answer = await self._asking.query(query, self._asking.scope(trial.namespace), ours=False)
        if isinstance(answer, NoAnswer):
            if answer.code in LOST:
                self._tell_unanswered(trial, metric, query, answer)
            else:
                # The source's own words say what is wrong with the expression.
                reason = f"MetricSource {self._asking.source.name}: {answer}"
                self._tell(trial, metric, Compared(query, reason=reason, code=answer.code))
            return
        try:
            self._tell(trial, metric, Compared(query, value=one_number(answer)))
        except NoAnswer as error:
            self._asking.unusable(error, ours=False)
            self._tell(trial, metric, Compared(query, reason=str(error), code=error.code))

    def _tell(self, trial: Trial, metric: AnalysisMetric, found: Compared) -> None:
        self._findings.tell(trial, metric, found, asyncio.get_running_loop().time())

    def _tell_unanswered(self, trial: Trial, metric: AnalysisMetric, query: str, error: NoAnswer) -> None:
        found = Compared(query, reason=self._asking.unanswered(error), code=error.code)
        now = asyncio.get_running_loop().time()
        self._findings.tell_unanswered(trial, metric, found, now, self._asking.fresh)
