"""Intervals of a difference, against scikit-learn, against formulas, and by how often they hold what is true."""

import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest
from steadfit_trainer.scoring import metrics, paired_comparison
from steadfit_trainer.scoring.metrics import Answers, UndefinedMetricError

METRICS = {**metrics.CLASSIFICATION, **metrics.REGRESSION}


def binary(rng: np.random.Generator, rows: int, skill: float, truth: NDArray[Any] | None = None) -> Answers:
    truth = rng.integers(0, 2, rows) if truth is None else truth
    scores = 1 / (1 + np.exp(-(skill * (truth - 0.5) + rng.normal(size=rows)).round(1)))
    return Answers(truth, (scores > 0.5).astype(int), np.stack([1 - scores, scores], axis=1), 1)


def several(rng: np.random.Generator, rows: int, skill: float, truth: NDArray[Any]) -> Answers:
    raw = np.exp(rng.normal(size=(rows, 3)) + skill * np.eye(3)[truth])
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    return Answers(truth, probabilities.argmax(axis=1), probabilities, 2)


def values(rng: np.random.Generator, rows: int, noise: float, truth: NDArray[Any]) -> Answers:
    return Answers(truth, truth + rng.normal(scale=noise, size=rows), None, 0)


def pair(metric: str, rows: int = 300, seed: int = 0, better: float = 1.0) -> tuple[Answers, Answers]:
    """Return two models of a kind that the metric judges; the first has more skill where `better` is above 1."""
    rng = np.random.default_rng(seed)
    if metric in metrics.REGRESSION:
        numbers = rng.normal(size=rows)
        return values(rng, rows, 1 / better, numbers), values(rng, rows, 1.0, numbers)
    truth = rng.integers(0, 2, rows)
    return binary(rng, rows, 2 * better, truth), binary(rng, rows, 2.0, truth)


def drawn(judged: Answers, rows: NDArray[Any]) -> Answers:
    scores = judged.probabilities
    return Answers(judged.truth[rows], judged.labels[rows], scores if scores is None else scores[rows], judged.positive)


@pytest.mark.parametrize("metric", [name for name in METRICS if name != "accuracy"])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_resample_is_scored_as_scikit_learn_scores_its_rows(metric: str, classes: int) -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, classes, 200)
    judged = several(rng, 200, 1.0, truth) if classes == 3 else pair(metric, 200)[0]
    if metric in metrics.REGRESSION or metric == "calibration_error":
        judged = pair(metric, 200)[0]
    rows = [rng.integers(0, 200, 200) for _ in range(5)]
    weights = np.stack([np.bincount(each, minlength=200) for each in rows]).astype(float)
    found = paired_comparison._SCORES[metric](judged)(weights)
    assert found == pytest.approx([METRICS[metric](drawn(judged, each)) for each in rows])


@pytest.mark.parametrize("metric", list(METRICS))
def test_a_difference_is_positive_when_the_new_model_is_better_whichever_way_the_metric_goes(metric: str) -> None:
    new, other = pair(metric, 2000, better=3.0)
    found = paired_comparison.compare(metric, new, other, 7)
    assert found.value == METRICS[metric](other)
    assert abs(found.difference) == pytest.approx(abs(METRICS[metric](new) - METRICS[metric](other)))
    assert 0 < found.lower < found.difference < found.upper
    assert found.rows == 2000
    back = paired_comparison.compare(metric, other, new, 7)
    assert back.upper < 0
    assert back.difference == pytest.approx(-found.difference)


@pytest.mark.parametrize("metric", list(METRICS))
def test_a_model_against_itself_differs_by_nothing(metric: str) -> None:
    new, _ = pair(metric)
    found = paired_comparison.compare(metric, new, new, 7)
    assert (found.lower, found.difference, found.upper) == (0, 0, 0)


@pytest.mark.parametrize("metric", ["roc_auc", "accuracy", "brier_score", "calibration_error", "rmse"])
def test_the_interval_holds_the_true_difference_of_nothing_about_as_often_as_it_says(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paired_comparison, "RESAMPLES", 300)
    held, rows = 0, 1000 if metric == "accuracy" else 250
    for seed in range(200):
        found = paired_comparison.compare(metric, *pair(metric, rows, seed), seed)
        held += found.lower <= 0 <= found.upper
    # Resampling adds noise to every bin's error, so that the interval of the calibration error is too long: it is never
    # surer than it may be.
    assert 0.90 <= held / 200 <= (1 if metric == "calibration_error" else 0.99)


