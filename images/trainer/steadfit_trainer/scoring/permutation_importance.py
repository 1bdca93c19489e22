"""Permutation importance of the features, on the holdout.

The importance of a feature is the increase of the loss when its values are shuffled among the rows (Breiman, Machine
Learning 45 (2001), section 10; Fisher, Rudin and Dominici, JMLR 20 (2019)). The loss is a proper one and does not
depend on the recipe's metrics: the Brier score where there are probabilities, else the share of wrong labels, or the
squared error.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from steadfit_artifact.model import Model, Prediction

from steadfit_trainer.data import labels
from steadfit_trainer.metrics.answers import Answers
from steadfit_trainer.scoring import score

MAX_ROWS = 5000
MIN_ROWS = 200
# Rows times features that are predicted: a wide model gets fewer rows, so that publishing does not take minutes.
MAX_PREDICTIONS = 400_000


def importances(
    model: Model, columns: Mapping[str, NDArray[Any]], answers: Answers, classes: tuple[Any, ...] | None, seed: int
) -> list[float]:
    """Return the share of each feature in the signature's order: at least 0, together 1, all equal if none can be told.

    Parameters
    ----------
    model : Model
        What is asked.
    columns : Mapping[str, NDArray[Any]]
        The holdout.
    answers : Answers
        The model's, to all of its rows.
    classes : tuple[Any, ...] | None
        Of the columns of the probabilities; None for a regression.
    seed : int
        Of all randomness; the same inputs give the same shares.
    """
    known = np.flatnonzero(answers.truth >= 0) if classes is not None else np.arange(len(answers.truth))
    rows = min(MAX_ROWS, max(MIN_ROWS, MAX_PREDICTIONS // len(model.features)))
    if len(known) > rows:
        known = np.sort(np.random.default_rng(seed).choice(known, rows, replace=False))
    if len(known) == 0:
        return [1 / len(model.features)] * len(model.features)
    few = {name: column[known] for name, column in columns.items()}
    truth = answers.truth[known]
    before = _loss(score.predict(model, few, len(known)), truth, classes)
    lost = []
    for index, feature in enumerate(model.features):
        order = np.random.default_rng([seed, index]).permutation(len(known))
        shuffled = score.predict(model, {**few, feature.name: few[feature.name][order]}, len(known))
        lost.append(max(0.0, _loss(shuffled, truth, classes) - before))
    total = sum(lost)
    return [value / total if 0 < total < np.inf else 1 / len(lost) for value in lost]


def _loss(prediction: Prediction, truth: NDArray[Any], classes: tuple[Any, ...] | None) -> float:
    if classes is None:
        return float(((prediction.labels - truth) ** 2).mean())
    if prediction.probabilities is None:
        return float((labels.indices(prediction.labels.tolist(), classes) != truth).mean())
    happened = np.eye(len(classes))[truth]
    return float(((prediction.probabilities.astype(np.float64) - happened) ** 2).sum(axis=1).mean())
