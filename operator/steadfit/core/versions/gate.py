"""The gate: the verdict on a version, by the thresholds and the margin of its TrainingJob as they are now.

The version must meet every threshold, and must not be worse than the one that served (`champion_comparison`). A version
that could not be compared is held: it serves only if a person pins or promotes it.

A change of the metrics judges no version anew that was not measured by them: its verdict stands.
"""

from __future__ import annotations

from collections.abc import Iterable

from steadfit.api.data import Evaluation, Metric
from steadfit.api.modelversion import EvaluationResult, Gate, Judgement, ModelVersion, VersionPhase
from steadfit.core import former_metric


def judge(result: EvaluationResult, evaluation: Evaluation) -> list[Judgement]:
    """Return the judgement at each threshold; a metric that was not measured has not passed."""
    values = {metric.name: metric.value for metric in result.metrics}
    return [
        Judgement(
            metric=metric.name,
            value=values.get(metric.name),
            threshold=metric.threshold,
            passed=_passes(metric, metric.threshold, values.get(metric.name)),
        )
        for metric in evaluation.metrics
        if metric.threshold is not None
    ]


def stands(version: ModelVersion, evaluation: Evaluation) -> bool:
    """Return whether the stored verdict of a version stands, because it was not measured by the recipe's metrics."""
    if version.status.phase is None or version.status.gate is None:
        return False
    result = version.spec.evaluation
    judgements = judge(result, evaluation)
    unmeasured = {item.metric for item in judgements if item.value is None}
    known = {item.metric for item in version.status.judgements}
    return former_metric.is_compared_by_it(version, evaluation) or bool(unmeasured - known)


def verdict(judgements: Iterable[Judgement], compared: Gate, evaluation: Evaluation) -> VersionPhase:
    """Return the phase of a version that follows from its judgements and its comparison."""
    if compared.verdict == "Fail" or not all(judgement.passed for judgement in judgements):
        return "Rejected"
    if compared.verdict == "NoData":
        return "Held"
    return "Held" if compared.verdict == "Bootstrap" and evaluation.bootstrap == "Manual" else "Verified"


def message(judgements: Iterable[Judgement], compared: Gate | None, phase: VersionPhase | None) -> str:
    """Return the reasons for a phase: for a rejected version those that failed, else all."""
    everyone = list(judgements)
    failed = [judgement for judgement in everyone if not judgement.passed]
    parts = [] if compared is None else [compared.message]
    if phase == "Held":
        return "; ".join([*parts, "it is held until it is pinned or promoted"])
    if phase == "Rejected" and failed:
        return "; ".join([*map(_message, failed), *(parts if compared and compared.verdict == "Fail" else [])])
    if phase == "Rejected":
        return "; ".join(parts)
    return (
        "; ".join([*map(_message, everyone), *parts])
        if everyone
        else "; ".join(["the recipe has no thresholds", *parts])
    )


def _passes(metric: Metric, threshold: float, value: float | None) -> bool:
    if value is None:
        return False
    return value >= threshold if metric.goal == "Maximize" else value <= threshold


def _message(judgement: Judgement) -> str:
    if judgement.value is None:
        return f"{judgement.metric} was not measured (threshold {judgement.threshold:g})"
    verb = "meets" if judgement.passed else "does not meet"
    return f"{judgement.metric} {judgement.value:.4g} {verb} the threshold {judgement.threshold:g}"