def test_pairing_tells_models_apart_that_two_separate_scores_do_not() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(size=1000)
    hard = rng.normal(scale=3, size=1000)
    new, other = Answers(truth, truth + hard, None, 0), Answers(truth, truth + hard + np.sign(hard) * 0.1, None, 0)
    found = paired_comparison.compare("mae", new, other, 0)
    assert found.lower > 0.09
    errors = np.abs(new.labels - truth)
    assert errors.std() / np.sqrt(1000) > 0.05, "the uncertainty of one score alone is as large as the difference"


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (1, 0), (0, 3), (12, 5), (20, 29)])
def test_few_differing_rows_have_the_exact_interval_of_a_binomial_share(better: int, worse: int) -> None:
    rows, differing = 400, better + worse
    right = np.array([True] * better + [False] * worse + [True] * (rows - differing))
    other = np.array([False] * better + [True] * worse + [True] * (rows - differing))
    lower, upper, method = paired_comparison.mcnemar(right, other)
    assert method == "exact McNemar"
    if differing == 0:
        assert (lower, upper) == (0, 0)
        return
    exact = binomtest(better, differing).proportion_ci(0.95, "exact")
    assert (lower, upper) == pytest.approx(
        ((2 * exact.low - 1) * differing / rows, (2 * exact.high - 1) * differing / rows)
    )


def test_many_differing_rows_have_the_normal_interval_of_a_paired_difference() -> None:
    rng = np.random.default_rng(5)
    right, other = rng.random(3000) < 0.8, rng.random(3000) < 0.75
    lower, upper, method = paired_comparison.mcnemar(right, other)
    differences = right.astype(float) - other.astype(float)
    half = 1.959963984540054 * differences.std() / np.sqrt(3000)
    assert method == "McNemar"
    assert (lower, upper) == pytest.approx((differences.mean() - half, differences.mean() + half))


def test_a_row_of_a_class_that_neither_model_knows_is_right_for_neither() -> None:
    truth = np.array([0, 1, -1, -1])
    new = Answers(truth, np.array([0, 1, -1, -1]), None, 1)
    assert paired_comparison._right(new).tolist() == [True, True, False, False]


def test_a_class_too_rare_to_be_in_most_resamples_gives_no_interval() -> None:
    truth = np.array([1, *[0] * 99])
    scores = np.linspace(0, 1, 100)
    judged = Answers(truth, truth, np.stack([1 - scores, scores], axis=1), 1)
    weights = np.zeros((1, 100))
    weights[0, 5] = 100
    assert np.isnan(paired_comparison._SCORES["roc_auc"](judged)(weights)).all()
    with pytest.raises(UndefinedMetricError, match="needs every class"):
        paired_comparison.compare("roc_auc", drawn(judged, np.arange(1, 100)), drawn(judged, np.arange(1, 100)), 0)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another_one() -> None:
    new, other = pair("roc_auc")
    assert paired_comparison.compare("roc_auc", new, other, 1) == paired_comparison.compare("roc_auc", new, other, 1)
    assert (
        paired_comparison.compare("roc_auc", new, other, 1).lower
        != paired_comparison.compare("roc_auc", new, other, 2).lower
    )


def test_of_many_rows_as_many_are_compared_as_are_enough_and_always_the_same() -> None:
    assert paired_comparison.sample(300, 1).tolist() == list(range(300))
    rows = paired_comparison.sample(50_000, 1)
    assert len(np.unique(rows)) == 20_000
    assert np.array_equal(rows, paired_comparison.sample(50_000, 1))
    assert not np.array_equal(rows, paired_comparison.sample(50_000, 2))


def test_comparing_as_many_rows_as_are_ever_compared_takes_seconds() -> None:
    new, other = pair("roc_auc", paired_comparison.MAX_ROWS)
    before = time.process_time()
    paired_comparison.compare("roc_auc", new, other, 0)
    assert time.process_time() - before < 20
