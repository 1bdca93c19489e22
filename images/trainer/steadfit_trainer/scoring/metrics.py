"""The metrics a version is judged by, as scikit-learn computes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn.metrics as sk
from numpy.typing import NDArray

CALIBRATION_BINS = 20


@dataclass(frozen=True)
class Answers:
    """A model's answers beside the truth.

    Attributes
    ----------
    truth : NDArray[Any]
        Shape [rows]; for a classification the index of each row's class (-1 for a class the model does not know), for a
        regression the value.
    labels : NDArray[Any]
        Shape [rows]; the same of the model's answers.
    probabilities : NDArray[np.float64] | None
        Shape [rows, classes], or None.
    positive : int
        Index of the positive class of a binary classification.
    """

    truth: NDArray[Any]
    labels: NDArray[Any]
    probabilities: NDArray[np.float64] | None
    positive: int


class UndefinedMetricError(Exception):
    """The metric has no value on these rows; the message is a sentence."""


def roc_auc(judged: Answers) -> float:
    """Area under the ROC curve: the chance that a positive row scores above a negative one, ties counting half.

    Several classes: one against the rest, weighted by the class's share. Range [0, 1].
    Source: Hanley and McNeil, Radiology 143 (1982); Fawcett, Pattern Recognition Letters 27 (2006) for the classes;
    scikit-learn `roc_auc_score`.
    """
    probabilities = _known(judged)
    if len(np.unique(judged.truth)) < probabilities.shape[1]:
        raise UndefinedMetricError("roc_auc needs every class in the rows.")
    if probabilities.shape[1] == 2:
        return float(sk.roc_auc_score(judged.truth == judged.positive, probabilities[:, judged.positive]))
    return float(sk.roc_auc_score(judged.truth, probabilities, multi_class="ovr", average="weighted"))


def accuracy(judged: Answers) -> float:
    """Share of rows whose label is right. Range [0, 1]. Source: scikit-learn `accuracy_score`."""
    return float(sk.accuracy_score(judged.truth, judged.labels))


def brier_score(judged: Answers) -> float:
    """Mean squared difference of probability and outcome; two classes: of the positive one, in [0, 1].

    Several classes: summed over them, in [0, 2]. Source: Brier, Monthly Weather Review 78 (1950); scikit-learn
    `brier_score_loss`.
    """
    probabilities = _known(judged)
    if probabilities.shape[1] == 2:
        positive = judged.truth == judged.positive
        return float(sk.brier_score_loss(positive, probabilities[:, judged.positive], pos_label=True))
    classes = np.arange(probabilities.shape[1])
    return float(sk.brier_score_loss(judged.truth, probabilities, labels=classes, scale_by_half=False))


def log_loss(judged: Answers) -> float:
    """Mean negative logarithm (natural, in nats) of the probability of what happened.

    Source: Good, Journal of the Royal Statistical Society B 14 (1952); scikit-learn `log_loss`, which keeps
    probabilities off 0 by the machine's epsilon.
    """
    probabilities = _known(judged)
    return float(sk.log_loss(judged.truth, probabilities, labels=np.arange(probabilities.shape[1])))


def calibration_error(judged: Answers) -> float:
    """How far the probability of the positive class is from the share of positives: over bins, weighted by their rows.

    The bins are twentieths of the probability, and a bin's middle stands for the probabilities in it, as in the metric
    that is monitored while a version serves. Two classes only. Range [0, 0.975]. Source: Naeini, Cooper and Hauskrecht,
    AAAI 29 (2015), the expected calibration error.
    """
    bins, beyond = miscalibration(judged)
    return float(np.abs(np.bincount(bins, beyond, CALIBRATION_BINS)).sum() / len(bins))


def miscalibration(judged: Answers) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return each row's bin of the calibration error, and what it adds to it: its outcome less the bin's middle."""
    probabilities = _known(judged)
    if probabilities.shape[1] != 2:
        raise UndefinedMetricError("calibration_error needs two classes.")
    scores = probabilities[:, judged.positive]
    bins = np.clip((scores * CALIBRATION_BINS).astype(np.int64), 0, CALIBRATION_BINS - 1)
    return bins, (judged.truth == judged.positive) - (2 * bins + 1) / (2 * CALIBRATION_BINS)


def mae(judged: Answers) -> float:
    """Mean absolute difference, in the target's unit. Source: scikit-learn `mean_absolute_error`."""
    return float(sk.mean_absolute_error(judged.truth, judged.labels))


def rmse(judged: Answers) -> float:
    """Root of the mean squared difference, in the target's unit. Source: scikit-learn `root_mean_squared_error`."""
    return float(sk.root_mean_squared_error(judged.truth, judged.labels))


CLASSIFICATION: Mapping[str, Callable[[Answers], float]] = {
    "roc_auc": roc_auc,
    "accuracy": accuracy,
    "brier_score": brier_score,
    "log_loss": log_loss,
    "calibration_error": calibration_error,
}
REGRESSION: Mapping[str, Callable[[Answers], float]] = {"mae": mae, "rmse": rmse}
NEED_PROBABILITIES = frozenset({"roc_auc", "brier_score", "log_loss", "calibration_error"})
# Of all others less is better.
MAXIMIZED = frozenset({"roc_auc", "accuracy"})


def _known(judged: Answers) -> NDArray[np.float64]:
    """Return the probabilities, of rows that all have a class the model knows."""
    if judged.probabilities is None or (judged.truth < 0).any():
        raise UndefinedMetricError("The rows have labels that the model does not know.")
    return judged.probabilities
