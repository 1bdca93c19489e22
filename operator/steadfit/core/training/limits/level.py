"""Levels that no training reaches: a monitor whose level the last automatic run missed requests no further run.

The gate has scored the version of that run on its holdout, by the metric of the monitor. If that score is beyond the
level already, another run of the same recipe would go round until the circuit breaker. A person decides: the level, the
recipe or the data is wrong. A version that a person or a schedule trained, or a change of the recipe, allows it again.
"""

from __future__ import annotations

from collections.abc import Sequence

from steadfit.api.modelversion import ModelVersion
from steadfit.core.serving.recovery.retrain_causes import FiringMonitor

from .automatic_runs import AUTOMATIC
from .blocked import Hold


def reachable(monitors: Sequence[FiringMonitor], versions: Sequence[ModelVersion], recipe: str) -> list[FiringMonitor]:
    """Return the monitors whose level a run may reach; `recipe` is the input hash of the recipe as it is."""
    return [monitor for monitor in monitors if _missed(monitor, versions, recipe) is None]


def hold(monitors: Sequence[FiringMonitor], versions: Sequence[ModelVersion], recipe: str) -> Hold | None:
    """Return the wait of monitors that request no run because no training reaches their level."""
    missed = [(monitor, score) for monitor in monitors if (score := _missed(monitor, versions, recipe)) is not None]
    if not missed:
        return None
    parts = "; ".join(f"{monitor.name} fires {_side(monitor)}, and {score}" for monitor, score in missed)
    return Hold(
        "LevelUnreachable",
        f"waits until a person decides: {parts} on its holdout. Change the level, the recipe or the data; a Retrain"
        " action trains once",
    )


def _missed(monitor: FiringMonitor, versions: Sequence[ModelVersion], recipe: str) -> str | None:
    """Return the score by which the newest version of the recipe missed the level; None if it did not, or is none."""
    newest = max(versions, key=lambda item: item.spec.number, default=None)
    level = monitor.limit
    if newest is None or level is None or newest.spec.cause.type not in AUTOMATIC:
        return None
    if newest.spec.lineage.input_hash != recipe:
        return None
    values = (item.value for item in newest.spec.evaluation.metrics if item.name == monitor.metric)
    score = next(values, None)
    if score is None or not (score > level.value if level.above else score < level.value):
        return None
    return f"version {newest.spec.number}, which was trained for it, has {monitor.metric} {score:.4g}"


def _side(monitor: FiringMonitor) -> str:
    level = monitor.limit
    return "" if level is None else f"{'above' if level.above else 'below'} {level.value:g}"
