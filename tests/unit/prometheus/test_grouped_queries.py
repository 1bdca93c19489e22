"""The grouped queries, asked of Prometheus' own code over what the operator's own rules record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from steadfit.api.monitor import Monitor
from steadfit.prometheus.recorded_series import queries

from tests.support.promtool import Scene
from tests.unit.core.rules.rising_counters import LABELS, WINDOW, deployment, drift, feature, psi, rising, scene, serve

from .recordings import monitor, recorded

REFERENCE = [1000] * 10
SHIFTED = [50, 60, 70, 80, 90, 110, 120, 130, 140, 150]
FRESH = 90.0


def asked(*monitors: Monitor) -> dict[str, str]:
    return {query.series: query.expression for query in queries(map(recorded, monitors), FRESH)}


def test_every_grouped_query_finds_what_the_rules_record(tmp_path: Path) -> None:
    odd = 'a.b"} or {x="|ü'
    a = scene(tmp_path, deployment(drift()))
    serve(a, rows=1000)
    feature(a, "distance", SHIFTED, REFERENCE, importance=0.5)
    bias = 9 * (1 / 1000 + 1 / 10_000)
    shifted = psi(SHIFTED, REFERENCE, corrected=False) - bias
    alike = psi([100] * 10, REFERENCE, corrected=False) - bias
    feature(a, odd, [100] * 10, REFERENCE, importance=0.5)
    feature(a, "prediction", [700, 300], [8000, 2000])
    found = asked(
        monitor({"name": "p", "window": WINDOW, "predictionDrift": {"max": 1}}),
        monitor({"name": "w", "window": WINDOW, "drift": {"max": 1}}),
        monitor({"name": "l", "window": WINDOW, "drift": {"max": 1, "features": ["distance", odd]}}),
    )
    a.expect(found["steadfit:drift_psi:weighted"], 25, (shifted + alike) / 2)
    a.expect(found["steadfit:drift_psi:max"], 25, shifted)
    a.expect(f"max({found['steadfit:drift_psi']})", 25, shifted)
    a.expect(f"min({found['steadfit:drift_psi']})", 25, alike)
    a.expect(found["steadfit:prediction_drift_psi"], 25, psi([700, 300], [8000, 2000]))
    a.expect(found["steadfit:predictions_count"], 25, 1000)
    a.play()


@pytest.mark.parametrize("feature_name", [r"a\d+", "a|b", 'say "no"', "newline\nhere", "naïve", "b" * 300])
def test_any_name_of_a_feature_is_matched_as_it_is(tmp_path: Path, feature_name: str) -> None:
    labels = {"namespace": "ns", "model": "flights", "version": "3", "window": "1h"}
    a = Scene(tmp_path, "groups: []")
    a.scrape("steadfit:drift_psi", {**labels, "feature": feature_name}, [0.25] * 10)
    a.scrape("steadfit:drift_psi", {**labels, "feature": "a1"}, [0.5] * 10)
    found = asked(monitor({"name": "l", "drift": {"max": 1, "features": [feature_name, "other"]}}))
    a.expect(found["steadfit:drift_psi"], 4, 0.25)
    a.play()


def test_a_value_that_is_not_recorded_any_more_is_not_found_although_prometheus_repeats_it(tmp_path: Path) -> None:
    labels = {"namespace": "ns", "model": "flights", "version": "3", "window": "1h"}
    a = Scene(tmp_path, "groups: []")
    a.scrape("steadfit:drift_psi:weighted", labels, [0.25] * 3)
    expression = asked(monitor({"name": "w", "drift": {"max": 1}}))["steadfit:drift_psi:weighted"]
    a.expect(expression, 2, 0.25)
    a.expect('steadfit:drift_psi:weighted{window="1h"}', 4, 0.25)
    a.expect(expression, 4, None)
    a.play()


def test_copies_of_one_prometheus_count_once(tmp_path: Path) -> None:
    labels = {"namespace": "ns", "model": "flights", "version": "3", "window": "1h"}
    a = Scene(tmp_path, "groups: []")
    for copy in ("a", "b"):
        a.scrape("steadfit:drift_psi:weighted", {**labels, "prometheus_replica": copy}, [0.25] * 10)
    a.expect(asked(monitor({"name": "w", "drift": {"max": 1}}))["steadfit:drift_psi:weighted"], 4, 0.25)
    a.play()


def test_errors_and_latency_are_found_as_the_rules_record_them(tmp_path: Path) -> None:
    monitors: list[dict[str, Any]] = [
        {"name": "errors", "window": WINDOW, "errorRate": {"max": 0.1}, "action": "Rollback"},
        {"name": "late", "window": WINDOW, "latency": {"quantile": 0.5, "max": "1s"}, "action": "Rollback"},
        {"name": "later", "window": WINDOW, "latency": {"quantile": 0.95, "max": "1s"}, "action": "Rollback"},
    ]
    a = scene(tmp_path, deployment(*monitors))
    serve(a, rows=1000)
    for code, count in (("200", 960), ("500", 40)):
        a.scrape("steadfit_server_requests_total", {**LABELS, "code": code}, rising(count))
    for bound, count in (("0.1", 500), ("1", 1000), ("+Inf", 1000)):
        a.scrape("steadfit_server_request_duration_seconds_bucket", {**LABELS, "le": bound}, rising(count))
    found = asked(*map(monitor, monitors))
    a.expect(found["steadfit:error_ratio"], 25, 0.04)
    a.expect(found["steadfit:requests_count"], 25, 1000)
    a.expect(f"min({found['steadfit:latency_seconds']})", 25, 0.1)
    a.expect(f"max({found['steadfit:latency_seconds']})", 25, 0.91)
    a.expect(asked(monitor(monitors[1]))["steadfit:latency_seconds"], 25, 0.1)
    a.play()
