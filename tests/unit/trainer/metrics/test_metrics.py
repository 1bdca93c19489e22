from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
from numpy.typing import NDArray
from steadfit_artifact.model import Prediction
from steadfit_trainer.config import Evaluation
from steadfit_trainer.data import labels
from steadfit_trainer.failures import UserFailure
from steadfit_trainer.metrics import label_metrics
from steadfit_trainer.metrics.registry import METRICS, Metric
from steadfit_trainer.scoring.score import judge

CLASSIFICATION = [name for name, metric in METRICS.items() if metric.task == "classification"]
REGRESSION = [name for name, metric in METRICS.items() if metric.task == "regression"]


def _values(
    names: list[str],
    truth: list[Any],
    probabilities: Any,
    classes: Any,
    positive: str | None = None,
    answers: Any = None,
) -> dict[str, float]:
    evaluation = Evaluation.model_validate(
        {
            "target": "t",
            "positiveClass": positive,
            "holdout": {"by": "Hash", "column": "t"},
            "metrics": [{"name": name} for name in names],
        }
    )
    scores = None if probabilities is None else np.array(probabilities, np.float32)
    if answers is None:
        assert scores is not None
        answers = np.array(classes)[scores.argmax(axis=1)]
    return judge(evaluation, Prediction(np.array(answers), scores, classes), truth, classes)


TWO = [[0.9, 0.1], [0.6, 0.4], [0.35, 0.65], [0.2, 0.8]]


