"""Drift as Prometheus computes it is drift as numpy computes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.core.rules.rising_counters import LABELS, WINDOW, deployment, drift, feature, js, psi, scene, serve

REFERENCE = [1000, 1100, 900, 1000, 1000, 1050, 950, 1000, 1000, 950, 50]
SHIFTED = [40, 50, 60, 80, 90, 110, 130, 150, 170, 120, 0]
ALIKE = [100, 111, 89, 100, 102, 103, 97, 100, 98, 95, 5]
OF_MODEL = f'namespace="ns", model="flights", version="3", window="{WINDOW}"'


def test_psi_and_js_of_every_feature_and_of_the_answers_equal_numpys(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(drift()))
    serve(a, rows=1000)
    feature(a, "distance", SHIFTED, REFERENCE, importance=0.7)
    feature(a, "carrier", [300, 500, 200, 0], [4000, 3000, 3000, 0], importance=0.3)
    feature(a, "prediction", [700, 300], [8000, 2000])
    for name, counts, reference in (
        ("distance", SHIFTED, REFERENCE),
        ("carrier", [300, 500, 200, 0], [4000, 3000, 3000, 0]),
        ("prediction", [700, 300], [8000, 2000]),
    ):
        rows = [*reference]
        expected = psi(counts, rows) + (len(rows) - 1) * (1 / sum(rows) - 1 / 10_000)
        series, of = ("prediction_drift", "") if name == "prediction" else ("drift", f'feature="{name}", ')
        a.expect(f"steadfit:{series}_psi{{{of}{OF_MODEL}}}", 25, expected)
        a.expect(f"steadfit:{series}_js{{{of}{OF_MODEL}}}", 25, js(counts, rows))
    a.expect(f"steadfit:predictions_count{{{OF_MODEL}}}", 25, 1000)
    a.play()


def test_the_weighted_mean_and_the_maximum_are_taken_over_the_inputs_alone(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(drift()))
    serve(a, rows=1000)
    rows = [1000] * 10
    one, two = [150] * 5 + [50] * 5, [110] * 5 + [90] * 5
    feature(a, "one", one, rows, importance=0.6)
    feature(a, "two", two, rows, importance=0.2)
    feature(a, "unweighted", one, rows)
    feature(a, "prediction", [1, 999], [5000, 5000])
    for statistic, function in (("psi", psi), ("js", js)):
        name = f"steadfit:drift_{statistic}"
        weighted = (0.6 * function(one, rows) + 0.2 * function(two, rows)) / 0.8
        a.expect(f"{name}:weighted{{{OF_MODEL}}}", 25, weighted)
        a.expect(f"{name}:max{{{OF_MODEL}}}", 25, function(one, rows))
    a.play()


def test_counts_of_replicas_and_revisions_of_a_version_are_added_up_and_versions_kept_apart(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(drift()))
    rows = [2500] * 4
    for pod, revision, version, counts in (
        ("a", "r1", "3", [100, 200, 300, 400]),
        ("b", "r1", "3", [50, 50, 50, 50]),
        ("c", "r2", "3", [10, 0, 0, 0]),
        ("d", "r9", "2", [400, 300, 200, 100]),
    ):
        labels = {**LABELS, "revision": revision, "version": version, "pod": pod}
        serve(a, labels, rows=sum(counts))
        feature(a, "x", counts, rows, labels=labels, importance=1.0)
    together, older = [160, 250, 350, 450], [400, 300, 200, 100]
    a.expect(f'steadfit:drift_psi{{feature="x", {OF_MODEL}}}', 25, psi(together, rows))
    a.expect('steadfit:drift_psi{feature="x", version="2"}', 25, psi(older, rows))
    a.expect(f"steadfit:predictions_count{{{OF_MODEL}}}", 25, 1210)
    a.play()


def test_a_counter_that_starts_anew_costs_no_more_than_a_sample(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(drift()))
    rows = [5000, 5000]
    serve(a, rows=2000)
    feature(a, "x", [1400, 600], rows, importance=1.0)
    for number, slope in enumerate((70, 30)):
        values = [float(slope * step if step < 45 else slope * (step - 45)) for step in range(60)]
        a.scrape("steadfit_feature_bin_total", {**LABELS, "feature": "x", "bin": str(number)}, values)
    a.expect(f'steadfit:drift_psi{{feature="x", {OF_MODEL}}}', 25, psi([1400, 600], rows), tolerance=0.01)
    a.play()


def test_without_requests_there_is_no_drift_rather_than_a_number(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(drift()))
    serve(a, rows=0)
    feature(a, "x", [0, 0, 0], [5000, 3000, 2000], importance=1.0)
    feature(a, "prediction", [0, 0], [5000, 5000])
    for name in (
        "drift_psi",
        "drift_js",
        "drift_psi:weighted",
        "drift_psi:max",
        "prediction_drift_psi",
        "prediction_drift_js",
    ):
        a.expect(f"steadfit:{name}", 25, None)
    a.expect("steadfit:predictions_count", 25, 0)
    a.play()


def test_an_artifact_without_a_reference_is_counted_and_takes_nothing_from_the_others(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(drift()))
    serve(a, rows=1000)
    feature(a, "x", [600, 400], [5000, 5000], importance=1.0)
    older = {**LABELS, "model": "older"}
    serve(a, older, rows=500, reference=0)
    a.expect('steadfit:predictions_count{model="older"}', 25, 500)
    a.expect('steadfit:drift_psi{model="older"}', 25, None)
    a.expect('steadfit:drift_psi{model="flights"}', 25, psi([600, 400], [5000, 5000]))
    a.play()


def test_a_column_named_prediction_and_the_answers_are_kept_apart(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(drift()))
    serve(a, rows=1000)
    feature(a, "prediction", [700, 300], [8000, 2000])
    for number, count in enumerate((500, 500)):
        column = {**LABELS, "feature": "prediction", "bin": str(number)}
        a.scrape("steadfit_feature_bin_total", column, [float(count * step) for step in range(60)])
        a.scrape("steadfit_feature_reference_ratio", column, [0.5] * 60)
    a.expect("steadfit:prediction_drift_psi", 25, psi([700, 300], [8000, 2000]))
    column_psi = psi([10_000, 10_000], [5000, 5000], corrected=False) - (1 / 20_000 + 1 / 10_000)
    a.expect('steadfit:drift_psi{feature="prediction"}', 25, column_psi)
    a.play()


def test_every_window_has_values_of_its_own(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(drift(window="5m"), drift("slow", window="0.25h")))
    serve(a, rows=1000)
    feature(a, "x", [600, 400], [5000, 5000], importance=1.0)
    a.expect('steadfit:drift_psi{window="5m"}', 25, psi([300, 200], [5000, 5000]))
    a.expect('steadfit:drift_psi{window="0.25h"}', 25, psi([900, 600], [5000, 5000]))
    a.play()


@pytest.mark.parametrize("samples", [500, 1000])
def test_chance_alone_practically_never_passes_a_corrected_psi_of_02_from_500_samples_on(samples: int) -> None:
    drawn = _without_drift(samples, 20_000)
    assert max(drawn) < 0.1
    assert abs(float(np.mean(drawn))) < 0.002


def test_chance_alone_often_passes_an_uncorrected_psi_of_few_samples() -> None:
    drawn = np.array(_without_drift(50, 5_000, corrected=False))
    assert np.mean(drawn > 0.2) > 0.15
    assert np.mean(np.array(_without_drift(50, 5_000)) > 0.2) < 0.05


def _without_drift(samples: int, times: int, *, corrected: bool = True) -> list[float]:
    """PSI of samples that come from where the reference came from: ten even bins."""
    rng = np.random.default_rng(20261121)
    current = rng.multinomial(samples, [0.1] * 10, size=times)
    reference = rng.multinomial(10_000, [0.1] * 10, size=times)
    return [psi(one, other, corrected=corrected) for one, other in zip(current, reference, strict=True)]
