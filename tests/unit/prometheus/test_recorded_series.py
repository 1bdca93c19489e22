"""Grouped queries, and the value of one model out of their answers."""

from __future__ import annotations

import math
from typing import Any

import pytest
from steadfit.core.types import Signal
from steadfit.prometheus.answer import Answer, NoAnswer, Sample
from steadfit.prometheus.live import LiveModel
from steadfit.prometheus.recorded_series import queries, signal, values_of

from .recordings import AUC, DRIFT, live, monitor, recorded

ERRORS: dict[str, Any] = {"name": "errors", "errorRate": {"max": 0.01}, "action": "Rollback"}
LATE: dict[str, Any] = {"name": "late", "latency": {"max": "1s"}, "action": "Rollback"}
LISTED: dict[str, Any] = {"name": "listed", "drift": {"max": 0.2, "features": ["distance", "carrier"]}}


def read(one: LiveModel, series: dict[str, float | dict[str, float]], **other: str) -> Signal:
    """Return the signal of the only monitor when the series have these values, by feature where there is one."""
    readings = {}
    for name, value in series.items():
        by_feature = value if isinstance(value, dict) else {"": value}
        place = {"namespace": "shop", "model": "flights", "version": "3", "window": "1h", **other}
        part = "quantile" if name == "steadfit:latency_seconds" else "feature"
        samples = [Sample({**place, part: of}, 0, number) for of, number in by_feature.items()]
        readings[name] = values_of(Answer("vector", tuple(samples)), part)
    return signal(one, *recorded(one.monitors[0]), readings)


def test_outcomes_without_a_metric_are_no_data_and_the_reason_names_the_models_that_have_it_and_missing_rules() -> None:
    f1 = {"name": "f1", "quality": {"metric": "f1", "min": 0.5}, "action": "Retrain"}
    found = read(live(f1), {"steadfit:feedback_count": 1000.0})
    assert (found.value, found.code) == (None, "MetricUndefined")
    assert found.reason == (
        "the outcomes of version 3 over 1h give no steadfit:quality_f1: it is recorded for models of two classes,"
        " and not while a class that it needs has no outcome; or Prometheus has not loaded the operator's rules"
    )
    # With the number in it every new outcome would be another reason, and a write of the status.
    assert read(live(f1), {"steadfit:feedback_count": 2000.0}) == found
    measured: dict[str, Any] = {"steadfit:quality_f1": 0.4, "steadfit:feedback_count": 1000.0}
    found = read(live(f1), measured)
    assert (found.value, found.code) == (None, "NoSeries"), "without its interval a fall may be chance"
    assert "there is no steadfit:quality_f1:upper" in found.reason
    assert read(live(f1), {**measured, "steadfit:quality_f1:upper": 0.45}) == Signal(0.4, 1000.0, 0.45)


def test_a_series_is_asked_for_once_for_all_windows_and_features() -> None:
    monitors = [
        monitor(DRIFT),
        monitor({**DRIFT, "window": "30m"}),
        monitor(LISTED),
        monitor({"name": "answers", "predictionDrift": {"max": 0.2}}),
        monitor(AUC),
    ]
    found = {query.series: query.expression for query in queries(map(recorded, monitors * 100), 90)}
    assert sorted(found) == [
        "steadfit:drift_psi",
        "steadfit:drift_psi:max",
        "steadfit:drift_psi:weighted",
        "steadfit:feedback_count",
        "steadfit:prediction_drift_psi",
        "steadfit:predictions_count",
        "steadfit:quality_roc_auc",
        "steadfit:quality_roc_auc:upper",
    ]
    assert found["steadfit:drift_psi:weighted"] == (
        'max by (namespace, model, version, window) (steadfit:drift_psi:weighted{window=~"1h|30m"}'
        ' and (time() - timestamp(steadfit:drift_psi:weighted{window=~"1h|30m"}) < 90))'
    )
    assert (
        'max by (namespace, model, version, window, feature) (steadfit:drift_psi{window="1h",'
        'feature=~"carrier|distance"}' in found["steadfit:drift_psi"]
    )


@pytest.mark.parametrize(
    ("spec", "series", "value"),
    [
        (DRIFT, {"steadfit:drift_psi:weighted": 0.3, "steadfit:predictions_count": 1000.0}, 0.3),
        (
            {"name": "m", "drift": {"statistic": "JS", "max": 0.2, "features": "Any"}},
            {"steadfit:drift_js:max": 0.1, "steadfit:predictions_count": 1000.0},
            0.1,
        ),
        (
            LISTED,
            {
                "steadfit:drift_psi": {"distance": 0.1, "carrier": 0.4, "other": 0.9},
                "steadfit:drift_psi:max": 0.9,
                "steadfit:predictions_count": 1000.0,
            },
            0.4,
        ),
        (
            {"name": "answers", "predictionDrift": {"statistic": "JS", "max": 0.2}},
            {"steadfit:prediction_drift_js": 0.3, "steadfit:predictions_count": 1000.0},
            0.3,
        ),
        (
            {"name": "rmse", "quality": {"metric": "rmse", "max": 5}},
            {"steadfit:quality_rmse": 6.0, "steadfit:feedback_count": 1000.0},
            6.0,
        ),
    ],
)
def test_the_value_of_every_kind(spec: dict[str, Any], series: dict[str, Any], value: float) -> None:
    assert read(live(spec), series) == Signal(value, 1000.0)