def test_two_classes_by_hand() -> None:
    values = _values(["roc_auc", "accuracy", "brier_score", "log_loss"], [0, 1, 0, 1], TWO, (0, 1))
    assert values["roc_auc"] == pytest.approx(3 / 4)
    assert values["accuracy"] == pytest.approx(2 / 4)
    assert values["brier_score"] == pytest.approx((0.1**2 + 0.6**2 + 0.65**2 + 0.2**2) / 4)
    assert values["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.35, 0.8]).mean(), rel=1e-5)


def test_the_positive_class_may_be_the_first() -> None:
    truth = ["no", "yes", "no", "yes"]
    assert _values(["roc_auc"], truth, TWO, ("no", "yes"), "no") == _values(["roc_auc"], truth, TWO, ("no", "yes"))
    skewed = [[0.1, 0.9], [0.6, 0.4], [0.35, 0.65], [0.2, 0.8]]
    first = _values(["brier_score"], ["no", "yes", "no", "yes"], skewed, ("no", "yes"), "no")
    assert first["brier_score"] == pytest.approx((0.9**2 + 0.6**2 + 0.65**2 + 0.2**2) / 4)


def test_several_classes_are_one_against_the_rest_weighted_by_share() -> None:
    truth = ["a", "b", "c", "a"]
    scores = [[0.6, 0.3, 0.1], [0.3, 0.5, 0.2], [0.5, 0.1, 0.4], [0.4, 0.35, 0.25]]
    values = _values(["roc_auc", "brier_score", "log_loss", "accuracy"], truth, scores, ("a", "b", "c"))
    # a: rows 0 and 3 against 1 and 2: 3 of 4 pairs; b and c: their row is above all others.
    assert values["roc_auc"] == pytest.approx(0.5 * 3 / 4 + 0.25 + 0.25)
    assert values["accuracy"] == pytest.approx(3 / 4)
    hot = np.eye(3)[[0, 1, 2, 0]]
    assert values["brier_score"] == pytest.approx(((np.array(scores) - hot) ** 2).sum(axis=1).mean(), rel=1e-5)
    assert values["log_loss"] == pytest.approx(-np.log([0.6, 0.5, 0.4, 0.4]).mean(), rel=1e-5)


def test_a_regression_by_hand() -> None:
    values = _values(["mae", "rmse"], [1, 2, 4], None, None, answers=[1.0, 3.0, 1.0])
    assert values == {"mae": pytest.approx(4 / 3), "rmse": pytest.approx((10 / 3) ** 0.5)}


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_a_metric_that_overflows_has_no_value() -> None:
    assert _values(["mae", "rmse", "r2"], [1.0, 2.0, 1e200], None, None, answers=[1.0, 3.0, 1.0]).keys() == {"mae"}


def test_a_regression_of_text_is_refused() -> None:
    with pytest.raises(UserFailure, match="predicts a value, but 't' is no number"):
        _values(["mae"], ["x"], None, None, answers=[1.0])


def test_one_class_in_the_holdout_leaves_the_roc_auc_out_and_keeps_the_rest() -> None:
    assert list(_values(["roc_auc", "log_loss", "brier_score"], [1, 1, 1, 1], TWO, (0, 1))) == [
        "log_loss",
        "brier_score",
    ]


def test_a_label_that_the_model_does_not_know_counts_as_wrong_and_leaves_the_probabilistic_metrics_out() -> None:
    values = _values(["roc_auc", "accuracy", "log_loss"], ["a", "b", "a", "new"], TWO, ("a", "b"))
    assert values == {"accuracy": pytest.approx(1 / 4)}


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1"])
def test_an_unknown_label_that_truth_and_answer_share_counts_as_wrong(name: str) -> None:
    classes = ("a", "b", "c")
    shared = _values([name], ["a", "b", "c", "new"], None, classes, answers=["a", "b", "c", "new"])
    other = _values([name], ["a", "b", "c", "new"], None, classes, answers=["a", "b", "c", "else"])
    assert shared == other == {name: pytest.approx(3 / 4)}


def test_targets_that_differ_by_rounding_alone_have_no_r2() -> None:
    assert _values(["r2", "mae"], [0.1 + 0.2, 0.3, 0.3], None, None, answers=[0.3, 0.3, 5.0]).keys() == {"mae"}


@pytest.mark.parametrize(
    "truth", [[0, 1, 0, 1], [False, True, False, True], [0.0, 1.0, 0.0, 1.0], ["0", "1", "0", "1"]]
)
@pytest.mark.parametrize("classes", [(0, 1), (False, True), ("0", "1")])
def test_labels_mean_the_same_however_they_are_stored(truth: list[Any], classes: Any) -> None:
    assert _values(["accuracy"], truth, TWO, classes) == {"accuracy": 0.5}


@pytest.mark.parametrize(
    ("wanted", "classes", "index"),
    [
        (None, (0, 1), 1),
        (None, (1, 0), 0),
        (None, ("no", "yes"), 1),
        (None, (False, True), 1),
        ("no", ("no", "yes"), 0),
        ("1", (0, 1), 1),
        ("true", (0, 1), 1),
        ("False", (False, True), 0),
        ("maybe", ("no", "yes"), None),
    ],
)
def test_the_positive_class_is_the_one_named_else_the_greatest(wanted: Any, classes: Any, index: Any) -> None:
    assert labels.positive_index(wanted, classes) == index


def test_the_calibration_error_is_that_of_the_monitor_by_hand() -> None:
    # Bins of 0.05: one row at 0.1, one at 0.4, one at 0.65, one at 0.8; their middles are 0.025 above.
    values = _values(["calibration_error"], [0, 1, 0, 1], TWO, (0, 1))
    assert values["calibration_error"] == pytest.approx((0.125 + (1 - 0.425) + 0.675 + (1 - 0.825)) / 4)
    together = [[0.48, 0.52], [0.47, 0.53]]
    assert _values(["calibration_error"], [0, 1], together, (0, 1))["calibration_error"] == pytest.approx(0.025)
    sure = [[0.0, 1.0], [1.0, 0.0]]
    assert _values(["calibration_error"], [1, 0], sure, (0, 1))["calibration_error"] == pytest.approx(0.025)


def test_several_classes_have_no_calibration_error() -> None:
    scores = [[0.6, 0.3, 0.1], [0.3, 0.5, 0.2]]
    assert _values(["calibration_error", "accuracy"], ["a", "b"], scores, ("a", "b", "c")) == {"accuracy": 1.0}


# The values are scikit-learn's.


def drawn(classes: int, seed: int, rows: int = 400) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return true classes, all of which occur, and probabilities that know something of them, with ties."""
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(classes), rng.integers(0, classes, rows - classes)])
    raw = np.exp(rng.normal(size=(rows, classes)).round(1) + np.eye(classes)[truth])
    return truth, (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32).astype(np.float64)


def exact(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities as they are judged: summing to 1 in float64."""
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("positive", [0, 1])
def test_the_metrics_of_two_classes_are_scikit_learns(seed: int, positive: int) -> None:
    truth, scores = drawn(2, seed)
    labels, of_positive = scores.argmax(axis=1), exact(scores)[:, positive]
    found = _values(list(CLASSIFICATION), truth.tolist(), scores, (0, 1), str(positive))
    expected = {
        "roc_auc": sk.roc_auc_score(truth == positive, of_positive),
        "average_precision": sk.average_precision_score(truth, of_positive, pos_label=positive),
        "accuracy": sk.accuracy_score(truth, labels),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, labels),
        "f1": sk.f1_score(truth, labels, pos_label=positive),
        "brier_score": sk.brier_score_loss(truth, of_positive, pos_label=positive),
        "log_loss": sk.log_loss(truth, exact(scores)),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    assert set(found) == {*expected, "calibration_error"}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [3, 7])
