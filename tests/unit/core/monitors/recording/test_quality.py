"""Quality, errors and latency as Prometheus computes them are those that numpy and scikit-learn compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, f1_score, roc_auc_score
from steadfit.api.metrics import MONITORED
from steadfit.core.monitors.recording.quality import quality
from steadfit.core.series import RecordedSeries

from tests.support.promtool import Scene
from tests.unit.core.rules.rising_counters import LABELS, deployment, rising, scene, serve

ACCURACY = {"name": "quality", "quality": {"metric": "accuracy", "min": 0.5}}


def post(a: Scene, name: str, total: float, **labels: str) -> None:
    a.scrape(f"steadfit_feedback{name}_total", {**LABELS, **labels}, rising(total))


def binary(a: Scene, scores: NDArray[np.float64], outcomes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Post outcomes back as a server counts them; returns the scores as bins, 0 to 19."""
    bins: NDArray[np.float64] = np.minimum(np.floor(scores * 20), 19)
    for index in range(20):
        for outcome, value in (("negative", 0), ("positive", 1)):
            post(a, "", int(np.sum((bins == index) & (outcomes == value))), bin=str(index), outcome=outcome)
    post(a, "_squared_error", float(np.sum((scores - outcomes) ** 2)))
    return bins


def drawn(seed: int, rows: int = 1000) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    scores = rng.beta(2, 5, rows)
    return scores, (rng.random(rows) < 0.8 * scores).astype(np.int64)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_binary_accuracy_area_brier_and_calibration_equal_those_of_the_same_answers(tmp_path: Path, seed: int) -> None:
    a = scene(tmp_path, deployment(ACCURACY))
    serve(a, rows=1000)
    scores, outcomes = drawn(seed)
    bins = binary(a, scores, outcomes)
    a.expect("steadfit:feedback_count", 25, 1000)
    a.expect("steadfit:quality_accuracy", 25, float(np.mean((scores >= 0.5) == outcomes)))
    a.expect("steadfit:quality_roc_auc", 25, roc_auc_score(outcomes, bins))
    assert roc_auc_score(outcomes, bins) == pytest.approx(roc_auc_score(outcomes, scores), abs=0.01)
    a.expect("steadfit:quality_brier_score", 25, brier_score_loss(outcomes, scores))
    off = sum(abs(np.sum(outcomes[bins == b]) - np.sum(bins == b) * (b + 0.5) / 20) for b in range(20))
    a.expect("steadfit:quality_calibration_error", 25, float(off / 1000))
    labels = scores >= 0.5
    a.expect("steadfit:quality_f1", 25, f1_score(outcomes, labels))
    a.expect("steadfit:quality_balanced_accuracy", 25, balanced_accuracy_score(outcomes, labels))
    for other in ("mae", "rmse"):
        a.expect(f"steadfit:quality_{other}", 25, None)
    a.play()


def test_a_model_that_is_always_right_has_an_area_of_one_although_bins_are_missing(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(ACCURACY))
    post(a, "", 300, bin="2", outcome="negative")
    post(a, "", 100, bin="17", outcome="positive")
    a.expect("steadfit:quality_roc_auc", 25, 1.0)
    a.expect("steadfit:quality_accuracy", 25, 1.0)
    a.expect("steadfit:quality_f1", 25, 1.0)
    a.expect("steadfit:quality_balanced_accuracy", 25, 1.0)
    a.play()


def test_a_model_that_is_always_wrong_has_an_f1_of_nothing_although_bins_are_missing(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(ACCURACY))
    post(a, "", 300, bin="17", outcome="negative")
    post(a, "", 100, bin="2", outcome="positive")
    a.expect("steadfit:quality_f1", 25, 0.0)
    a.expect("steadfit:quality_balanced_accuracy", 25, 0.0)
    a.play()


def test_what_needs_positives_has_no_value_without_them(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(ACCURACY))
    scores, _ = drawn(4)
    binary(a, scores, np.zeros(1000, dtype=np.int64))
    for undefined in ("roc_auc", "f1", "balanced_accuracy"):
        a.expect(f"steadfit:quality_{undefined}", 25, None)
    a.expect("steadfit:quality_accuracy", 25, float(np.mean(scores < 0.5)))
    a.play()


def test_the_accuracy_of_several_classes_is_the_share_of_right_answers(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(ACCURACY))
    for name, right, wrong in (("setosa", 50, 0), ("15", 30, 20), ("other", 0, 100)):
        post(a, "", right, bin=name, outcome="correct")
        post(a, "", wrong, bin=name, outcome="wrong")
    a.expect("steadfit:quality_accuracy", 25, 0.4)
    for other in ("roc_auc", "calibration_error", "brier_score", "mae", "f1", "balanced_accuracy"):
        a.expect(f"steadfit:quality_{other}", 25, None)
    a.play()


