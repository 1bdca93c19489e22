"""A model's answers beside the true values: what every metric is computed from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
OfResamples = Callable[[Floats], Floats]
"""Computes a metric for many resamples at once, from how often each row was drawn: shape [resamples, rows], whose sums
over the rows are all the number of rows. Returns shape [resamples], NaN where the metric has no value."""


@dataclass(frozen=True)
class Answers:
    """A model's answers beside the truth.

    Attributes
    ----------
    truth : NDArray[Any]
        Shape [rows]; for a classification the index of each row's class (-1 for a class that the model does not know),
        for a regression the value.
    labels : NDArray[Any]
        Shape [rows]; the same of the model's answers.
    probabilities : Floats | None
        Shape [rows, classes], or None.
    positive : int
        Index of the positive class of a binary classification.
    classes : int
        How many classes the model knows; 0 for a regression.
    """

    truth: NDArray[Any]
    labels: NDArray[Any]
    probabilities: Floats | None
    positive: int
    classes: int


class UndefinedMetricError(Exception):
    """The metric has no value on these rows; the message is a sentence."""


def known_probabilities(answers: Answers) -> Floats:
    """Return the probabilities.

    Raises
    ------
    UndefinedMetricError
        If there are none, or a row has a class that the model does not know.
    """
    if answers.probabilities is None or (answers.truth < 0).any():
        raise UndefinedMetricError("The rows have labels that the model does not know.")
    return answers.probabilities


def mean_of(errors: NDArray[Any]) -> OfResamples:
    """Return the mean of one number a row, for many resamples."""
    exact = errors.astype(np.float64)
    return lambda weights: weights @ exact / len(exact)
