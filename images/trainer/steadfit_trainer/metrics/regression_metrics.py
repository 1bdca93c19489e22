"""Metrics of a regression."""

import numpy as np
import sklearn.metrics as sk

from steadfit_trainer.metrics.answers import Answers, Floats, OfResamples, UndefinedMetricError, mean_of

_CONSTANT = 1e-10
"""A standard deviation of the targets below this share of the largest of them is rounding."""


def mae(answers: Answers) -> float:
    """Mean absolute difference, in the target's unit. Source: scikit-learn `mean_absolute_error`."""
    return float(sk.mean_absolute_error(answers.truth, answers.labels))


def mae_of_resamples(answers: Answers) -> OfResamples:
    """Return the mean absolute error for many resamples."""
    return mean_of(np.abs(answers.labels - answers.truth))


def rmse(answers: Answers) -> float:
    """Root of the mean squared difference, in the target's unit. Source: scikit-learn `root_mean_squared_error`."""
    return float(sk.root_mean_squared_error(answers.truth, answers.labels))


def rmse_of_resamples(answers: Answers) -> OfResamples:
    """Return the root mean squared error for many resamples."""
    squared = mean_of((answers.labels - answers.truth) ** 2)
    return lambda weights: np.sqrt(squared(weights))


def r2(answers: Answers) -> float:
    """Coefficient of determination: 1 less the squared errors as a share of those of the mean. Range (-inf, 1].

    0 is a model that always predicts the mean of these rows; a worse one is below 0. Source: Draper and Smith, Applied
    Regression Analysis (1998); scikit-learn `r2_score`.
    """
    centred = answers.truth - answers.truth.mean()
    if not (centred**2).sum() > _rounding(answers.truth):
        raise UndefinedMetricError("r2 needs targets that differ.")
    return float(sk.r2_score(answers.truth, answers.labels))


def r2_of_resamples(answers: Answers) -> OfResamples:
    """Return the coefficient of determination for many resamples, each against its own mean."""
    squared = (answers.labels - answers.truth) ** 2
    centred = answers.truth - answers.truth.mean()
    rounding = _rounding(answers.truth)

    def of_resamples(weights: Floats) -> Floats:
        means = weights @ centred / len(centred)
        total = np.einsum("sr,sr->s", weights, (centred - means[:, None]) ** 2)
        missed = np.divide(weights @ squared, total, out=np.full_like(total, np.nan), where=total > rounding)
        return np.asarray(1 - missed)

    return of_resamples


def _rounding(truth: Floats) -> float:
    """Return the sum of squared distances from the mean up to which targets differ by rounding alone."""
    return float((_CONSTANT * np.abs(truth).max()) ** 2 * len(truth))
