"""Metrics of a classification by its probabilities."""

from collections.abc import Sequence

import numpy as np
import sklearn.metrics as sk
from numpy.typing import NDArray

from steadfit_trainer.metrics.answers import (
    Answers,
    Floats,
    OfResamples,
    UndefinedMetricError,
    known_probabilities,
    mean_of,
)

CALIBRATION_BINS = 20


def roc_auc(answers: Answers) -> float:
    """Area under the ROC curve: the chance that a positive row scores above a negative one, ties counting half.

    Several classes: one against the rest, weighted by the class's share. Range [0, 1].
    Source: Hanley and McNeil, Radiology 143 (1982); Fawcett, Pattern Recognition Letters 27 (2006) for the classes;
    scikit-learn `roc_auc_score`.
    """
    probabilities = known_probabilities(answers)
    if len(np.unique(answers.truth)) < answers.classes:
        raise UndefinedMetricError("roc_auc needs every class in the rows.")
    if answers.classes == 2:
        return float(sk.roc_auc_score(answers.truth == answers.positive, probabilities[:, answers.positive]))
    return float(sk.roc_auc_score(answers.truth, probabilities, multi_class="ovr", average="weighted"))


def roc_auc_of_resamples(answers: Answers) -> OfResamples:
    """Return the area under the ROC curve for many resamples."""
    each = [_binary_auc(truth, scores) for truth, scores in _one_against_the_rest(answers)]
    if answers.classes == 2:
        return each[0]

    def weighted(weights: Floats) -> Floats:
        total = np.zeros(len(weights))
        for index, auc in enumerate(each):
            total += weights @ (answers.truth == index).astype(np.float64) / len(answers.truth) * auc(weights)
        return total

    return weighted


def average_precision(answers: Answers) -> float:
    """Precision at each score, weighted by the recall that is gained there: the area under the precision-recall curve.

    Not interpolated. Several classes: one against the rest, the unweighted mean (`macro`). Range [0, 1]; a model
    without skill has the share of positives. Source: Boyd, Eng and Page, ECML PKDD 2013, LNCS 8190; scikit-learn
    `average_precision_score`.
    """
    probabilities = known_probabilities(answers)
    if answers.classes == 2:
        positive = answers.truth == answers.positive
        if not positive.any():
            raise UndefinedMetricError("average_precision needs rows of the positive class.")
        return float(sk.average_precision_score(positive, probabilities[:, answers.positive]))
    if len(np.unique(answers.truth)) < answers.classes:
        raise UndefinedMetricError("average_precision needs every class in the rows.")
    return float(sk.average_precision_score(np.eye(answers.classes)[answers.truth], probabilities, average="macro"))


def average_precision_of_resamples(answers: Answers) -> OfResamples:
    """Return the average precision for many resamples."""
    each = [_binary_average_precision(truth, scores) for truth, scores in _one_against_the_rest(answers)]
    return lambda weights: np.asarray(sum(one(weights) for one in each) / len(each))


def brier_score(answers: Answers) -> float:
    """Mean squared difference of probability and outcome; two classes: of the positive one, in [0, 1].

    Several classes: summed over them, in [0, 2]. Source: Brier, Monthly Weather Review 78 (1950); scikit-learn
    `brier_score_loss`.
    """
    probabilities = known_probabilities(answers)
    if answers.classes == 2:
        positive = answers.truth == answers.positive
        return float(sk.brier_score_loss(positive, probabilities[:, answers.positive], pos_label=True))
    classes = np.arange(answers.classes)
    return float(sk.brier_score_loss(answers.truth, probabilities, labels=classes, scale_by_half=False))


def brier_score_of_resamples(answers: Answers) -> OfResamples:
    """Return the Brier score for many resamples."""
    probabilities = known_probabilities(answers)
    if answers.classes == 2:
        return mean_of((probabilities[:, answers.positive] - (answers.truth == answers.positive)) ** 2)
    return mean_of(((probabilities - np.eye(answers.classes)[answers.truth]) ** 2).sum(axis=1))


