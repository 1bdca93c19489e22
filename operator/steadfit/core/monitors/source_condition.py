"""The conditions of a MetricSource: whether it answers, and if not, why."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from steadfit.api.base import Condition
from steadfit.api.metricsource import MetricSource
from steadfit.core.conditions import READY, DesiredCondition, merge, ready, reconciling, stalled
from steadfit.core.types import SourceHealth

UNREACHABLE: Final = "Unreachable"

TRANSIENT = frozenset({UNREACHABLE, "Timeout", "Unavailable", "Stale"})
"""Problems that may end without a person: the source is queried again. All others need a person."""


def conditions(source: MetricSource, health: SourceHealth, now: datetime) -> list[Condition]:
    """Return all conditions."""
    stored, generation = source.status.conditions, source.metadata.generation
    if health.problem is None and any(one.type == READY and one.observed_generation == generation for one in stored):
        # An operator that has just started has not queried yet; the conditions of the one before it still hold.
        return list(stored)
    return merge(stored, _readiness(source, health), generation, now)


def _readiness(source: MetricSource, health: SourceHealth) -> list[DesiredCondition]:
    if health.problem is None:
        return reconciling("NotQueried", f"{source.spec.url} was not queried yet")
    if not health.problem:
        warned = f"; it warns: {health.warning}" if health.warning else ""
        return ready("QuerySucceeded", f"{source.spec.url} answers{warned}")
    return (reconciling if health.code in TRANSIENT else stalled)(health.code, health.problem)
