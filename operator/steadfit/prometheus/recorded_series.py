"""Monitors over recorded series: one query a series for all models at once, and each model's value out of the answers.

A query selects by window and feature only, so 1,500 models cost as many queries as one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from steadfit.api.monitor import Drift, Monitor
from steadfit.core.monitors.evaluation import enough
from steadfit.core.rules.promql import PREDICTION, number, one_of
from steadfit.core.types import Signal

from .answer import Answer, NoAnswer
from .live import Live

REQUESTS = "steadfit:requests_count"
PREDICTIONS = "steadfit:predictions_count"
FEEDBACK = "steadfit:feedback_count"

Place = tuple[str, str, str, str, str]
"""namespace, model, version, window, and feature or quantile (empty where a series has neither)."""


@dataclass(frozen=True, slots=True)
class RecordedQuery:
    """One query for one recorded series."""

    series: str
    expression: str


def series_of(monitor: Monitor) -> tuple[str, ...]:
    """Return the recorded series that a monitor needs: its value's first, that of its samples last."""
    if monitor.drift:
        base = f"steadfit:drift_{monitor.drift.statistic.lower()}"
        if monitor.drift.features == "Weighted":
            return f"{base}:weighted", PREDICTIONS
        if monitor.drift.features == "Any":
            return f"{base}:max", PREDICTIONS
        # The largest one of all inputs tells a feature that does not exist from a model that is not measured.
        return base, f"{base}:max", PREDICTIONS
    if monitor.quality:
        return f"steadfit:quality_{monitor.quality.metric}", FEEDBACK
    if monitor.error_rate:
        return "steadfit:error_ratio", REQUESTS
    return ("steadfit:latency_seconds", REQUESTS) if monitor.latency else ()


def queries(monitors: Iterable[Monitor], fresh_seconds: float) -> list[RecordedQuery]:
    """Return the queries that these monitors need, each series once.

    A recorded value counts only while it is written anew: Prometheus repeats the last one for five minutes.
    """
    windows: dict[str, set[str]] = {}
    features: dict[str, set[str]] = {}
    quantiles: dict[str, set[str]] = {}
    for monitor in monitors:
        for series in series_of(monitor):
            windows.setdefault(series, set()).add(monitor.window)
        if monitor.drift and _listed(monitor.drift):
            features.setdefault(series_of(monitor)[0], set()).update(_listed(monitor.drift))
        if monitor.latency:
            quantiles.setdefault(series_of(monitor)[0], set()).add(number(monitor.latency.quantile))
    found = []
    for series in sorted(windows):
        labels = ["namespace", "model", "version", "window"]
        selector = [f"window{one_of(sorted(windows[series]))}"]
        for label, values in (("feature", features), ("quantile", quantiles)):
            if series in values:
                labels.append(label)
                selector.append(f"{label}{one_of(sorted(values[series]))}")
        selected = f"{series}{{{','.join(selector)}}}"
        fresh = f"{selected} and (time() - timestamp({selected}) < {fresh_seconds:g})"
        # Copies of one Prometheus record the same value each; their own labels fall away.
        found.append(RecordedQuery(series, f"max by ({', '.join(labels)}) ({fresh})"))
    return found


def places(answer: Answer) -> dict[Place, float]:
    """Return the values of an answer by what they are of.

    Raises
    ------
    NoAnswer
        If it is no vector, or has two values for the same place.
    """
    if answer.kind != "vector":
        raise NoAnswer("NotPrometheus", "it answers a query for series with a scalar")
    found: dict[Place, float] = {}
    for sample in answer.samples:
        labels = sample.labels
        place = (
            labels.get("namespace", ""),
            labels.get("model", ""),
            labels.get("version", ""),
            labels.get("window", ""),
            labels.get("feature", labels.get("quantile", "")),
        )
        if place in found:
            raise NoAnswer("NotPrometheus", "it gives two values for one series")
        found[place] = sample.value
    return found


def signal(live: Live, monitor: Monitor, readings: Mapping[str, Mapping[Place, float]]) -> Signal:
    """Return what the readings, by series, say of one monitor of one model."""
    series = series_of(monitor)

    def at(name: str, feature: str = "") -> float | None:
        place = (live.namespace, live.name, str(live.version), monitor.window, feature)
        return readings.get(name, {}).get(place)

    samples = at(series[-1])
    if samples is None or not math.isfinite(samples):
        return _unseen(series[-1], live, monitor)
    few = enough(monitor, Signal(0.0, samples))
    if few.value is None:
        return few
    listed = _listed(monitor.drift) if monitor.drift else []
    if monitor.latency:
        listed = [number(monitor.latency.quantile)]
    values = {feature: at(series[0], feature) for feature in listed or [""]}
    missing = [feature for feature, value in values.items() if value is None]
    if missing:
        unknown = [feature for feature in missing if feature not in ("", PREDICTION)]
        if monitor.drift and unknown and at(series[1]) is not None:
            return _unknown(unknown, live)
        return _unseen(series[0], live, monitor)
    found = [value for value in values.values() if value is not None]
    if not all(map(math.isfinite, found)):
        return Signal(
            reason=f"{series[0]} of version {live.version} is no finite number over {monitor.window}", code="NotANumber"
        )
    return Signal(max(found), samples)


def _listed(drift: Drift) -> Sequence[str]:
    return [str(name) for name in drift.features] if isinstance(drift.features, list) else []


def _unknown(features: Sequence[str], live: Live) -> Signal:
    names = ", ".join(features)
    what = "no counted feature" if len(features) == 1 else "no counted features"
    return Signal(
        reason=f"version {live.version} has {what} {names}: correct drift.features,"
        " or is it not among the 64 most important ones?",
        code="UnknownFeature",
    )


def _unseen(series: str, live: Live, monitor: Monitor) -> Signal:
    return Signal(
        reason=f"there is no {series} of version {live.version} over {monitor.window}: no requests or outcomes yet, or"
        " Prometheus does not scrape the servers or has not loaded the operator's rules",
        code="NoSeries",
    )
