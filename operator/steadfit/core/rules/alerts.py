"""The alerting rules of one ModelDeployment: what its monitors ask for, in Prometheus' words.

Only versions that take traffic are judged: what an older one answered stays in the window long after it is gone, or
only kept warm. An alert that fires goes on until the value is back at the clearing level, and neither fires nor goes on
with too few samples.
"""

from __future__ import annotations

from collections.abc import Iterator

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.monitor import Monitor
from steadfit.core.monitors.thresholds import Level, least_samples, level

from .promql import MODEL, PREDICTION, Rule, duration, number, one_of, string
from .serving import TAKES_TRAFFIC

SEVERITY = "warning"
FROZEN = "steadfit_operator_rollbacks_frozen"
"""Exported by the operator for every ModelDeployment."""

_NAMES = {
    "accuracy": "accuracy",
    "roc_auc": "area under the ROC curve",
    "brier_score": "Brier score",
    "calibration_error": "calibration error",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
}
"""Quality metrics, as a person says them."""


def alerts(deployment: ModelDeployment) -> Iterator[Rule]:
    """Return one alerting rule for each monitor."""
    for monitor in deployment.spec.monitors:
        yield _alert(deployment, monitor)


def frozen() -> Rule:
    """Return the alert that calls a person, for all models: the limit of rollbacks is reached."""
    who = "{{ $labels.namespace }}/{{ $labels.model }}"
    return {
        "alert": "ModelRollbacksFrozen",
        "expr": f"max by (namespace, model) ({FROZEN}) == 1",
        "labels": {"severity": "critical"},
        "annotations": {
            "summary": f"Nothing more of {who} is rolled back by itself: spec.limits.maxRollbacksPerDay is reached."
        },
    }


def alert_name(monitor: Monitor) -> str:
    """Return the name of a monitor's alert."""
    if monitor.drift:
        return "ModelPredictionDrift" if monitor.drift.features == [PREDICTION] else "ModelInputDrift"
    if monitor.quality:
        return "ModelQualityLow"
    if monitor.error_rate:
        return "ModelErrorsHigh"
    return "ModelLatencyHigh" if monitor.latency else "ModelQuery"


def _alert(deployment: ModelDeployment, monitor: Monitor) -> Rule:
    name, limits = alert_name(monitor), level(monitor)
    of_model = f"namespace={string(deployment.metadata.namespace or '')}, model={string(deployment.name)}"
    value = f"max by ({MODEL}) ({_value(monitor, of_model)})"
    firing = f'ALERTS{{alertname="{name}", alertstate="firing", {of_model}, monitor={string(monitor.name)}}}'
    sign = ">" if limits.above else "<"
    parts = [
        f"({value} {sign} {number(limits.limit)} or {value} {sign} {number(limits.clear)} and on ({MODEL}) {firing})"
    ]
    if counter := _samples(monitor):
        samples = f"steadfit:{counter}{{{of_model}, {_window(monitor)}}}"
        parts.append(f"on ({MODEL}) {samples} >= {least_samples(monitor)}")
    parts.append(f"on ({MODEL}) {TAKES_TRAFFIC}{{{of_model}}}")
    rule = {
        "alert": name,
        "expr": " and ".join(parts),
        "labels": {"monitor": monitor.name, "severity": SEVERITY},
        "annotations": {"summary": _summary(monitor, limits)},
    }
    return {**rule, "for": duration(monitor.for_)} if monitor.for_ else rule


def _value(monitor: Monitor, of_model: str) -> str:
    """Return the series whose largest value is judged."""
    within = f"{of_model}, {_window(monitor)}"
    if monitor.drift:
        name = f"steadfit:drift_{monitor.drift.statistic.lower()}"
        features = monitor.drift.features
        if isinstance(features, str):
            return f"{name}:{'max' if features == 'Any' else 'weighted'}{{{within}}}"
        return f"{name}{{{within}, feature{one_of(str(feature) for feature in features)}}}"
    if monitor.quality:
        return f"steadfit:quality_{monitor.quality.metric}{{{within}}}"
    if monitor.error_rate:
        return f"steadfit:error_ratio{{{within}}}"
    if monitor.latency:
        return f'steadfit:latency_seconds{{{within}, quantile="{number(monitor.latency.quantile)}"}}'
    # The operator asks the source itself and exports the answer: an expression of a user's may be for another
    # Prometheus, may only see its own namespace, and may not be PromQL at all.
    return f"steadfit_monitor_value{{{of_model}, monitor={string(monitor.name)}}}"


def _samples(monitor: Monitor) -> str | None:
    if monitor.query:
        return None
    if monitor.drift:
        return "predictions_count"
    return "feedback_count" if monitor.quality else "requests_count"


def _window(monitor: Monitor) -> str:
    return f'window="{monitor.window}"'


def _summary(monitor: Monitor, limits: Level) -> str:
    """Return the sentence of the alert; nothing in it is free text, which would be read as a template."""
    who = "{{ $labels.namespace }}/{{ $labels.model }} version {{ $labels.version }}"
    side = "at most" if limits.above else "at least"
    allowed = f"{side} {number(limits.limit)}"
    value = '{{ printf "%.4g" $value }}'
    if monitor.drift:
        what = "answers" if alert_name(monitor) == "ModelPredictionDrift" else "inputs"
        measure = f"{monitor.drift.statistic} is {value} over {monitor.window}"
        return f"The {what} of {who} differ from its training data: {measure}, {allowed} is expected."
    if monitor.quality:
        metric = _NAMES[monitor.quality.metric]
        return f"The {metric} of {who} is {value} over {monitor.window}, {allowed} is expected."
    if monitor.error_rate:
        return (
            f"{who} failed {{{{ $value | humanizePercentage }}}} of its requests over {monitor.window}, "
            f"{allowed} of them is expected."
        )
    if monitor.latency:
        quantile = number(monitor.latency.quantile)
        measure = f"The {quantile} quantile of the latency of {who} is {value} s over {monitor.window}"
        return f"{measure}, {allowed} s is expected."
    return f"The query of the monitor {monitor.name} on {who} gives {value}, {allowed} is expected."
