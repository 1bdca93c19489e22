"""Metrics of a classification by its labels. A row of a class that the model does not know counts as wrong."""

from typing import Any

import numpy as np
import sklearn.metrics as sk
from numpy.typing import NDArray

from steadfit_trainer.metrics.answers import Answers, Floats, OfResamples, UndefinedMetricError


def accuracy(answers: Answers) -> float:
    """Share of rows whose label is right. Range [0, 1]. Source: scikit-learn `accuracy_score`."""
    return float(sk.accuracy_score(answers.truth, _predicted(answers)))


def right(answers: Answers) -> NDArray[np.bool_]:
    """Return which rows have the right label."""
    return np.asarray(answers.truth == _predicted(answers))


def f1(answers: Answers) -> float:
    """Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN), of the positive class. Range [0, 1].

    Several classes: the unweighted mean over the classes that occur among the true or the predicted labels (`macro`).
    Source: van Rijsbergen, Information Retrieval (1979), chapter 7; scikit-learn `f1_score`.
    """
    if answers.classes != 2:
        occur = np.unique(np.concatenate([answers.truth, answers.labels]))
        return float(sk.f1_score(answers.truth, _predicted(answers), labels=occur, average="macro", zero_division=0))
    positive, predicted = answers.truth == answers.positive, answers.labels == answers.positive
    if not positive.any():
        raise UndefinedMetricError("f1 needs rows of the positive class.")
    return float(sk.f1_score(positive, predicted))


def f1_of_resamples(answers: Answers) -> OfResamples:
    """Return F1 for many resamples."""
    if answers.classes == 2:
        truth, predicted = answers.truth == answers.positive, answers.labels == answers.positive
        hits, positives = (truth & predicted).astype(np.float64), truth.astype(np.float64)

        def of_positive_class(weights: Floats) -> Floats:
            true = weights @ positives
            return np.where(true > 0, _ratio(2 * weights @ hits, true + weights @ predicted), np.nan)

        return of_positive_class
    labels, places = np.unique(np.concatenate([answers.truth, answers.labels]), return_inverse=True)
    true, predicted_as = places[: len(answers.truth)], places[len(answers.truth) :]

    def macro(weights: Floats) -> Floats:
        hits = _by_class(weights * right(answers), true, len(labels))
        occurs = _by_class(weights, true, len(labels)) + _by_class(weights, predicted_as, len(labels))
        return np.asarray(np.nanmean(_ratio(2 * hits, occurs), axis=1))

    return macro


def balanced_accuracy(answers: Answers) -> float:
    """Mean over the classes of the share of their rows whose label is right: the recall. Range [0, 1].

    A class without a row is left out; one class alone has nothing to be balanced with.
    Source: Brodersen, Ong, Stephan and Buhmann, ICPR 20 (2010); scikit-learn `balanced_accuracy_score`.
    """
    present = np.unique(answers.truth)
    if len(present) < 2:
        raise UndefinedMetricError("balanced_accuracy needs rows of two classes.")
    # The same number as `balanced_accuracy_score`, which warns of every class that is only predicted.
    return float(sk.recall_score(answers.truth, _predicted(answers), labels=present, average="macro"))


def balanced_accuracy_of_resamples(answers: Answers) -> OfResamples:
    """Return the balanced accuracy for many resamples."""
    labels, places = np.unique(answers.truth, return_inverse=True)
    hit = right(answers)

    def balanced(weights: Floats) -> Floats:
        rows = _by_class(weights, places, len(labels))
        recalls = _ratio(_by_class(weights * hit, places, len(labels)), rows)
        return np.where((rows > 0).sum(axis=1) < 2, np.nan, np.nanmean(recalls, axis=1))

    return balanced


def _predicted(answers: Answers) -> NDArray[Any]:
    """Return the labels, with -2 for one that the model has no class for: it is right about no row, not even of -1."""
    return np.where(answers.labels < 0, -2, answers.labels)


def _by_class(weights: Floats, places: NDArray[np.int64], classes: int) -> Floats:
    """Return the weight of each class in each resample: shape [resamples, classes]."""
    return np.stack([np.bincount(places, each, classes) for each in weights])


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Return quotients; NaN where the denominator is 0."""
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)
