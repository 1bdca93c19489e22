"""The comparison of a candidate with its champion, from the answer to the query."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from steadfit.api.strategy import AnalysisMetric
from steadfit.core.monitors.recording.quality import BINS
from steadfit.core.reasons.metrics import NoDataReason
from steadfit.core.series import ServerSeries
from steadfit.core.serving.rollout.stratified_difference import Slice, pair, share_variance
from steadfit.core.types import Compared

from .answer import Line, Lines, NoAnswer
from .canary_queries import PART, QUALITY, Grid, series_of
from .canary_trial import Trial

WIDEST = 0.25
"""The largest variance of a quantity between 0 and 1."""

Part = tuple[str, ...]
Tally = Mapping[Part, float]
"""Counts by HTTP code, by bound of the latency, or by bin and outcome."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """Functions of the counts: the number of observations, the sum of the compared quantity, and its variance."""

    count: Callable[[Tally], float]
    amount: Callable[[Tally], float]
    variance: Callable[[Tally], float]


def compared(trial: Trial, metric: AnalysisMetric, grid: Grid, answer: Lines, query: str) -> Compared:
    """Return the comparison of a candidate with its champion.

    Raises
    ------
    NoAnswer
        If the answer does not belong to the query.
    """
    arms = {
        revision: _arm(answer, revision, _labels(metric), grid)
        for revision in (trial.revision, trial.champion_revision)
    }
    for revision, who in ((trial.revision, "candidate"), (trial.champion_revision, "champion")):
        no_data = _no_data(arms[revision], who, revision, metric, grid)
        if no_data:
            return Compared(query=query, reason=no_data[0], code=no_data[1])
    kind = _kind(metric)
    candidate, champion = (
        [{part: line.get(end, 0.0) for part, line in arms[revision].items()} for end in grid.ends]
        for revision in (trial.revision, trial.champion_revision)
    )
    slices = [
        Slice(kind.count(mine), kind.amount(mine), kind.count(theirs), kind.amount(theirs))
        for mine, theirs in zip(candidate, champion, strict=True)
    ]
    found = pair(slices, kind.variance(_total(candidate)), kind.variance(_total(champion)))
    if found is None:
        what = "outcomes of both at the same time" if metric.quality else "requests to both at the same time"
        return Compared(query=query, reason=f"there were no {what} yet", code="TooFewSamples")
    in_step = _in_step(trial, slices, grid)
    return Compared(query, found.candidate, found.champion, difference=found.difference, in_step=in_step)


def _in_step(trial: Trial, slices: Sequence[Slice], grid: Grid) -> float:
    """Return the number of observations of the candidate in the whole slices since its present step began."""
    if trial.step_since is None:
        return 0.0
    begin = trial.step_since.timestamp()
    counts = zip(grid.ends, slices, strict=True)
    return sum(one.candidate_count for end, one in counts if end - grid.step >= begin)


def _arm(answer: Lines, revision: str, labels: tuple[str, ...], grid: Grid) -> dict[Part, Mapping[float, float]]:
    """Return the lines of one arm by their labels."""
    ends = set(grid.ends)
    lines: dict[Part, Mapping[float, float]] = {}
    for line in answer.lines:
        if line.labels.get("revision") != revision:
            continue
        if not line.points.keys() <= ends:
            raise NoAnswer("Stale", "its answer is of other times than the query: a stale copy")
        part = _part_of(line, labels)
        if part in lines:
            raise NoAnswer("NotPrometheus", "it gives two values for one series")
        lines[part] = line.points
    return lines


def _part_of(line: Line, labels: tuple[str, ...]) -> Part:
    part = line.labels.get(PART)
    return (part,) if part else tuple(line.labels.get(label, "") for label in labels)


def _no_data(
    lines: Mapping[Part, Mapping[float, float]], who: str, revision: str, metric: AnalysisMetric, grid: Grid
) -> tuple[str, NoDataReason] | None:
    """Return why the lines of one arm are no data, and the code; None if they are data."""
    series = series_of(metric)
    if any(not math.isfinite(value) for points in lines.values() for value in points.values()):
        return f"{series} of the {who} (revision {revision}) is no finite number", "NotANumber"
    if not lines:
        return (
            f"there is no {series} of the {who} (revision {revision}): Prometheus does not scrape its pods, or they"
            " export no such series",
            "NoSeries",
        )
    missing = {part for part in _needed(metric) if part not in lines}
    if missing or (metric.latency and len(lines) < 2):
        return f"there are not all of {series} of the {who} (revision {revision}) that the metric needs", "NoSeries"
    if not any(grid.last in points for points in lines.values()):
        return (
            f"there is no {series} of the {who} (revision {revision}) any more: its pods are not scraped",
            "NotScraped",
        )
    return None


def _labels(metric: AnalysisMetric) -> tuple[str, ...]:
    if metric.error_rate:
        return ("code",)
    return ("le",) if metric.latency else ("bin", "outcome")


def _needed(metric: AnalysisMetric) -> list[Part]:
    """Return the lines that the metric cannot do without."""
    names: tuple[str, ...] = ("+Inf",) if metric.latency else ()
    if metric.quality:
        _, names = QUALITY[metric.quality.metric]
    return [(name,) for name in names]


def _kind(metric: AnalysisMetric) -> _Kind:
    if metric.error_rate:
        return _share(_all, lambda tally: _sum(tally, lambda part: part[0].startswith("5")))
    if metric.latency:
        return _share(
            lambda tally: tally[("+Inf",)], lambda tally: max(0.0, 2 * tally[("+Inf",)] - sum(tally.values()))
        )
    if metric.quality:
        return KINDS[metric.quality.metric]
    raise ValueError(f"metric {metric.name} compares nothing")


def _share(count: Callable[[Tally], float], events: Callable[[Tally], float]) -> _Kind:
    return _Kind(count, events, lambda tally: share_variance(count(tally), events(tally)))


def _brier_variance(tally: Tally) -> float:
    """Return the variance of a squared error, from the middles of the bins, with a largest one added."""
    errors = [
        (count, ((int(part[0]) + 0.5) / BINS - (part[1] == "positive")) ** 2)
        for part, count in tally.items()
        if part[-1] in ("positive", "negative") and part[0].isdecimal()
    ]
    count = sum(number for number, _ in errors)
    mean = sum(number * error for number, error in errors) / max(count, 1.0)
    return (sum(number * (error - mean) ** 2 for number, error in errors) + WIDEST) / (count + 1)


def _absolute_variance(tally: Tally) -> float:
    """Return the variance of an absolute error, from the sum of squares, with one at the mean added."""
    count = max(_observed(tally), 1.0)
    mean = tally[(ServerSeries.FEEDBACK_ABSOLUTE_ERROR,)] / count
    return (max(0.0, tally[(ServerSeries.FEEDBACK_SQUARED_ERROR,)] - count * mean**2) + mean**2) / (count + 1)


def _total(tallies: list[dict[Part, float]]) -> Tally:
    return {part: sum(tally[part] for tally in tallies) for part in tallies[0]}


def _sum(tally: Tally, matches: Callable[[Part], bool]) -> float:
    return sum(count for part, count in tally.items() if matches(part))


def _all(tally: Tally) -> float:
    return sum(tally.values())


def _decided(tally: Tally) -> float:
    return _sum(tally, lambda part: part[-1] in ("positive", "negative", "correct", "wrong"))


def _observed(tally: Tally) -> float:
    return _sum(tally, lambda part: part[-1] == "observed")


def _is_right(part: Part) -> bool:
    if part[-1] == "correct":
        return True
    upper = part[0].isdecimal() and int(part[0]) >= BINS // 2
    return (part[-1] == "positive" and upper) or (part[-1] == "negative" and part[0].isdecimal() and not upper)


KINDS: Mapping[str, _Kind] = {
    "accuracy": _share(_decided, lambda tally: _sum(tally, _is_right)),
    "brier_score": _Kind(_decided, lambda tally: tally[(ServerSeries.FEEDBACK_SQUARED_ERROR,)], _brier_variance),
    "mae": _Kind(_observed, lambda tally: tally[(ServerSeries.FEEDBACK_ABSOLUTE_ERROR,)], _absolute_variance),
}
"""How each metric of quality is compared."""
