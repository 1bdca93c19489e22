"""Thin traffic: whether a candidate can gather minSamples within maxDuration, at the rate of its requests so far."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from steadfit.api.base import parse_duration
from steadfit.api.rollout import Candidate
from steadfit.api.strategy import Analysis
from steadfit.core.types import Compared

SHORTEST = timedelta(hours=1)
"""Shortest time that a rate is estimated from."""
DAY = timedelta(days=1)


def message(analysis: Analysis, candidate: Candidate, compared: Iterable[Compared], now: datetime) -> str:
    """Return what the traffic allows and what helps, in round numbers that change seldom; empty where it is enough."""
    counts = [one.candidate.count for one in compared if one.candidate is not None]
    elapsed = now - candidate.analysed_since if candidate.analysed_since else timedelta()
    if not counts or elapsed < SHORTEST:
        return ""
    least, longest = min(counts), parse_duration(analysis.max_duration)
    if least * (longest / elapsed) >= analysis.min_samples:
        return ""
    a_day = _round(least / (elapsed / DAY))
    time = f"take about {_round(analysis.min_samples / a_day):,.0f} days" if a_day else "never come"
    return (
        f"the candidate gets about {a_day:,.0f} of them a day, so minSamples of {analysis.min_samples} {time}, and"
        f" maxDuration is {analysis.max_duration}: raise maxDuration or the weight, lower minSamples, or set"
        " onInconclusive to Promote"
    )


def _round(number: float) -> float:
    """Return a number with one significant digit; 0 below one half."""
    return float(f"{number:.1g}") if number >= 0.5 else 0.0
