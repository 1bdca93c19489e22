"""How good the year was: the answers that were given, beside those of two models that nobody watched.

`never` is the first version, for the whole year. `monthly` is trained anew at the beginning of every month on the two
months before, and takes over at once, whatever it is worth. Both are asked about the very same flights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

WITHIN = 0.005
"""By how much the loop's mean AUC may be below that of retraining every month."""

Scores = NDArray[np.float64]
Curve = dict[int, float]
"""The area under the ROC curve of each month."""


class Answers(NamedTuple):
    """What was answered about a month's flights: the row, the score and the number of the version, in any order."""

    row: NDArray[np.int64]
    score: Scores
    version: NDArray[np.int64]


def curves(
    answers: Mapping[int, Answers],
    outcomes: Mapping[int, NDArray[np.int64]],
    others: Mapping[str, Mapping[int, Scores]],
) -> dict[str, Curve]:
    """Return the curve of what was answered (`live`), and of each other model on the same flights.

    Parameters
    ----------
    answers
        Of each month that was played.
    outcomes
        Of all flights of each month, by row.
    others
        By name, each model's scores of all flights of each month, by row.
    """
    found: dict[str, Curve] = {name: {} for name in ("live", *others)}
    for month, given in answers.items():
        late = outcomes[month][given.row]
        found["live"][month] = float(roc_auc_score(late, given.score))
        for name, scores in others.items():
            found[name][month] = float(roc_auc_score(late, scores[month][given.row]))
    return found


def summary(found: Mapping[str, Curve], runs: Mapping[str, int]) -> dict[str, Any]:
    """Return what the report says of the year."""
    return {
        "auc": {name: round(float(np.mean(list(curve.values()))), 4) for name, curve in found.items()},
        "runs": dict(runs),
        "months": {name: {str(month): round(auc, 4) for month, auc in curve.items()} for name, curve in found.items()},
    }


def shortfalls(said: Mapping[str, Any]) -> list[str]:
    """Return what the year does not keep of its promises, each as a sentence."""
    auc, runs = said["auc"], said["runs"]
    wrong = []
    if auc["live"] <= auc["never"]:
        wrong.append(f"the loop's mean AUC {auc['live']} is not above {auc['never']}, that of never retraining")
    if auc["live"] < auc["monthly"] - WITHIN:
        wrong.append(
            f"the loop's mean AUC {auc['live']} is more than {WITHIN} below {auc['monthly']}, that of every month"
        )
    if runs["live"] >= runs["monthly"]:
        wrong.append(f"the loop took {runs['live']} runs, and retraining every month takes {runs['monthly']}")
    return wrong
