"""Ends of intervals of quality: Prometheus computes the textbook's, and they miss the truth as rarely as they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score
from steadfit.api.metrics import METRICS, MONITORED
from steadfit.core.monitors.recording.quality_intervals import BOUNDS
from steadfit.core.monitors.recording.wilson import Z

from tests.unit.core.rules.rising_counters import deployment, scene

from .test_quality import ACCURACY, binary, drawn, post

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MIDDLES = (2 * np.arange(20) + 1) / 40


# What the rules are to compute, for many samples at once: counts of shape [samples].


def wilson(share: Floats, rows: Floats) -> Floats:
    spread = np.sqrt(share * (1 - share) / rows + Z**2 / 4 / rows**2)
    end: Floats = (share + Z**2 / 2 / rows + Z * spread) / (1 + Z**2 / rows)
    return end


def balanced(hits1: Ints, rows1: Ints, hits0: Ints, rows0: Ints) -> Floats:
    squares = sum((h * (n - h) / n + Z**2 / 4) / n**2 for h, n in ((hits1, rows1), (hits0, rows0)))
    end: Floats = (hits1 / rows1 + hits0 / rows0) / 2 + Z / 2 * np.sqrt(squares)
    return end


def f1(hits: Ints, false_alarms: Ints, misses: Ints) -> Floats:
    whole = hits + false_alarms + misses
    share = wilson(hits / whole, whole.astype(np.float64))
    end: Floats = 2 * share / (1 + share)
    return end


def area(value: Floats, positives: Ints, negatives: Ints) -> Floats:
    first, second = value / (2 - value), 2 * value**2 / (1 + value)
    square = value * (1 - value) + (positives - 1) * (first - value**2) + (negatives - 1) * (second - value**2)
    end: Floats = value + Z * np.sqrt(np.maximum(square, 0) / (positives * negatives))
    return end


def mean(value: Any, second_moment: Any, rows: int) -> Any:
    return value - Z * np.sqrt(np.maximum(second_moment - value**2, 0) / rows)


def test_wilsons_end_is_that_of_scipy() -> None:
    known = binomtest(61, 80).proportion_ci(0.95, "wilson")
    assert wilson(np.array(61 / 80), np.array(80.0)) == pytest.approx(known.high)


@pytest.mark.parametrize("seed", [1, 2])
def test_prometheus_computes_them_of_a_binary_model(tmp_path: Path, seed: int) -> None:
    a = scene(tmp_path, deployment(ACCURACY))
    scores, outcomes = drawn(seed)
    bins = binary(a, scores, outcomes)
    labels, truth = scores >= 0.5, outcomes == 1
    count = {
        "hits": np.sum(labels & truth), "misses": np.sum(~labels & truth),
        "alarms": np.sum(labels & ~truth), "rest": np.sum(~labels & ~truth),
    }  # fmt: skip
    positives, negatives = np.sum(truth), np.sum(~truth)
    a.expect("steadfit:quality_accuracy:upper", 25, float(wilson(np.mean(labels == truth), np.array(1000.0))))
    found = balanced(count["hits"], positives, count["rest"], negatives)
    assert found > balanced_accuracy_score(outcomes, labels)
    a.expect("steadfit:quality_balanced_accuracy:upper", 25, float(found))
    assert f1(count["hits"], count["alarms"], count["misses"]) > f1_score(outcomes, labels)
    a.expect("steadfit:quality_f1:upper", 25, float(f1(count["hits"], count["alarms"], count["misses"])))
    a.expect("steadfit:quality_roc_auc:upper", 25, float(area(roc_auc_score(outcomes, bins), positives, negatives)))
    fourth = float(np.mean((MIDDLES[bins.astype(np.int64)] - outcomes) ** 4))
    brier = np.mean((scores - outcomes) ** 2)
    a.expect("steadfit:quality_brier_score:lower", 25, float(mean(brier, np.array(fourth), 1000)))
    a.expect("steadfit:quality_mae:lower", 25, None)
    a.play()


def test_prometheus_computes_them_where_bins_are_missing(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(ACCURACY))
    post(a, "", 300, bin="2", outcome="negative")
    post(a, "", 100, bin="17", outcome="positive")
    a.expect("steadfit:quality_accuracy:upper", 25, 1.0)
    a.expect("steadfit:quality_f1:upper", 25, 1.0)
    a.expect("steadfit:quality_roc_auc:upper", 25, 1.0)
    known = balanced(np.array(100), np.array(100), np.array(300), np.array(300))
    a.expect("steadfit:quality_balanced_accuracy:upper", 25, float(known))
    a.play()


def test_prometheus_computes_them_of_classes_and_of_a_regression(tmp_path: Path) -> None:
    a = scene(tmp_path, deployment(ACCURACY))
    post(a, "", 80, bin="setosa", outcome="correct")
    post(a, "", 120, bin="15", outcome="wrong")
    errors = np.random.default_rng(5).normal(0, 3, 400)
    post(a, "", 400, bin="value", outcome="observed")
    post(a, "_absolute_error", float(np.sum(np.abs(errors))))
    post(a, "_squared_error", float(np.sum(errors**2)))
    a.expect("steadfit:quality_accuracy:upper", 25, float(wilson(np.array(0.4), np.array(200.0))))
    known = mean(np.mean(np.abs(errors)), np.mean(errors**2), 400)
    a.expect("steadfit:quality_mae:lower", 25, float(known))
    a.expect("steadfit:quality_roc_auc:upper", 25, None)
    a.play()


def test_the_recorded_end_is_on_the_good_side_and_only_two_metrics_have_none() -> None:
    for metric, series in BOUNDS.items():
        assert series.endswith(":upper" if METRICS[metric].goal == "Maximize" else ":lower")
    assert set(MONITORED) - set(BOUNDS) == {"rmse", "calibration_error"}


# How often the end lies on the bad side of the truth: 2.5 % are meant. Wilson's is known to oscillate about that.


SAMPLES = 4000
MOST = 0.055


@pytest.mark.parametrize(("rows", "share"), [(200, 0.7), (200, 0.98), (1000, 0.5), (200, 0.05)])
def test_accuracy_misses_the_truth_seldom(rows: int, share: float) -> None:
    found = np.random.default_rng(0).binomial(rows, share, SAMPLES) / rows
    assert np.mean(wilson(found, np.full(SAMPLES, float(rows))) < share) <= MOST


@pytest.mark.parametrize(
    ("rows", "positive", "recall", "specificity"),
    [
        (200, 0.5, 0.7, 0.8),
        (200, 0.05, 0.6, 0.9),
        (200, 0.02, 0.6, 0.95),
        (1000, 0.1, 0.7, 0.7),
        (200, 0.5, 0.97, 0.98),
    ],
)
def test_balanced_accuracy_and_f1_miss_the_truth_seldom(
    rows: int, positive: float, recall: float, specificity: float
) -> None:
    rng = np.random.default_rng(1)
    positives = np.clip(rng.binomial(rows, positive, SAMPLES), 1, rows - 1)
    hits, right = rng.binomial(positives, recall), rng.binomial(rows - positives, specificity)
    assert np.mean(balanced(hits, positives, right, rows - positives) < (recall + specificity) / 2) <= MOST
    truth = 2 * positive * recall / (positive * recall + positive + (1 - positive) * (1 - specificity))
    assert np.mean(f1(hits, rows - positives - right, positives - hits) < truth) <= MOST


@pytest.mark.parametrize(
    ("rows", "positive", "distance"),
    [(200, 0.5, 1.0), (200, 0.05, 1.0), (200, 0.02, 1.0), (200, 0.5, 2.5), (1000, 0.3, 0.7), (2000, 0.02, 1.5)],
)
def test_the_area_misses_the_truth_seldom(rows: int, positive: float, distance: float) -> None:
    rng = np.random.default_rng(2)

    def shares(shift: float) -> Floats:
        """Return the shares of the twentieths among normal scores."""
        drawn_scores = 1 / (1 + np.exp(-1.7 * (rng.normal(shift - 0.5, 1, 400_000))))
        found: Floats = np.bincount(np.minimum((drawn_scores * 20).astype(np.int64), 19), minlength=20) / 400_000
        return found

    ones, zeros = shares(distance), shares(0.0)
    truth = float(np.sum(ones * (np.cumsum(zeros) - zeros / 2)))
    positives = np.clip(rng.binomial(rows, positive, SAMPLES), 1, rows - 1)
    above = np.array([rng.multinomial(count, ones) for count in positives])
    below = np.array([rng.multinomial(rows - count, zeros) for count in positives])
    negatives = rows - positives
    value = np.sum(above * (np.cumsum(below, axis=1) - below / 2), axis=1) / (positives * negatives)
    assert np.mean(area(value, positives, negatives) < truth) <= MOST


@pytest.mark.parametrize(("rows", "first", "second"), [(200, 2, 5), (200, 5, 5), (1000, 0.5, 0.5), (200, 1, 30)])
def test_the_brier_score_misses_the_truth_seldom(rows: int, first: float, second: float) -> None:
    rng = np.random.default_rng(3)

    def errors(count: int) -> tuple[Floats, Floats]:
        """Return squared errors of calibrated scores, and fourth powers at the middle of their twentieths."""
        scores = rng.beta(first, second, (count, rows))
        outcomes = rng.random((count, rows)) < scores
        middles = MIDDLES[np.minimum((scores * 20).astype(np.int64), 19)]
        return (scores - outcomes) ** 2, (middles - outcomes) ** 4

    squares, fourths = errors(1500)
    truth = float(np.mean(errors(5000)[0]))
    assert np.mean(mean(squares.mean(axis=1), fourths.mean(axis=1), rows) > truth) <= MOST


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, shape: rng.normal(size=shape),
        lambda rng, shape: rng.laplace(size=shape),
        lambda rng, shape: rng.standard_t(3, size=shape),
        lambda rng, shape: rng.exponential(size=shape),
    ],
)
def test_the_mean_absolute_error_misses_the_truth_seldom(
    draw: Callable[[np.random.Generator, tuple[int, int]], Floats],
) -> None:
    rng = np.random.default_rng(4)
    errors = np.abs(draw(rng, (SAMPLES, 200)))
    truth = float(np.mean(np.abs(draw(rng, (5000, 200)))))
    assert np.mean(mean(errors.mean(axis=1), (errors**2).mean(axis=1), 200) > truth) <= MOST
