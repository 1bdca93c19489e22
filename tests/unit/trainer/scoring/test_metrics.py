from typing import Any

import numpy as np
import pytest
from steadfit_artifact.model import Prediction
from steadfit_trainer.config import Evaluation
from steadfit_trainer.data import labels
from steadfit_trainer.failures import UserFailure
from steadfit_trainer.scoring.score import judge


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