def test_the_errors_of_a_regression_are_those_of_its_sums(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment({"name": "quality", "quality": {"metric": "mae", "max": 5}}))
    errors = np.random.default_rng(5).normal(0, 3, 400)
    post(a, "", 400, bin="value", outcome="observed")
    post(a, "_absolute_error", float(np.sum(np.abs(errors))))
    post(a, "_squared_error", float(np.sum(errors**2)))
    a.expect("steadfit:quality_mae", 25, float(np.mean(np.abs(errors))))
    a.expect("steadfit:quality_rmse", 25, float(np.sqrt(np.mean(errors**2))))
    a.expect("steadfit:feedback_count", 25, 400)
    for other in ("accuracy", "roc_auc", "calibration_error", "brier_score", "f1", "balanced_accuracy"):
        a.expect(f"steadfit:quality_{other}", 25, None)
    a.play()


def test_every_metric_that_can_be_monitored_is_recorded_and_no_other() -> None:
    recorded = {rule["record"] for rule in quality("10m", "600s")}
    assert {name for name in recorded if "quality_" in name} == {f"steadfit:quality_{name}" for name in MONITORED}


def test_quality_without_outcomes_is_no_value(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(ACCURACY))
    binary(a, np.zeros(0), np.zeros(0, dtype=np.int64))
    for metric in ("accuracy", "roc_auc", "brier_score", "calibration_error", "f1", "balanced_accuracy"):
        a.expect(f"steadfit:quality_{metric}", 25, None)
    a.expect("steadfit:feedback_count", 25, 0)
    a.play()


def test_errors_are_the_share_of_5xx_in_all_requests(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment({"name": "errors", "errorRate": {"max": 0.01}}))
    for pod in ("a", "b"):
        for code, count in (("200", 900), ("400", 60), ("500", 10), ("503", 30)):
            a.scrape("steadfit_server_requests_total", {**LABELS, "code": code, "pod": pod}, rising(count))
    a.expect("steadfit:requests_count", 25, 2000)
    a.expect("steadfit:error_ratio", 25, 0.04)
    a.play()


def test_each_declared_quantile_is_interpolated_in_the_buckets_of_all_replicas(tmp_path: Path) -> None:
    monitors = [{"name": f"q{i}", "latency": {"quantile": q, "max": "1s"}} for i, q in enumerate((0.5, 0.95))]
    a = scene(tmp_path, deployment(*monitors))
    for pod in ("a", "b"):
        for bound, count in (("0.01", 100), ("0.1", 300), ("1", 380), ("+Inf", 400)):
            labels = {**LABELS, "le": bound, "pod": pod}
            a.scrape("steadfit_server_request_duration_seconds_bucket", labels, rising(count))
    edges, counts = [0, 0.01, 0.1, 1], [0, 200, 600, 760]
    for quantile in (0.5, 0.95):
        expected = float(np.interp(quantile * 800, counts, edges))
        a.expect(f'steadfit:latency_seconds{{quantile="{quantile}"}}', 25, expected)
    a.play()


def test_without_requests_errors_and_latency_are_no_value(tmp_path: Path) -> None:
    monitors = [{"name": "l", "latency": {"max": "1s"}}, {"name": "e", "errorRate": {"max": 0.1}}]
    a = scene(tmp_path, deployment(*monitors))
    for code in ("200", "500"):
        a.scrape("steadfit_server_requests_total", {**LABELS, "code": code}, rising(0))
    for bound in ("0.1", "+Inf"):
        a.scrape("steadfit_server_request_duration_seconds_bucket", {**LABELS, "le": bound}, rising(0))
    a.expect("steadfit:requests_count", 25, 0)
    a.expect("steadfit:error_ratio", 25, None)
    a.expect("steadfit:latency_seconds", 25, None)
    a.play()


@pytest.mark.parametrize("metric", MONITORED)
def test_the_value_of_a_monitored_metric_is_a_series_that_the_rules_record(metric: str) -> None:
    name = f"QUALITY_{metric.upper()}"
    assert name in RecordedSeries.__members__, f"RecordedSeries in core/series.py has no {name}"
    recorded = {rule["record"] for rule in quality("1h", "1h")}
    assert RecordedSeries[name] in recorded, f"core/monitors/recording/quality.py records no {name}"
