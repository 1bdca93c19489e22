"""The gate: whether a version is good enough, by the thresholds of its TrainingJob as they are now."""

from __future__ import annotations

from collections.abc import Iterable

from steadfit.api.data import Evaluation, Metric
from steadfit.api.modelversion import EvaluationResult, Judgement, VersionPhase


def judge(result: EvaluationResult, evaluation: Evaluation) -> list[Judgement]:
    """Return how a version did at each threshold; what was not measured has not passed."""
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


def verdict(judgements: Iterable[Judgement]) -> VersionPhase:
    """Return Verified if every threshold was passed, also if there are none."""
    return "Verified" if all(judgement.passed for judgement in judgements) else "Rejected"


def words(judgements: Iterable[Judgement]) -> str:
    """Return the judgements that were not passed, or else all of them, in a sentence."""
    everyone = list(judgements)
    failed = [judgement for judgement in everyone if not judgement.passed]
    if not everyone:
        return "the recipe has no thresholds"
    return "; ".join(_words(judgement) for judgement in failed or everyone)


def _passes(metric: Metric, threshold: float, value: float | None) -> bool:
    if value is None:
        return False
    return value >= threshold if metric.goal == "Maximize" else value <= threshold


def _words(judgement: Judgement) -> str:
    if judgement.value is None:
        return f"{judgement.metric} was not measured (threshold {judgement.threshold:g})"
    verb = "meets" if judgement.passed else "does not meet"
    return f"{judgement.metric} {judgement.value:.4g} {verb} the threshold {judgement.threshold:g}"
