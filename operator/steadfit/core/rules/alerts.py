"""The alerting rules of a ModelDeployment, one for each monitor.

Only versions that take traffic can alert: the answers of an older one stay in the window long after it is gone or a
warm standby. An alert that fires goes on until the value is back at the clearing value. With too few samples it neither
fires nor goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.monitor import Monitor
from steadfit.core.monitors.kind import AlertText, Expression, Recorded
from steadfit.core.monitors.registry import kind_of, measurement
from steadfit.core.monitors.relative import absolute, is_relative
from steadfit.core.monitors.thresholds import Thresholds, min_samples, thresholds
from steadfit.core.promql import MODEL, Rule, duration, number, one_of, string
from steadfit.core.series import OperatorSeries, RecordedSeries

SEVERITY = "warning"
OF_ONE = "version"
"""Label that tells the series of one model apart; what a rule has for each model must be short."""


def alerts(deployment: ModelDeployment) -> Iterator[Rule]:
    """Return one alerting rule for each monitor; none for a relative one while the live version has no score."""
    for monitor in deployment.spec.monitors:
        known, live = absolute(monitor, deployment.status), deployment.status.live
        if known is not None:
            yield _alert(deployment, known, live.number if is_relative(monitor) and live else None)


def frozen() -> Rule:
    """Return the alert for all models that have reached the limit of automatic rollbacks; a person has to act."""
    model = "{{ $labels.namespace }}/{{ $labels.model }}"
    return {
        "alert": "ModelRollbacksFrozen",
        "expr": f"max by (namespace, model) ({OperatorSeries.ROLLBACKS_FROZEN}) == 1",
        "labels": {"severity": "critical"},
        "annotations": {
            "summary": f"Automatic rollbacks of {model} are frozen: spec.limits.maxRollbacksPerDay is reached."
        },
    }


def alert_name(monitor: Monitor) -> str:
    """Return the name of a monitor's alert."""
    return kind_of(monitor).alert_name(monitor.kind_spec)


def _alert(deployment: ModelDeployment, monitor: Monitor, version: int | None) -> Rule:
    """Return the alerting rule of a monitor; with `version`, for that version alone, whose score its level follows."""
    name, found = alert_name(monitor), thresholds(monitor)
    of_model = f"namespace={string(deployment.metadata.namespace or '')}, model={string(deployment.name)}"
    if version is not None:
        of_model += f', version="{version}"'
    value = f"max by ({MODEL}) ({_value(monitor, of_model)})"
    firing = f'ALERTS{{alertname="{name}", alertstate="firing", {of_model}, monitor={string(monitor.name)}}}'
    sign = ">" if found.above else "<"
    beyond = f"{value} {sign} {number(found.limit)}"
    if bound := _bound(monitor, of_model):
        beyond = f"{value} and on ({OF_ONE}) {bound} {sign} {number(found.limit)}"
    parts = [
        f"({beyond} or {value} {sign} {number(found.clear)} and on ({OF_ONE}) {firing})",
        *_enough_samples(monitor, of_model),
        f"on ({OF_ONE}) {RecordedSeries.TAKES_TRAFFIC}{{{of_model}}}",
    ]
    rule = {
        "alert": name,
        "expr": " and ".join(parts),
        "labels": {"monitor": monitor.name, "severity": SEVERITY},
        "annotations": {"summary": _summary(monitor, found)},
    }
    return {**rule, "for": duration(monitor.for_)} if monitor.for_ else rule


def _value(monitor: Monitor, of_model: str) -> str:
    """Return the selector of the values of which the largest counts."""
    source = measurement(monitor)
    match source:
        case Recorded():
            return f"{source.series}{{{_selector(monitor, source, of_model)}}}"
        case Expression():
            return f"{OperatorSeries.MONITOR_VALUE}{{{of_model}, monitor={string(monitor.name)}}}"
        case _:
            assert_never(source)


def _bound(monitor: Monitor, of_model: str) -> str:
    """Return the selector of the good end of the value's interval; empty if there is none."""
    source = measurement(monitor)
    if not isinstance(source, Recorded) or not source.bound:
        return ""
    return f"{source.bound}{{{_selector(monitor, source, of_model)}}}"


def _selector(monitor: Monitor, source: Recorded, of_model: str) -> str:
    """Return the labels of the values, and of the ends of their intervals."""
    selector = f"{of_model}, {_window(monitor)}"
    if source.selection:
        selector += f", {source.selection.label}{one_of(source.selection.values)}"
    return selector


def _enough_samples(monitor: Monitor, of_model: str) -> Iterator[str]:
    """Return the condition on the number of samples, if it is recorded."""
    source = measurement(monitor)
    if isinstance(source, Recorded):
        yield f"on ({OF_ONE}) {source.samples}{{{of_model}, {_window(monitor)}}} >= {min_samples(monitor)}"


def _window(monitor: Monitor) -> str:
    return f'window="{monitor.window}"'


def _summary(monitor: Monitor, found: Thresholds) -> str:
    text = AlertText(
        model="{{ $labels.namespace }}/{{ $labels.model }} version {{ $labels.version }}",
        value='{{ printf "%.4g" $value }}',
        expected=f"{'at most' if found.above else 'at least'} {number(found.limit)}",
        monitor=monitor.name,
        window=monitor.window,
    )
    return kind_of(monitor).summary(monitor.kind_spec, text)
