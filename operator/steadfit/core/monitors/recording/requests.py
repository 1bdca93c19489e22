"""Recording rules for requests, their latencies and predicted rows, for all models at once."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

from steadfit.core.promql import MODEL, Rule, number, record
from steadfit.core.series import RecordedSeries, ServerSeries

from . import wilson

ONE_SIDE = 0.025
"""Probability that a 95 % interval lies above the truth."""
FEWEST = (0, 10, 100, 1_000, 10_000, 100_000)
"""Numbers of requests from which the interval of a quantile is a narrower one, as PromQL takes a quantile of a
histogram at a constant only. Between two of them it is that of the smaller number: too wide, and never too narrow."""


def requests(window: str, period: str) -> Rule:
    """Return the rule that counts inference requests; `period` is the window in PromQL."""
    return record(
        RecordedSeries.REQUESTS, f"sum by ({MODEL}) (increase({ServerSeries.REQUESTS}[{period}]))", window=window
    )


def error_ratio(window: str, period: str) -> Rule:
    """Return the rule for the share of requests that were answered with 5xx, after that of `requests`."""
    failed = f'sum by ({MODEL}) (increase({ServerSeries.REQUESTS}{{code=~"5.."}}[{period}]))'
    return record(RecordedSeries.ERROR_RATIO, f"{failed} / on ({MODEL}) ({_counted(window)} > 0)", window=window)


def error_ratio_lower(window: str) -> Rule:
    """Return the rule for the lower end of that share's interval, after that of `error_ratio`."""
    share = f'sum by ({MODEL}) ({RecordedSeries.ERROR_RATIO}{{window="{window}"}})'
    return record(RecordedSeries.ERROR_RATIO_LOWER, wilson.lower(share, _counted(window)), window=window)


def latencies(window: str, period: str) -> Rule:
    """Return the rule for the histogram of latencies over a window; `period` is the window in PromQL."""
    buckets = f"sum by ({MODEL}, le) (increase({ServerSeries.REQUEST_DURATION_BUCKET}[{period}]))"
    return record(RecordedSeries.LATENCY_INCREASE, buckets, window=window)


def latency(window: str, quantile: float) -> Rule:
    """Return the rule for a quantile, after that of `latencies`."""
    # Without requests a quantile is NaN, which is no value.
    expression = f"{_quantile(window, quantile)} >= 0"
    return record(RecordedSeries.LATENCY, expression, window=window, quantile=number(quantile))


def latency_lower(window: str, quantile: float) -> Rule:
    """Return the rule for the lower end of a quantile's interval, after those of `requests` and `latencies`.

    It is an order statistic, for latencies of any distribution (Conover, Practical Nonparametric Statistics, 3.2).
    """
    parts = []
    for fewest, next_fewest in pairwise((*FEWEST, None)):
        lower = _quantile(window, rank_below(quantile, fewest))
        below = "" if next_fewest is None else f" < {next_fewest}"
        parts.append(f"{lower} and on ({MODEL}) ({_counted(window)} >= {fewest}{below})")
    expression = f"({' or '.join(parts)}) >= 0"
    return record(RecordedSeries.LATENCY_LOWER, expression, window=window, quantile=number(quantile))


@cache
def rank_below(quantile: float, samples: int) -> float:
    """Return the largest rank, from 0 to 1, that lies above the quantile in at most 2.5 % of samples of this size."""
    mean, deviation = samples * quantile, math.sqrt(samples * quantile * (1 - quantile))
    below, rank = 0.0, max(0, math.floor(mean - 8 * deviation - 8))
    while rank <= samples and (below := below + _binomial(rank, samples, quantile)) <= ONE_SIDE:
        rank += 1
    return rank / samples if samples else 0.0


def _binomial(count: int, samples: int, share: float) -> float:
    ways = math.lgamma(samples + 1) - math.lgamma(count + 1) - math.lgamma(samples - count + 1)
    return math.exp(ways + count * math.log(share) + (samples - count) * math.log1p(-share))


def predictions(window: str, period: str) -> Rule:
    """Return the rule that counts predicted rows; `period` is the window in PromQL."""
    return record(
        RecordedSeries.PREDICTIONS,
        f"sum by ({MODEL}) (increase({ServerSeries.PREDICTED_ROWS}[{period}]))",
        window=window,
    )


def _counted(window: str) -> str:
    return f'sum by ({MODEL}) ({RecordedSeries.REQUESTS}{{window="{window}"}})'


def _quantile(window: str, quantile: float) -> str:
    return f'histogram_quantile({number(quantile)}, {RecordedSeries.LATENCY_INCREASE}{{window="{window}"}})'
