"""Comparison of the predictions of two formats of one model."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from steadfit_artifact.prediction import Prediction

# Differences of float32 arithmetic are below 1e-6 on the models that convert well.
TOLERANCE = 1e-4
# A threshold of a tree is rounded to 32 bits, so a row that lies exactly on it can fall on the other side.
SHARE = 0.99
SAMPLE_ROWS = 1000


@dataclass(frozen=True)
class Parity:
    """Difference between the predictions of two formats on a sample.

    Attributes
    ----------
    rows : int
        Size of the sample.
    agreeing : float
        Share of the rows that differ by at most the tolerance.
    max_difference : float
        Largest difference, of probabilities, or of values relative to the larger of 1 and the value.
    """

    rows: int
    agreeing: float
    max_difference: float

    @property
    def agrees(self) -> bool:
        """Whether the two formats are the same model."""
        return self.agreeing >= SHARE

    def document(self) -> dict[str, Any]:
        """Return the comparison as the JSON object of records."""
        return {
            "rows": self.rows,
            "agreeing": self.agreeing,
            "maxDifference": self.max_difference,
            "tolerance": TOLERANCE,
        }


def compare(one: Prediction, other: Prediction) -> Parity:
    """Compare two formats' predictions of the same rows: probabilities, else values, else labels."""
    if one.probabilities is not None and other.probabilities is not None:
        if one.probabilities.shape != other.probabilities.shape:
            return Parity(len(one.labels), 0.0, 1.0)
        difference = np.abs(one.probabilities.astype(np.float64) - other.probabilities).max(axis=1)
    elif one.labels.dtype.kind == other.labels.dtype.kind == "f":
        scale = np.maximum(1.0, np.abs(other.labels))
        difference = np.abs(one.labels - other.labels) / scale
    else:
        difference = (one.labels.astype(str) != other.labels.astype(str)).astype(np.float64)
    # NaN on one side counts as the largest difference.
    difference = np.where(np.isnan(difference), 1.0, difference)
    return Parity(len(difference), float((difference <= TOLERANCE).mean()), float(difference.max()))
