"""What a MetricSource's conditions say: whether it answers, and if not, what is in the way."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from steadfit.api.base import Condition
from steadfit.api.metricsource import MetricSource
from steadfit.core.conditions import READY, DesiredCondition, merge, ready, reconciling, stalled
from steadfit.core.types import SourceHealth

UNREACHABLE: Final = "Unreachable"

TRANSIENT = frozenset({UNREACHABLE, "Timeout", "Unavailable", "Stale"})
"""What may pass by itself: the source is asked again. Anything else waits for a person."""


def conditions(source: MetricSource, health: SourceHealth, now: datetime) -> list[Condition]:
    """Return all conditions."""
    stored, generation = source.status.conditions, source.metadata.generation
    if health.problem is None and any(one.type == READY and one.observed_generation == generation for one in stored):
        # An operator that has just started has not asked yet; what the one before it found is not worse for that.
        return list(stored)
    return merge(stored, _readiness(source, health), generation, now)


def _readiness(source: MetricSource, health: SourceHealth) -> list[DesiredCondition]:
    if health.problem is None:
        return reconciling("NotAsked", f"{source.spec.url} was not asked yet")
    if not health.problem:
        warned = f"; it warns: {health.warning}" if health.warning else ""
        return ready("Answers", f"{source.spec.url} answers{warned}")
    return (reconciling if health.code in TRANSIENT else stalled)(health.code, health.problem)
