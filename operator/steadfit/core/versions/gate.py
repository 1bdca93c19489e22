"""The gate: whether a version is good enough, by the thresholds and the margin of its TrainingJob as they are now.

Every threshold must be met, and the version must not be worse than the one that served (`comparison`). What could not
be compared is held for a person: it neither serves by itself nor is it called bad.
"""

from __future__ import annotations

from collections.abc import Iterable

from steadfit.api.data import Evaluation, Metric
from steadfit.api.modelversion import EvaluationResult, Gate, Judgement, VersionPhase


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


def verdict(judgements: Iterable[Judgement], compared: Gate, evaluation: Evaluation) -> VersionPhase:
    """Return what becomes of a version, by its judgements at the thresholds and by the comparison."""
    if compared.verdict == "Fail" or not all(judgement.passed for judgement in judgements):
        return "Rejected"
    if compared.verdict == "NoData":
        return "Held"
    return "Held" if compared.verdict == "Bootstrap" and evaluation.bootstrap == "Manual" else "Verified"


def words(judgements: Iterable[Judgement], compared: Gate | None, phase: VersionPhase | None) -> str:
    """Return the verdict's reasons in a sentence: of a rejected version those that failed, else all of them."""
    everyone = list(judgements)
    failed = [judgement for judgement in everyone if not judgement.passed]
    said = [] if compared is None else [compared.message]
    if phase == "Held":
        return "; ".join([*said, "it is held until somebody pins or promotes it"])
    if phase == "Rejected" and failed:
        return "; ".join([*map(_words, failed), *(said if compared and compared.verdict == "Fail" else [])])
    if phase == "Rejected":
        return "; ".join(said)
    return (
        "; ".join([*map(_words, everyone), *said]) if everyone else "; ".join(["the recipe has no thresholds", *said])
    )


def _passes(metric: Metric, threshold: float, value: float | None) -> bool:
    if value is None:
        return False
    return value >= threshold if metric.goal == "Maximize" else value <= threshold


def _words(judgement: Judgement) -> str:
    if judgement.value is None:
        return f"{judgement.metric} was not measured (threshold {judgement.threshold:g})"
    verb = "meets" if judgement.passed else "does not meet"
    return f"{judgement.metric} {judgement.value:.4g} {verb} the threshold {judgement.threshold:g}"
