"""Monitors over recorded series: one query a series for all models, and the value of each model from the answers.

A query selects by window and by label values, so 1,500 models cost as many queries as one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from steadfit.api.monitor import Monitor
from steadfit.core.monitors.evaluation import require_samples
from steadfit.core.monitors.kind import Recorded, Selection
from steadfit.core.promql import one_of
from steadfit.core.types import Signal

from .answer import Answer, NoAnswer
from .live import LiveModel

SeriesKey = tuple[str, str, str, str, str]
"""namespace, model, version, window, and the value of the selected label (empty where a series has none)."""


@dataclass(frozen=True, slots=True)
class RecordedQuery:
    """One query for one recorded series.

    Attributes
    ----------
    label
        The label that it selects values by; empty = none.
    """

    series: str
    expression: str
    label: str = ""


def series_of(recorded: Recorded) -> tuple[str, ...]:
    """Return the series that a measurement reads: the value's first, the samples' last."""
    bound = (recorded.bound,) if recorded.bound else ()
    selection = recorded.selection
    any_value = (selection.any_value,) if selection and selection.any_value else ()
    return (recorded.series, *bound, *any_value, recorded.samples)


def queries(monitors: Iterable[tuple[Monitor, Recorded]], fresh_seconds: float) -> list[RecordedQuery]:
    """Return the queries that these monitors need, each series once.

    A recorded value counts only while new ones follow: Prometheus repeats the last one for five minutes.
    """
    windows: dict[str, set[str]] = {}
    selections: dict[str, tuple[str, set[str]]] = {}
    for monitor, recorded in monitors:
        for series in series_of(recorded):
            windows.setdefault(series, set()).add(monitor.window)
        if recorded.selection:
            label = recorded.selection.label
            for series in filter(None, (recorded.series, recorded.bound)):
                selections.setdefault(series, (label, set()))[1].update(recorded.selection.values)
    found = []
    for series in sorted(windows):
        labels = ["namespace", "model", "version", "window"]
        selector = [f"window{one_of(sorted(windows[series]))}"]
        label, values = selections.get(series, ("", set()))
        if label:
            labels.append(label)
            selector.append(f"{label}{one_of(sorted(values))}")
        selected = f"{series}{{{','.join(selector)}}}"
        fresh = f"{selected} and (time() - timestamp({selected}) < {fresh_seconds:g})"
        # Copies of one Prometheus record the same value each; the aggregation drops their own labels.
        found.append(RecordedQuery(series, f"max by ({', '.join(labels)}) ({fresh})", label))
    return found


def values_of(answer: Answer, label: str = "") -> dict[SeriesKey, float]:
    """Return the values of an answer by their labels; `label` is the one that the query selects by.

    Raises
    ------
    NoAnswer
        If it is no vector, or has two values with the same labels.
    """
    if answer.kind != "vector":
        raise NoAnswer("NotPrometheus", "it answers a query for series with a scalar")
    found: dict[SeriesKey, float] = {}
    for sample in answer.samples:
        labels = sample.labels
        place = (
            labels.get("namespace", ""),
            labels.get("model", ""),
            labels.get("version", ""),
            labels.get("window", ""),
            labels.get(label, ""),
        )
        if place in found:
            raise NoAnswer("NotPrometheus", "it gives two values for one series")
        found[place] = sample.value
    return found


def signal(
    live: LiveModel, monitor: Monitor, recorded: Recorded, readings: Mapping[str, Mapping[SeriesKey, float]]
) -> Signal:
    """Return the signal of one monitor of one model; `readings` are the values by series."""

    def at(series: str, label_value: str = "") -> float | None:
        place = (live.namespace, live.name, str(live.version), monitor.window, label_value)
        return readings.get(series, {}).get(place)

    samples = at(recorded.samples)
    if samples is None or not math.isfinite(samples):
        return _no_series(recorded.samples, live, monitor)
    too_few = require_samples(monitor, Signal(0.0, samples))
    if too_few.value is None:
        return too_few
    selection = recorded.selection
    values = {name: at(recorded.series, name) for name in (selection.values if selection else ("",))}
    missing = [name for name, value in values.items() if value is None]
    if missing:
        if selection and selection.any_value and at(selection.any_value) is not None:
            return _unknown(missing, selection, live)
        if recorded.undefined:
            return _undefined(recorded, live, monitor)
        return _no_series(recorded.series, live, monitor)
    found = [value for value in values.values() if value is not None]
    ends = [at(recorded.bound, name) for name in values] if recorded.bound else []
    if None in ends:
        return _no_series(recorded.bound, live, monitor)
    bounds = [end for end in ends if end is not None]
    if not all(map(math.isfinite, [*found, *bounds])):
        return Signal(
            reason=f"{recorded.series} of version {live.version} is no finite number over {monitor.window}",
            code="NotANumber",
        )
    return Signal(max(found), samples, max(bounds, default=None))


def _unknown(names: Sequence[str], selection: Selection, live: LiveModel) -> Signal:
    what = f"no counted {selection.label}{'' if len(names) == 1 else 's'}"
    return Signal(
        reason=f"version {live.version} has {what} {', '.join(names)}: {selection.advice}", code="UnknownFeature"
    )


def _undefined(recorded: Recorded, live: LiveModel, monitor: Monitor) -> Signal:
    return Signal(
        reason=f"the outcomes of version {live.version} over {monitor.window} give no {recorded.series}:"
        f" {recorded.undefined}; or Prometheus has not loaded the operator's rules",
        code="MetricUndefined",
    )


def _no_series(series: str, live: LiveModel, monitor: Monitor) -> Signal:
    return Signal(
        reason=f"there is no {series} of version {live.version} over {monitor.window}: no requests or outcomes yet, or"
        " Prometheus does not scrape the servers or has not loaded the operator's rules",
        code="NoSeries",
    )
