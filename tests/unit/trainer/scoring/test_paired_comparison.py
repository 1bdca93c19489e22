"""Intervals of a difference, against scikit-learn, against formulas, and by how often they hold what is true."""

import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest
from steadfit_trainer.metrics import label_metrics
from steadfit_trainer.metrics.answers import Answers, OfResamples, UndefinedMetricError
from steadfit_trainer.metrics.intervals import McNemar, PairedBootstrap
from steadfit_trainer.metrics.registry import METRICS
from steadfit_trainer.scoring import paired_comparison


def binary(rng: np.random.Generator, rows: int, skill: float, truth: NDArray[Any] | None = None) -> Answers:
    truth = rng.integers(0, 2, rows) if truth is None else truth
    scores = 1 / (1 + np.exp(-(skill * (truth - 0.5) + rng.normal(size=rows)).round(1)))
    return Answers(truth, (scores > 0.5).astype(int), np.stack([1 - scores, scores], axis=1), 1, 2)


def several(rng: np.random.Generator, rows: int, skill: float, truth: NDArray[Any]) -> Answers:
    raw = np.exp(rng.normal(size=(rows, 3)) + skill * np.eye(3)[truth])
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    return Answers(truth, probabilities.argmax(axis=1), probabilities, 2, 3)


def values(rng: np.random.Generator, rows: int, noise: float, truth: NDArray[Any]) -> Answers:
    return Answers(truth, truth + rng.normal(scale=noise, size=rows), None, 0, 0)


def pair(metric: str, rows: int = 300, seed: int = 0, better: float = 1.0) -> tuple[Answers, Answers]:
    """Return two models of a kind that the metric judges; the first has more skill where `better` is above 1."""
    rng = np.random.default_rng(seed)
    if METRICS[metric].task == "regression":
        numbers = rng.normal(size=rows)
        return values(rng, rows, 1 / better, numbers), values(rng, rows, 1.0, numbers)
    truth = rng.integers(0, 2, rows)
    return binary(rng, rows, 2 * better, truth), binary(rng, rows, 2.0, truth)


def drawn(judged: Answers, rows: NDArray[Any]) -> Answers:
    scores = judged.probabilities
    chosen = None if scores is None else scores[rows]
    return Answers(judged.truth[rows], judged.labels[rows], chosen, judged.positive, judged.classes)


def of_resamples(metric: str, judged: Answers) -> OfResamples:
    interval = METRICS[metric].interval
    assert isinstance(interval, PairedBootstrap)
    return interval.of_resamples(judged)


@pytest.mark.parametrize("metric", [name for name in METRICS if name != "accuracy"])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_resample_is_scored_as_scikit_learn_scores_its_rows(metric: str, classes: int) -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, classes, 200)
    judged = several(rng, 200, 1.0, truth) if classes == 3 else pair(metric, 200)[0]
    if METRICS[metric].task == "regression" or metric == "calibration_error":
        judged = pair(metric, 200)[0]
    rows = [rng.integers(0, 200, 200) for _ in range(5)]
    weights = np.stack([np.bincount(each, minlength=200) for each in rows]).astype(float)
    found = of_resamples(metric, judged)(weights)
    assert found == pytest.approx([METRICS[metric].value(drawn(judged, each)) for each in rows], rel=1e-12)


@pytest.mark.parametrize("metric", list(METRICS))
def test_a_difference_is_positive_when_the_new_model_is_better_whichever_way_the_metric_goes(metric: str) -> None:
    new, other = pair(metric, 2000, better=3.0)
    found = paired_comparison.compare(metric, new, other, 7)
    assert found.value == METRICS[metric].value(other)
    assert abs(found.difference) == pytest.approx(abs(METRICS[metric].value(new) - METRICS[metric].value(other)))
    assert 0 < found.lower < found.difference < found.upper
    assert found.rows == 2000
    back = paired_comparison.compare(metric, other, new, 7)
    assert back.upper < 0
    assert back.difference == pytest.approx(-found.difference)


@pytest.mark.parametrize("metric", [name for name, metric in METRICS.items() if isinstance(metric.interval, McNemar)])
def test_a_metric_with_mcnemars_interval_is_the_share_of_right_rows(metric: str) -> None:
    judged, _ = pair(metric)
    interval = METRICS[metric].interval
    assert isinstance(interval, McNemar)
    assert interval.right(judged).mean() == METRICS[metric].value(judged)


@pytest.mark.parametrize("metric", list(METRICS))
def test_a_model_against_itself_differs_by_nothing(metric: str) -> None:
    new, _ = pair(metric)
    found = paired_comparison.compare(metric, new, new, 7)
    assert (found.lower, found.difference, found.upper) == (0, 0, 0)


@pytest.mark.parametrize("metric", METRICS)
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
    new, other = (
        Answers(truth, truth + hard, None, 0, 0),
        Answers(truth, truth + hard + np.sign(hard) * 0.1, None, 0, 0),
    )
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
    new = Answers(truth, np.array([0, 1, -1, -1]), None, 1, 2)
    assert label_metrics.right(new).tolist() == [True, True, False, False]


def test_a_class_too_rare_to_be_in_most_resamples_gives_no_interval() -> None:
    truth = np.array([1, *[0] * 99])
    scores = np.linspace(0, 1, 100)
    judged = Answers(truth, truth, np.stack([1 - scores, scores], axis=1), 1, 2)
    weights = np.zeros((1, 100))
    weights[0, 5] = 100
    assert np.isnan(of_resamples("roc_auc", judged)(weights)).all()
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


@pytest.mark.parametrize(
    ("metric", "truth", "labels"),
    [
        ("f1", [0, 1, 1], [0, 1, 0]),
        ("average_precision", [0, 1, 1], [0, 1, 0]),
        ("balanced_accuracy", [0, 1, 1], [0, 1, 0]),
        ("r2", [5.0, 6.0, 7.0], [5.0, 6.0, 7.0]),
    ],
)
def test_a_resample_without_what_the_metric_needs_has_no_value(
    metric: str, truth: list[float], labels: list[float]
) -> None:
    scores = np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    regression = METRICS[metric].task == "regression"
    judged = Answers(np.array(truth), np.array(labels), None if regression else scores, 1, 0 if regression else 2)
    found = of_resamples(metric, judged)(np.array([[3.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))
    assert np.isnan(found).tolist() == [True, False]


def test_a_resample_of_one_target_far_from_the_others_has_no_r2() -> None:
    truth = np.array([1e6 + 0.1, *[3.3] * 30])
    weights = np.array([[0.0, *[31 / 30] * 30]])
    assert np.isnan(of_resamples("r2", Answers(truth, truth + 1, None, 0, 0))(weights)).all()


def test_targets_far_from_zero_lose_no_digits_of_r2() -> None:
    rng = np.random.default_rng(2)
    near = values(rng, 300, 0.5, rng.normal(size=300))
    far = Answers(near.truth + 1e6, near.labels + 1e6, None, 0, 0)
    weights = np.ones((1, 300))
    assert of_resamples("r2", far)(weights) == pytest.approx(of_resamples("r2", near)(weights), rel=1e-8)


@pytest.mark.parametrize("metric", ["f1", "brier_score"])
def test_a_model_of_two_classes_is_not_compared_with_one_of_several(metric: str) -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, 200)
    with pytest.raises(UndefinedMetricError, match="one of the models has 2 classes and the other 3"):
        paired_comparison.compare(metric, binary(rng, 200, 1.0, truth), several(rng, 200, 1.0, truth), 0)