def test_the_metrics_of_several_classes_are_scikit_learns(seed: int, classes: int) -> None:
    truth, scores = drawn(classes, seed)
    labels = scores.argmax(axis=1)
    expected = {
        "roc_auc": sk.roc_auc_score(truth, exact(scores), multi_class="ovr", average="weighted"),
        "average_precision": sk.average_precision_score(truth, exact(scores)),
        "accuracy": sk.accuracy_score(truth, labels),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, labels),
        "f1": sk.f1_score(truth, labels, average="macro"),
        "log_loss": sk.log_loss(truth, exact(scores)),
    }
    assert _values(list(expected), truth.tolist(), scores, tuple(range(classes))) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_metrics_of_a_regression_are_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(3000, 500, 400)
    answers = truth + rng.normal(0, 300 * (seed + 1), 400)
    expected = {
        "r2": sk.r2_score(truth, answers),
        "mae": sk.mean_absolute_error(truth, answers),
        "rmse": sk.root_mean_squared_error(truth, answers),
    }
    found = _values(list(expected), truth.tolist(), None, None, answers=answers.tolist())
    assert found == pytest.approx(expected, rel=1e-12)


def test_f1_and_balanced_accuracy_by_hand() -> None:
    truth, answers = ["y", "y", "y", "n", "n", "n", "n", "n"], ["y", "n", "y", "y", "n", "n", "n", "n"]
    values = _values(["f1", "balanced_accuracy"], truth, None, ("n", "y"), answers=answers)
    assert values == {
        "f1": pytest.approx(2 * 2 / (2 * 2 + 1 + 1)),
        "balanced_accuracy": pytest.approx((2 / 3 + 4 / 5) / 2),
    }


def test_average_precision_by_hand() -> None:
    # From the largest score down: 0.8 is positive, 0.65 not, 0.4 positive, 0.1 not.
    values = _values(["average_precision"], [0, 1, 0, 1], TWO, (0, 1))
    assert values["average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_a_regression_that_is_worse_than_the_mean_has_a_negative_r2() -> None:
    assert _values(["r2"], [1, 2, 3], None, None, answers=[3.0, 2.0, 1.0])["r2"] == pytest.approx(-3)


def test_a_label_that_the_model_does_not_know_is_a_class_that_it_never_gets_right() -> None:
    truth, answers = ["a", "b", "c", "new"], ["a", "b", "c", "a"]
    values = _values(["f1", "balanced_accuracy"], truth, None, ("a", "b", "c"), answers=answers)
    assert values == {"f1": pytest.approx((2 / 3 + 1 + 1 + 0) / 4), "balanced_accuracy": pytest.approx(3 / 4)}


@pytest.mark.parametrize(
    ("name", "truth", "answers", "classes"),
    [
        ("f1", [0, 0, 0, 0], [0, 0, 0, 1], (0, 1)),
        ("balanced_accuracy", [1, 1, 1, 1], [0, 1, 0, 1], (0, 1)),
        ("average_precision", [0, 0, 0, 0], None, (0, 1)),
        ("r2", [5, 5, 5, 5], [5.0, 5.0, 5.0, 5.0], None),
    ],
)
def test_a_metric_that_the_rows_do_not_define_is_left_out(name: str, truth: Any, answers: Any, classes: Any) -> None:
    assert _values([name], truth, TWO if answers is None else None, classes, answers=answers) == {}


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_a_metric_of_a_classification_is_refused_for_a_regression(name: str) -> None:
    with pytest.raises(UserFailure, match=f"The metric {name} needs classes, but the model predicts a value"):
        _values([name], [1.0], None, None, answers=[1.0])


@pytest.mark.parametrize("name", REGRESSION)
def test_a_metric_of_a_regression_is_refused_for_a_classification(name: str) -> None:
    with pytest.raises(UserFailure, match=f"The metric {name} needs a value, but the model predicts a class"):
        _values([name], [0, 1, 0, 1], TWO, (0, 1))


@pytest.mark.parametrize("name", [name for name in CLASSIFICATION if METRICS[name].needs_probabilities])
def test_a_metric_of_probabilities_is_refused_for_a_model_that_gives_labels_alone(name: str) -> None:
    with pytest.raises(UserFailure, match=f"The metric {name} needs probabilities"):
        _values([name], [0, 1], None, (0, 1), answers=[0, 1])


def test_a_metric_that_this_image_does_not_know_is_refused_before_anything_is_done() -> None:
    with pytest.raises(ValueError, match="this trainer image has no metric f2; it has roc_auc, average_precision"):
        _values(["f2"], [0, 1, 0, 1], TWO, (0, 1))


@pytest.mark.parametrize("interval", [None, label_metrics.f1_of_resamples])
def test_a_metric_without_an_interval_of_the_difference_cannot_be_registered(interval: Any) -> None:
    with pytest.raises(TypeError, match="interval of a metric is a McNemar or a PairedBootstrap"):
        Metric(label_metrics.f1, interval, "Maximize")
