"""The registry of monitor kinds, by their field of the API.

A field of the API without a kind, or a kind without a field, ends the operator at start-up; the type check compares
each module with the protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from steadfit.api.monitor import KINDS as API_KINDS
from steadfit.api.monitor import Monitor
from steadfit.core.monitors.kinds import drift, error_rate, latency, prediction_drift, quality, query

from .kind import Kind, Limit, Measurement


def complete(kinds: Mapping[str, Kind], fields: Iterable[str]) -> Mapping[str, Kind]:
    """Return the kinds if they are those of the API.

    Raises
    ------
    TypeError
        If a field of the API has no kind, or a kind no field.
    """
    different = sorted(kinds.keys() ^ set(fields))
    if different:
        raise TypeError(f"monitor kinds that are not both in the API and in the registry: {', '.join(different)}")
    return kinds


KINDS = complete(
    {
        "drift": drift,
        "predictionDrift": prediction_drift,
        "quality": quality,
        "errorRate": error_rate,
        "latency": latency,
        "query": query,
    },
    API_KINDS,
)
"""The kinds by their field of the API, in the order in which their series are recorded."""


def kind_of(monitor: Monitor) -> Kind:
    """Return the kind of a monitor."""
    return KINDS[monitor.kind]


def limit(monitor: Monitor) -> Limit:
    """Return the limit of a monitor."""
    return kind_of(monitor).limit(monitor.kind_spec)


def measurement(monitor: Monitor) -> Measurement:
    """Return where the value of a monitor comes from."""
    return kind_of(monitor).measurement(monitor.kind_spec)
