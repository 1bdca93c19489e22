"""Analysis: what is known of a candidate that takes a share of the traffic, judged beside the champion.

Four verdicts. No data decides nothing: it neither lets a candidate through nor puts it back. A verdict keeps the
numbers that it began with, so that a count which only moves writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from steadfit.api.metrics import METRICS
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.rollout import Candidate, Verdict
from steadfit.api.strategy import Analysis, AnalysisMetric
from steadfit.core.text import cut
from steadfit.core.types import Arm, Compared

from . import analysis_messages as messages
from .msprt import SequentialResult, Tolerance, sequential_test

FEWEST_EVENTS = 5
"""Failed, late or wrong answers that a candidate must have given to be found worse by them: with fewer, the normal
approximation does not hold."""
SHARE_SCALE = 0.01
"""Smallest scale of the test of shares by a relative margin: a champion that has failed nothing yet leaves a margin of
0, and a candidate that fails half of the time is found all the same."""
SMALLEST_SCALE = 1e-6
NOT_MEASURED = Compared(reason="not measured yet", code="NotMeasured")

Outcome = Literal["Pass", "Fail", "Undecided"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the metrics of an analysis say together.

    Attributes
    ----------
    verdicts
        One a metric, in the order of the spec.
    outcome
        Fail if any metric fails, Pass if all pass; else it is not decided yet.
    sentence
        The outcome in a sentence: what is worse, or what is waited for.
    """

    verdicts: list[Verdict]
    outcome: Outcome
    sentence: str


def judge(
    deployment: ModelDeployment, candidate: Candidate, compared: Mapping[str, Compared], now: datetime
) -> Finding:
    """Return what is known of a candidate; a metric that is missing was not measured yet by this process."""
    analysis = deployment.spec.analysis
    before = {verdict.name: verdict for verdict in candidate.verdicts}
    verdicts, failed, waiting = [], [], []
    for metric in analysis.metrics:
        stored, answer = before.get(metric.name), compared.get(metric.name)
        if answer is None and stored is not None:
            # What a process before this one found stays to be read, but nothing follows from it: it is asked anew.
            verdicts.append(stored)
            waiting.append(f"{metric.name}: {NOT_MEASURED.reason}")
            continue
        verdict = _kept(stored, _verdict(analysis, metric, answer or NOT_MEASURED, now))
        verdicts.append(verdict)
        if verdict.verdict == "Fail":
            failed.append(messages.message(verdict))
        elif verdict.verdict != "Pass":
            waiting.append(messages.message(verdict))
    if failed:
        return Finding(verdicts, "Fail", "; ".join(failed))
    if waiting:
        return Finding(verdicts, "Undecided", f"waits for {'; '.join(waiting)}")
    return Finding(verdicts, "Pass", "; ".join(map(messages.message, verdicts)))


def standing(analysis: Analysis, metric: AnalysisMetric, compared: Compared) -> tuple[str, str]:
    """Return what of a comparison decides: two of one standing lead to the same verdict."""
    found = _found(analysis, metric, compared)
    return (found.word, "") if isinstance(found, _Judged) else ("NoData", found.reason)


@dataclass(frozen=True, slots=True)
class _Judged:
    word: Literal["Pass", "Fail", "Inconclusive"]
    message: str


def _verdict(analysis: Analysis, metric: AnalysisMetric, compared: Compared, now: datetime) -> Verdict:
    found = _found(analysis, metric, compared)
    candidate, champion = compared.candidate, compared.champion
    value, beside = compared.value, None
    if not metric.query:
        value, beside = (arm.mean if arm else None for arm in (candidate, champion))
    return Verdict(
        name=metric.name,
        verdict=found.word if isinstance(found, _Judged) else "NoData",
        query=cut(compared.query, 4096),
        value=_short(value),
        champion_value=_short(beside),
        samples=round(candidate.count) if candidate else None,
        champion_samples=round(champion.count) if champion else None,
        message=cut(found.message if isinstance(found, _Judged) else found.reason),
        at=now,
    )


def _found(analysis: Analysis, metric: AnalysisMetric, compared: Compared) -> _Judged | Compared:
    """Return what a comparison says of a metric, or itself with the reason why it is no data."""
    if metric.query:
        if compared.value is None:
            return compared if compared.reason else NOT_MEASURED
        holds = messages.holds(metric.query, compared.value)
        return _Judged("Pass" if holds else "Inconclusive", messages.condition(metric.query, compared.value))
    candidate, champion = compared.candidate, compared.champion
    if candidate is None or champion is None:
        return compared if compared.reason else NOT_MEASURED
    few = _few(analysis, metric, candidate, champion)
    if few:
        return Compared(reason=few, code="TooFewSamples")
    found = compare(metric, compared, candidate, champion)
    return _Judged(found.word, messages.comparison(metric, candidate, champion, found))


def _few(analysis: Analysis, metric: AnalysisMetric, candidate: Arm, champion: Arm) -> str:
    """Return why there are too few samples; without the number, which moves with every look."""
    short = [
        name for name, arm in (("candidate", candidate), ("champion", champion)) if arm.count < analysis.min_samples
    ]
    what = "outcomes" if metric.quality else "requests"
    return f"fewer than {analysis.min_samples} {what} of the {' and the '.join(short)} yet" if short else ""


def compare(metric: AnalysisMetric, compared: Compared, candidate: Arm, champion: Arm) -> SequentialResult:
    """Return what the two arms of a comparison say."""
    maximized = _maximized(metric)
    difference = compared.difference if compared.difference is not None else candidate.mean - champion.mean
    found = sequential_test(
        -difference if maximized else difference,
        candidate.variance + champion.variance,
        tolerance(metric, candidate, champion),
    )
    if found.word == "Fail" and messages.is_share(metric):
        share = 1 - candidate.mean if maximized else candidate.mean
        if share * candidate.count < FEWEST_EVENTS:
            return SequentialResult("Inconclusive", found.ratio, found.upper)
    return found


def tolerance(metric: AnalysisMetric, candidate: Arm, champion: Arm) -> Tolerance:
    """Return by how much the candidate may be worse.

    A percentage is of the champion's mean so far. What is tested is the candidate's mean less the champion's with the
    margin, whose variance has the square of 1 plus the percentage; 1 less it where larger is better.
    """
    margin, variance = messages.margin(metric), candidate.variance + champion.variance
    if not margin.relative:
        return Tolerance.fixed(margin.amount, variance)
    part = -margin.amount / 100 if _maximized(metric) else margin.amount / 100
    allowed = margin.of(champion.mean)
    least = SHARE_SCALE if messages.is_share(metric) else SMALLEST_SCALE
    return Tolerance(allowed, max(allowed, least), candidate.variance + (1 + part) ** 2 * champion.variance)


def _maximized(metric: AnalysisMetric) -> bool:
    return metric.quality is not None and METRICS[metric.quality.metric].goal == "Maximize"


def _kept(before: Verdict | None, now: Verdict) -> Verdict:
    """Return the verdict with the numbers that its word began with; another reason why there is no data is told."""
    if before is None or before.verdict != now.verdict:
        return now
    if now.verdict == "NoData" and before.message != now.message:
        return now.model_copy(update={"at": before.at})
    return before


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
