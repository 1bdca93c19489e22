"""Analysis: the verdicts on a candidate that takes a share of the traffic, beside the champion.

There are four verdicts. NoData decides nothing: the candidate is neither promoted nor rolled back. The numbers of
verdicts that stay are written once a minute: a count that grows with every measurement would write as often.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from steadfit.api.metrics import METRICS
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.rollout import Candidate, Verdict
from steadfit.api.strategy import Analysis, AnalysisMetric
from steadfit.core.serving.stability.instability import Instability
from steadfit.core.text import cut
from steadfit.core.types import Arm, Compared, SequentialResult

from . import analysis_messages as messages
from . import thin_traffic
from .msprt import Tolerance, sequential_test

FEWEST_EVENTS = 5
"""Fewest failed, late or wrong answers of a candidate that is found worse by them: with fewer, the normal approximation
does not hold."""
SHARE_SCALE = 0.01
"""Smallest scale of the test of shares by a relative margin. Beside a champion without failures the margin is 0, and a
candidate that fails half of the time must still be found."""
SMALLEST_SCALE = 1e-6
"""The same for means, which need one above 0."""
REFRESH = timedelta(minutes=1)
"""Time between two writes of numbers that only move."""
NOT_MEASURED = Compared(reason="not measured yet", code="NotMeasured")

Outcome = Literal["Pass", "Fail", "Inconclusive"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdicts of all metrics, and the outcome of the analysis.

    Attributes
    ----------
    verdicts
        One for each metric, in the order of the spec.
    outcome
        Fail if any metric fails, Pass if all pass and have enough samples of the present step, else Inconclusive.
    sentence
        The outcome in words: which metric is worse, or which one is not decided yet.
    against
        What speaks against the candidate although no verdict does; empty if nothing.
    """

    verdicts: list[Verdict]
    outcome: Outcome
    sentence: str
    against: str = ""


def judge(
    deployment: ModelDeployment, candidate: Candidate, compared: Mapping[str, Compared], now: datetime
) -> Finding:
    """Return the finding; `compared` lacks the metrics that this process has not measured yet."""
    analysis = deployment.spec.analysis
    before = {verdict.name: verdict for verdict in candidate.verdicts}
    written = _written(candidate)
    refresh = written is not None and now - written >= REFRESH
    verdicts, failed, waiting = [], [], []
    for metric in analysis.metrics:
        stored, answer = before.get(metric.name), compared.get(metric.name)
        if answer is None and stored is not None:
            # The verdict of an earlier process is shown, but decides nothing: this process measures first.
            verdicts.append(stored)
            waiting.append(f"{metric.name}: {NOT_MEASURED.reason}")
            continue
        verdict = _kept(stored, _verdict(analysis, metric, answer or NOT_MEASURED, now), refresh=refresh)
        verdicts.append(verdict)
        if verdict.verdict == "Fail":
            failed.append(messages.message(verdict))
        elif verdict.verdict != "Pass":
            waiting.append(messages.message(verdict))
        elif candidate.phase == "Analysing" and (few := _few_in_step(analysis, metric, answer or NOT_MEASURED)):
            waiting.append(f"{metric.name}: {few}")
    if failed:
        return Finding(verdicts, "Fail", "; ".join(failed))
    if waiting:
        thin = thin_traffic.message(analysis, candidate, compared.values(), now)
        sentence = "; ".join([*waiting, thin] if thin else waiting)
        against = "; ".join(filter(None, (_against(metric, compared.get(metric.name)) for metric in analysis.metrics)))
        return Finding(verdicts, "Inconclusive", f"waits for {sentence}", against)
    return Finding(verdicts, "Pass", "; ".join(map(messages.message, verdicts)))


def refresh_due(candidate: Candidate, compared: Mapping[str, Compared], now: datetime) -> datetime | None:
    """Return when numbers that have moved are written next; None while there are none."""
    written = _written(candidate)
    if written is None or all(one.candidate is None and one.value is None for one in compared.values()):
        return None
    return (written if written + REFRESH > now else now) + REFRESH


def _written(candidate: Candidate) -> datetime | None:
    """Return when numbers of a candidate's verdicts were written last."""
    return max((verdict.at for verdict in candidate.verdicts), default=None)


def with_stability(finding: Finding, unstable: Instability | None) -> Finding:
    """Return the finding with what the failures of the candidate's servers say, which needs no data of metrics."""
    if unstable is None or not unstable.blocks or finding.outcome == "Fail":
        return finding
    if unstable.fails:
        return replace(finding, outcome="Fail", sentence=unstable.reason)
    sentence = f"{finding.sentence}; {unstable.hold}" if finding.outcome == "Inconclusive" else unstable.hold
    against = "; ".join(filter(None, (finding.against, unstable.reason)))
    return replace(finding, outcome="Inconclusive", sentence=sentence, against=against)


def decision_key(analysis: Analysis, metric: AnalysisMetric, compared: Compared) -> tuple[str, str]:
    """Return the verdict of a comparison, and the reason if it lacks data, in all or in its step: what a plan reads."""
    found = _found(analysis, metric, compared)
    return (
        (found.verdict, _few_in_step(analysis, metric, compared))
        if isinstance(found, _Decided)
        else ("NoData", found.reason)
    )


@dataclass(frozen=True, slots=True)
class _Decided:
    verdict: Literal["Pass", "Fail", "Inconclusive"]
    message: str


