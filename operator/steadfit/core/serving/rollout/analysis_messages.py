"""Messages of an analysis."""

from __future__ import annotations

import math

from steadfit.api.margin import Margin
from steadfit.api.metrics import METRICS
from steadfit.api.monitor import Query
from steadfit.api.rollout import Verdict
from steadfit.api.strategy import AnalysisMetric
from steadfit.core.types import Arm, SequentialResult

LEAST, PART = Margin(0.01), Margin(30.0, relative=True)
"""The margins of an error rate without one: the larger one holds."""


def margin(metric: AnalysisMetric, champion: Arm) -> Margin:
    """Return the margin of a comparison; that of an error rate without one depends on the champion's.

    Raises
    ------
    ValueError
        If the metric is an expression, which is compared with nothing.
    """
    kind = metric.error_rate or metric.latency or metric.quality
    if kind is None:
        raise ValueError(f"metric {metric.name} compares nothing")
    if kind.margin is not None:
        return kind.margin
    return max(LEAST, PART, key=lambda margin: margin.of(champion.mean))


def is_share(metric: AnalysisMetric) -> bool:
    """Tell whether shares of requests or outcomes are compared, not mean errors."""
    return metric.quality is None or METRICS[metric.quality.metric].canary == "Share"


def holds(query: Query, value: float) -> bool:
    """Tell whether a value meets the condition of an expression; one that equals the limit does."""
    return value <= query.max if query.max is not None else query.min is not None and value >= query.min


def condition(query: Query, value: float) -> str:
    """Return the value of an expression and its condition."""
    bound = f"at most {query.max:g}" if query.max is not None else f"at least {query.min:g}"
    said = f"the expression is {value:.4g} and must be {bound}"
    return said if holds(query, value) else f"{said}; only a comparison puts a candidate back"


def comparison(metric: AnalysisMetric, candidate: Arm, champion: Arm, found: SequentialResult) -> str:
    """Return both arms and the result: `candidate 4.1 % of 812, champion 1.0 % of 2,410: worse (…)`."""
    arms = f"candidate {_amount(metric, candidate)}, champion {_amount(metric, champion)}"
    bound = _bound(metric, champion)
    if found.verdict == "Fail":
        return f"{arms}: worse (likelihood ratio {_ratio(found.ratio)})"
    if found.verdict == "Pass":
        return f"{arms}: not worse by more than {bound}"
    return f"{arms}: not known yet whether it is worse by more than {bound}"


def message(verdict: Verdict) -> str:
    """Return a verdict as a part of a sentence."""
    said = f": {verdict.message}" if verdict.message else ""
    return f"{verdict.name} {verdict.verdict}{said}"


def _bound(metric: AnalysisMetric, champion: Arm) -> str:
    """Return the margin: `1 %`, or `20% of the champion's, 0.2 %`."""
    allowed = margin(metric, champion)
    number = _number(metric, allowed.of(champion.mean))
    return f"{allowed.written()} of the champion's, {number}" if allowed.relative else number


def _amount(metric: AnalysisMetric, arm: Arm) -> str:
    return f"{_number(metric, arm.mean)} of {arm.count:,.0f}"


def _number(metric: AnalysisMetric, value: float) -> str:
    return f"{100 * value:.3g} %" if is_share(metric) else f"{value:.4g}"


def _ratio(logarithm: float) -> str:
    """Return a likelihood ratio from its logarithm; above a million the number does not matter."""
    return f"{math.exp(logarithm):,.0f}" if logarithm < math.log(1e6) else "above 1,000,000"