@pytest.mark.parametrize(
    ("spec", "series", "expected"),
    [
        (ERRORS, {"steadfit:error_ratio": 0.02, "steadfit:error_ratio:lower": 0.01}, Signal(0.02, 1000.0, 0.01)),
        (
            LATE,
            {
                "steadfit:latency_seconds": {"0.95": 0.3, "0.99": 0.9},
                "steadfit:latency_seconds:lower": {"0.95": 0.2, "0.99": 0.7},
            },
            Signal(0.9, 1000.0, 0.7),
        ),
    ],
)
def test_errors_and_latency_have_the_end_of_their_interval(
    spec: dict[str, Any], series: dict[str, Any], expected: Signal
) -> None:
    assert read(live(spec), series | {"steadfit:requests_count": 1000.0}) == expected


WELL: dict[str, Any] = {"steadfit:drift_psi:weighted": 0.3, "steadfit:predictions_count": 1000.0}


@pytest.mark.parametrize("other", [{"version": "2"}, {"model": "other"}, {"namespace": "elsewhere"}, {"window": "30m"}])
def test_series_of_anything_but_the_live_version_do_not_count(other: dict[str, str]) -> None:
    found = read(live(DRIFT), WELL, **other)
    assert (found.value, found.code) == (None, "NoSeries")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"steadfit:drift_psi:weighted": math.nan}, "NotANumber"),
        ({"steadfit:drift_psi:weighted": math.inf}, "NotANumber"),
        ({"steadfit:drift_psi:weighted": {}}, "NoSeries"),
        ({"steadfit:predictions_count": {}}, "NoSeries"),
        ({"steadfit:predictions_count": math.nan}, "NoSeries"),
        ({"steadfit:predictions_count": 499.0}, "TooFewSamples"),
        # With too few samples there may be no value at all, which then is not what is wrong.
        ({"steadfit:predictions_count": 0.0, "steadfit:drift_psi:weighted": {}}, "TooFewSamples"),
    ],
)
def test_what_is_no_value_is_no_data(changed: dict[str, Any], code: str) -> None:
    found = read(live(DRIFT), WELL | changed)
    assert (found.value, found.code) == (None, code)
    assert found.reason


def test_a_feature_that_does_not_exist_is_named() -> None:
    series: dict[str, float | dict[str, float]] = {
        "steadfit:drift_psi": {"carrier": 0.9},
        "steadfit:drift_psi:max": 0.9,
        "steadfit:predictions_count": 1000.0,
    }
    found = read(live(LISTED), series)
    assert (found.value, found.code) == (None, "UnknownFeature")
    assert found.reason.startswith("version 3 has no counted feature distance: correct drift.features")


def test_without_any_series_of_the_version_no_feature_is_blamed() -> None:
    assert read(live(LISTED), {"steadfit:predictions_count": 1000.0}).code == "NoSeries"


def test_two_values_for_one_series_are_no_answer() -> None:
    with pytest.raises(NoAnswer):
        values_of(Answer("vector", (Sample({"model": "a"}, 0, 1), Sample({"model": "a"}, 0, 2))))
    with pytest.raises(NoAnswer):
        values_of(Answer("scalar", (Sample({}, 0, 1),)))


def test_quantiles_are_asked_for_together_and_told_apart() -> None:
    monitors = [
        monitor(LATE),
        monitor({"name": "p50", "latency": {"quantile": 0.5, "max": "1s"}, "action": "Rollback"}),
    ]
    found = {query.series: query.expression for query in queries(map(recorded, monitors), 90)}
    assert sorted(found) == ["steadfit:latency_seconds", "steadfit:latency_seconds:lower", "steadfit:requests_count"]
    assert found["steadfit:latency_seconds"].startswith(
        "max by (namespace, model, version, window, quantile)"
        ' (steadfit:latency_seconds{window="1h",quantile=~"0\\\\.5|0\\\\.99"}'
    )


def test_a_latency_that_is_not_recorded_is_no_data_and_no_features_fault() -> None:
    found = read(live(LATE), {"steadfit:requests_count": 1000.0})
    assert (found.value, found.code) == (None, "NoSeries")
