"""The kind `query`: a user's PromQL expression.

The operator queries the MetricSource and exports the value, and the alert reads that. The expression itself is never
part of a rule: it may be for another Prometheus, may see its own namespace only, and may not be PromQL at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from steadfit.api.monitor import Query
from steadfit.core.monitors.kind import AlertText, Expression, Limit, one_of_two
from steadfit.core.promql import Rule

MIN_SAMPLES = 100


def limit(query: Query) -> Limit:
    """Return the limit, in the unit of the expression."""
    return one_of_two(query.min, query.max)


def measurement(query: Query) -> Expression:
    """Return the expression."""
    return Expression(query.source, query.prom_ql)


def subject(_: Query) -> str:
    """Return what is measured."""
    return "the value of the expression"


def alert_name(_: Query) -> str:
    """Return the name of the alert."""
    return "ModelQuery"


def summary(_: Query, text: AlertText) -> str:
    """Return the sentence of the alert."""
    return f"The query of the monitor {text.monitor} on {text.model} gives {text.value}, {text.expected} is expected."


def recording_rules(_: Sequence[Query], window: str, period: str) -> Sequence[Rule]:
    """Return nothing: Prometheus records no query."""
    return ()
