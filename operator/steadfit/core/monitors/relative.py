"""Monitors whose level is relative to the gate's score of the live version: the level that they have now.

The scores are in the status of the ModelDeployment, under the digest of the artifact. So a rollout or a rollback
changes the level, and whoever reads the ModelDeployment computes the same one.
"""

from __future__ import annotations

from steadfit.api.metrics import METRICS
from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.api.monitor import Monitor
from steadfit.api.rollout import LiveScores
from steadfit.core.types import Signal


def is_relative(monitor: Monitor) -> bool:
    """Return whether the level of a monitor follows the live version."""
    return monitor.quality is not None and monitor.quality.within is not None


def live_scores(
    deployment: ModelDeployment, status: ModelDeploymentStatus, version: ModelVersion | None
) -> LiveScores | None:
    """Return the scores of the live version, which `version` is; None if no monitor needs them.

    Scores that are known stay when the ModelVersion is deleted.
    """
    live, known = status.live, status.live_scores
    if live is None or not any(map(is_relative, deployment.spec.monitors)):
        return None
    if version is not None:
        return LiveScores(number=live.number, digest=live.digest, metrics=version.spec.evaluation.metrics)
    if known is not None and (known.number, known.digest) == (live.number, live.digest):
        return known
    return LiveScores(number=live.number, digest=live.digest)


def absolute(monitor: Monitor, status: ModelDeploymentStatus) -> Monitor | None:
    """Return a monitor with the level that it has for the live version; None if that version has no score."""
    quality = monitor.quality
    if quality is None or quality.within is None:
        return monitor
    live, known = status.live, status.live_scores
    if live is None or known is None or (known.number, known.digest) != (live.number, live.digest):
        return None
    score = next((item.value for item in known.metrics if item.name == quality.metric), None)
    if score is None:
        return None
    margin = quality.within.of(score)
    if METRICS[quality.metric].goal == "Maximize":
        level = {"min": score - margin}
    else:
        level, margin = {"max": score + margin}, -margin
    (value,) = level.values()
    clear = monitor.clear if monitor.clear is not None else value + margin / 2
    return monitor.model_copy(update={"quality": quality.model_copy(update={"within": None, **level}), "clear": clear})


def no_score(monitor: Monitor, status: ModelDeploymentStatus) -> Signal:
    """Return that a monitor has no level."""
    metric = monitor.quality.metric if monitor.quality else ""
    number = status.live.number if status.live else 0
    return Signal(
        reason=f"the gate has no score of version {number} by {metric}, to which the level is relative: add {metric} to"
        " evaluation.metrics of the TrainingJob and train, or set min or max instead of within",
        code="NoScore",
    )