def log_loss(answers: Answers) -> float:
    """Mean negative logarithm (natural, in nats) of the probability of what happened.

    Source: Good, Journal of the Royal Statistical Society B 14 (1952); scikit-learn `log_loss`, which keeps
    probabilities off 0 by the machine's epsilon.
    """
    probabilities = known_probabilities(answers)
    return float(sk.log_loss(answers.truth, probabilities, labels=np.arange(answers.classes)))


def log_loss_of_resamples(answers: Answers) -> OfResamples:
    """Return the log loss for many resamples."""
    happened = known_probabilities(answers)[np.arange(len(answers.truth)), answers.truth]
    return mean_of(-np.log(np.maximum(happened, np.finfo(np.float64).eps)))


def calibration_error(answers: Answers) -> float:
    """Distance of the probability of the positive class from the share of positives: over bins, weighted by their rows.

    The bins are twentieths of the probability, and a bin's middle stands for the probabilities in it, as in the metric
    that is monitored while a version serves. Two classes only. Range [0, 0.975]. Source: Naeini, Cooper and Hauskrecht,
    AAAI 29 (2015), the expected calibration error.
    """
    bins, beyond = miscalibration(answers)
    return float(np.abs(np.bincount(bins, beyond, CALIBRATION_BINS)).sum() / len(bins))


def calibration_error_of_resamples(answers: Answers) -> OfResamples:
    """Return the calibration error for many resamples."""
    bins, beyond = miscalibration(answers)
    # A bin without rows adds nothing.
    each = np.zeros((len(bins), CALIBRATION_BINS))
    each[np.arange(len(bins)), bins] = beyond
    return lambda weights: np.asarray(np.abs(weights @ each).sum(axis=1) / len(bins))


def miscalibration(answers: Answers) -> tuple[NDArray[np.int64], Floats]:
    """Return each row's bin of the calibration error, and what it adds to it: its outcome less the bin's middle."""
    probabilities = known_probabilities(answers)
    if answers.classes != 2:
        raise UndefinedMetricError("calibration_error needs two classes.")
    scores = probabilities[:, answers.positive]
    bins = np.clip((scores * CALIBRATION_BINS).astype(np.int64), 0, CALIBRATION_BINS - 1)
    return bins, (answers.truth == answers.positive) - (2 * bins + 1) / (2 * CALIBRATION_BINS)


def _one_against_the_rest(answers: Answers) -> Sequence[tuple[NDArray[np.bool_], Floats]]:
    """Return, for each class, which rows have it and its probability; of two classes the positive one alone."""
    probabilities = known_probabilities(answers)
    classes = [answers.positive] if answers.classes == 2 else range(answers.classes)
    return [(answers.truth == index, probabilities[:, index]) for index in classes]


def _binary_auc(truth: NDArray[np.bool_], scores: Floats) -> OfResamples:
    """Return the AUC as the Mann-Whitney statistic over rows in the order of their scores, ties counting half."""
    order, groups = _ties(scores)
    positive = truth[order].astype(np.float64)

    def auc(weights: Floats) -> Floats:
        drawn = weights[:, order]
        ups = np.add.reduceat(drawn * positive, groups, axis=1)
        downs = np.add.reduceat(drawn, groups, axis=1) - ups
        below = np.cumsum(downs, axis=1) - downs / 2
        positives, negatives = ups.sum(axis=1), downs.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((ups * below).sum(axis=1) / (positives * negatives))

    return auc


def _binary_average_precision(truth: NDArray[np.bool_], scores: Floats) -> OfResamples:
    """Return the average precision over rows from the largest score to the smallest; rows of one score come at once."""
    order, groups = _ties(-scores)
    positive = truth[order].astype(np.float64)

    def average(weights: Floats) -> Floats:
        drawn = weights[:, order]
        ups = np.add.reduceat(drawn * positive, groups, axis=1)
        rows = np.cumsum(np.add.reduceat(drawn, groups, axis=1), axis=1)
        # Before the first row that was drawn there is no precision, and no recall is gained either.
        precision = np.cumsum(ups, axis=1) / np.maximum(rows, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((ups * precision).sum(axis=1) / ups.sum(axis=1))

    return average


def _ties(scores: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order of rows by rising scores, and where in it each group of equal scores begins."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    return order, np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
