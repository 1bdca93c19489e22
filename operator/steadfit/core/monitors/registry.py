"""The registry of monitor kinds, by their field of the API.

A field of the API without a kind, a kind without a field, or a kind that allows Recover and has no metric for it ends
the operator at start-up; the type check compares each module with the protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from steadfit.api.monitor import KINDS as API_KINDS
from steadfit.api.monitor import Monitor, MonitorKind
from steadfit.core.monitors.kinds import drift, error_rate, latency, prediction_drift, quality, query

from .kind import Kind, Limit, Measurement, RecoverKind


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


def recoverable(kinds: Mapping[str, Kind], models: Mapping[str, type[MonitorKind]]) -> Mapping[str, RecoverKind]:
    """Return the kinds that allow the action Recover.

    Raises
    ------
    TypeError
        If one of them has no `recover_metric`.
    """
    found: dict[str, RecoverKind] = {}
    for field, model in models.items():
        if "Recover" in model.ACTIONS:
            kind = kinds[field]
            if not isinstance(kind, RecoverKind):
                raise TypeError(f"monitor kind {field} allows Recover, and its module has no function recover_metric")
            found[field] = kind
    return found


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

RECOVER_KINDS = recoverable(KINDS, API_KINDS)
"""Those that allow the action Recover."""


def kind_of(monitor: Monitor) -> Kind:
    """Return the kind of a monitor."""
    return KINDS[monitor.kind]


def limit(monitor: Monitor) -> Limit:
    """Return the limit of a monitor."""
    return kind_of(monitor).limit(monitor.kind_spec)


def measurement(monitor: Monitor) -> Measurement:
    """Return where the value of a monitor comes from."""
    return kind_of(monitor).measurement(monitor.kind_spec)


def recover_metric(monitor: Monitor) -> str:
    """Return the evaluation metric that decides what a monitor of action Recover does."""
    return RECOVER_KINDS[monitor.kind].recover_metric(monitor.kind_spec)
