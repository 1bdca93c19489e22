"""The plan of a MetricSource: its status says whether it answers; asking is the poller's."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.metricsource import MetricSourceStatus
from steadfit.core.monitors.source_condition import conditions
from steadfit.core.times_ahead import corrected
from steadfit.core.types import ObservedMetricSource, Plan


def plan(observed: ObservedMetricSource, now: datetime) -> Plan:
    """Decide over a MetricSource."""
    observed = corrected(observed, now)
    source = observed.source
    status = MetricSourceStatus(
        observed_generation=source.metadata.generation, conditions=conditions(source, observed.health, now)
    )
    return Plan(status=status.dump())