def _verdict(analysis: Analysis, metric: AnalysisMetric, compared: Compared, now: datetime) -> Verdict:
    found = _found(analysis, metric, compared)
    candidate, champion = compared.candidate, compared.champion
    value, beside = compared.value, None
    if not metric.query:
        value, beside = (arm.mean if arm else None for arm in (candidate, champion))
    return Verdict(
        name=metric.name,
        verdict=found.verdict if isinstance(found, _Decided) else "NoData",
        query=cut(compared.query, 4096),
        value=_short(value),
        champion_value=_short(beside),
        samples=round(candidate.count) if candidate else None,
        champion_samples=round(champion.count) if champion else None,
        message=cut(found.message if isinstance(found, _Decided) else found.reason),
        at=now,
    )


def _found(analysis: Analysis, metric: AnalysisMetric, compared: Compared) -> _Decided | Compared:
    """Return the verdict of a metric with its message, or the comparison with the reason why it is no data."""
    if metric.query:
        if compared.value is None:
            return compared if compared.reason else NOT_MEASURED
        holds = messages.holds(metric.query, compared.value)
        return _Decided("Pass" if holds else "Inconclusive", messages.condition(metric.query, compared.value))
    candidate, champion = compared.candidate, compared.champion
    if candidate is None or champion is None:
        return compared if compared.reason else NOT_MEASURED
    few = _few(analysis, metric, candidate, champion)
    # The test by connection is exact: it finds a candidate worse by any number of requests.
    if few and (compared.result is None or compared.result.verdict != "Fail"):
        return Compared(reason=few, code="TooFewSamples")
    found = compared.result or compare(metric, compared, candidate, champion)
    message = messages.comparison(metric, candidate, champion, found)
    return _Decided(found.verdict, f"{message}; {compared.fallback}" if compared.fallback else message)


def _few(analysis: Analysis, metric: AnalysisMetric, candidate: Arm, champion: Arm) -> str:
    """Return why there are too few samples, without the number: it changes with every measurement."""
    short = [
        name for name, arm in (("candidate", candidate), ("champion", champion)) if arm.count < analysis.min_samples
    ]
    what = "outcomes" if metric.quality else "requests"
    return f"fewer than {analysis.min_samples} {what} of the {' and the '.join(short)} yet" if short else ""


def _against(metric: AnalysisMetric, compared: Compared | None) -> str:
    """Return what a metric without a verdict has against the candidate: no data, or a value beyond the margin."""
    if compared is None:
        return f"{metric.name}: {NOT_MEASURED.reason}"
    if metric.query:
        holds = compared.value is not None and messages.holds(metric.query, compared.value)
        return "" if holds else f"{metric.name}: its condition does not hold"
    candidate, champion = compared.candidate, compared.champion
    if candidate is None or champion is None:
        return f"{metric.name}: {compared.reason or NOT_MEASURED.reason}"
    worse = candidate.mean - champion.mean if compared.difference is None else compared.difference
    harm = -worse if _maximized(metric) else worse
    if harm <= tolerance(metric, candidate, champion).margin:
        return ""
    return f"{metric.name}: worse by more than the margin so far"


def _few_in_step(analysis: Analysis, metric: AnalysisMetric, compared: Compared) -> str:
    """Return that the present step has too few samples of its own, without the number; empty if it has enough.

    The test takes the evidence of all steps together, but each step is to show that the candidate bears its share.
    """
    if metric.query or (compared.in_step or 0) >= analysis.min_samples:
        return ""
    what = "outcomes" if metric.quality else "requests"
    return f"fewer than {analysis.min_samples} {what} of the candidate in this step yet"


def compare(metric: AnalysisMetric, compared: Compared, candidate: Arm, champion: Arm) -> SequentialResult:
    """Return the result of the sequential test of both arms."""
    maximized = _maximized(metric)
    difference = compared.difference if compared.difference is not None else candidate.mean - champion.mean
    found = sequential_test(
        -difference if maximized else difference,
        candidate.variance + champion.variance,
        tolerance(metric, candidate, champion),
    )
    if found.verdict == "Fail" and messages.is_share(metric):
        share = 1 - candidate.mean if maximized else candidate.mean
        if share * candidate.count < FEWEST_EVENTS:
            return SequentialResult("Inconclusive", found.ratio, found.upper)
    return found


def tolerance(metric: AnalysisMetric, candidate: Arm, champion: Arm) -> Tolerance:
    """Return the harm that the margin allows.

    A percentage p is taken of the champion's mean so far, which is an estimate. The harm less the margin is then the
    candidate's mean less (1 + p) times the champion's, or (1 - p) times where larger is better; its variance follows.
    """
    margin, variance = messages.margin(metric, champion), candidate.variance + champion.variance
    if not margin.relative:
        return Tolerance.fixed(margin.amount, variance)
    part = -margin.amount / 100 if _maximized(metric) else margin.amount / 100
    allowed = margin.of(champion.mean)
    least = SHARE_SCALE if messages.is_share(metric) else SMALLEST_SCALE
    return Tolerance(allowed, max(allowed, least), candidate.variance + (1 + part) ** 2 * champion.variance)


def _maximized(metric: AnalysisMetric) -> bool:
    return metric.quality is not None and METRICS[metric.quality.metric].goal == "Maximize"


def _kept(before: Verdict | None, now: Verdict, *, refresh: bool) -> Verdict:
    """Return the stored verdict while neither it nor the reason for NoData changes, and its numbers need no refresh."""
    if before is None or before.verdict != now.verdict:
        return now
    if refresh and _numbers(before) != _numbers(now):
        return now
    if now.verdict == "NoData" and before.message != now.message:
        return now.model_copy(update={"at": before.at})
    return before


def _numbers(verdict: Verdict) -> tuple[float | None, ...]:
    return verdict.value, verdict.champion_value, verdict.samples, verdict.champion_samples


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
