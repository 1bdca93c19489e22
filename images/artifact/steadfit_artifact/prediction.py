"""Predictions, the protocol of a loaded model, and checks that the formats share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steadfit_artifact.errors import ColumnError, ModelError
from steadfit_artifact.signature import Feature, Signature

Label = str | int | float | bool

# How far a probability may lie outside 0 to 1, and a row's sum from 1, by float32 rounding.
PROBABILITY_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Prediction:
    """The predictions for some rows.

    Attributes
    ----------
    labels : NDArray[Any]
        Shape [rows]: the class of each row, or the value if the model is a regression (float64).
    probabilities : NDArray[np.float32] | None
        Shape [rows, classes], or None where the model gives none.
    classes : tuple[Label, ...] | None
        Class of each column of `probabilities`, or None where it is not known.
    """

    labels: NDArray[Any]
    probabilities: NDArray[np.float32] | None
    classes: tuple[Label, ...] | None


class Model(Protocol):
    """A loaded model; `predict` has no side effects, so several threads may call it at once."""

    @property
    def format(self) -> str:
        """Name of the format it was loaded from, e.g. `onnx`."""

    @property
    def features(self) -> tuple[Feature, ...]:
        """The inputs in order."""

    @property
    def classes(self) -> tuple[Label, ...] | None:
        """The classes in the order of the probabilities, where known."""

    def predict(self, columns: Mapping[str, ArrayLike]) -> Prediction:
        """Predict rows, given as one column of shape [rows] for each feature.

        Numbers as numpy arrays, text as arrays of objects; missing is NaN or None.

        Raises
        ------
        ColumnError
            A column does not fit; `field` names it.
        ModelError
            The model returns an unknown shape.
        """


def values_of(name: str, values: NDArray[Any], rows: int) -> NDArray[np.float64]:
    """Return a regression's output as shape [rows].

    Raises
    ------
    ModelError
        The output has more than one value for a row.
    """
    if values.size != rows or values.shape[0] != rows:
        raise ModelError(
            f"Output '{name}' has shape {list(values.shape)} for {rows} rows: a regression gives one value for each "
            "row, and a classification needs classes.json to name the columns."
        )
    return values.reshape(rows).astype(np.float64)


def probabilities_of(name: str, values: NDArray[Any], rows: int, classes: int | None) -> NDArray[np.float32]:
    """Return probabilities as float32 of shape [rows, classes], without what rounding adds beyond 0 and 1.

    An ONNX forest adds up its trees in float32 and gives 1.0000001 and -1.2e-7, which metrics refuse. What is outside
    by more than the tolerance stays, and is no probability.

    Raises
    ------
    ModelError
        The output has another shape.
    """
    if values.ndim != 2 or values.shape[0] != rows or (classes is not None and values.shape[1] != classes):
        expected = classes if classes is not None else "classes"
        raise ModelError(
            f"Output '{name}' has shape {list(values.shape)} for {rows} rows instead of [{rows}, {expected}]."
        )
    found = values.astype(np.float32, copy=False)
    if found.size and (found.min() < 0 or found.max() > 1):
        inside = np.clip(found, 0, 1)
        found = np.where(np.abs(found - inside) <= PROBABILITY_TOLERANCE, inside, found)
    return found


def refuse_missing(signature: Signature, columns: Mapping[str, ArrayLike]) -> None:
    """Raise an error for the first feature with a missing value, after the model failed on one.

    Raises
    ------
    ColumnError
        A feature has a missing value; the function returns if there is none.
    """
    for feature in signature.features:
        encoded = signature.encoded(feature, columns)
        if np.isnan(encoded).any():
            row = int(np.isnan(encoded).argmax())
            what = "is missing or no known category" if feature.categories is not None else "is missing"
            raise ColumnError(feature.name, f"{what} in row {row}, and this model needs a value.")
