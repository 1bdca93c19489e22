"""Adapter of the artifact package's model to the server: predictions as tensors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from steadfit_artifact.errors import ColumnError, ModelError
from steadfit_artifact.prediction import Label, Model, Prediction

from steadfit_server.model import odd_input
from steadfit_server.model.interface import Output, zeros
from steadfit_server.protocol.errors import InvalidInputError
from steadfit_server.protocol.inference_request import InputFeature

# Datatypes of the protocol by the kind of a numpy array; other kinds are objects and strings (BYTES).
_DATATYPES = {"b": "BOOL", "i": "INT64", "u": "UINT64", "f": "FP64"}


class ArtifactModel:
    """A loaded model whose predictions are tensors.

    Parameters
    ----------
    model : Model
        The model.
    example : Mapping[str, NDArray[Any]], optional
        A row of its training data, as columns of shape [1]; zeros and first categories for an artifact without one.

    Raises
    ------
    ModelError
        The model fails on its example.
    """

    def __init__(self, model: Model, example: Mapping[str, NDArray[Any]] | None = None) -> None:
        self._model = model
        self.classes: tuple[Label, ...] | None = model.classes
        self._example = example or zeros(model.features, 1)
        which = "its example" if example else "an example row of zeros and first categories"
        try:
            outputs = _tensors(model.predict(self._example))
        except (ColumnError, ModelError) as error:
            raise ModelError(f"The model fails on {which}: {error}") from error
        self.output_tensors: Sequence[Mapping[str, Any]] = [
            {"name": each.name, "datatype": each.datatype, "shape": [-1, *each.shape[1:]]} for each in outputs
        ]

    @property
    def features(self) -> Sequence[InputFeature]:
        """The model's inputs."""
        return self._model.features

    @property
    def format(self) -> str:
        """The artifact's format."""
        return self._model.format

    def example(self, rows: int) -> Mapping[str, NDArray[Any]]:
        """Return columns of shape [rows] that the model can predict."""
        return {name: np.repeat(values, rows) for name, values in self._example.items()}

    def predict(self, columns: Mapping[str, NDArray[Any]]) -> Sequence[Output]:
        """Return `label` and `probabilities` of a classification, or `prediction` of a regression.

        Called from two threads at once, which every format allows: `predict` has no side effects.

        Raises
        ------
        InvalidInputError
            The model can't predict a row; the message names the input.
        Exception
            What the model raises, if it fails on its example too.
        """
        try:
            return _tensors(self._model.predict(columns))
        except ColumnError as error:
            raise InvalidInputError(f"Input {error}") from error
        except Exception as error:
            odd = odd_input.blame(self._works, columns, self._example)
            if odd is None:
                raise
            raise odd from error

    def _works(self, columns: Mapping[str, NDArray[Any]]) -> bool:
        try:
            _tensors(self._model.predict(columns))
        except Exception:
            return False
        return True


def _tensors(prediction: Prediction) -> list[Output]:
    labels, probabilities = prediction.labels, prediction.probabilities
    regression = probabilities is None and prediction.classes is None and labels.dtype.kind == "f"
    _require_finite(labels if regression else probabilities)
    datatype = _DATATYPES.get(labels.dtype.kind, "BYTES")
    data = labels.tolist() if datatype == "BYTES" else labels
    outputs = [Output("prediction" if regression else "label", datatype, [len(labels)], data)]
    if probabilities is not None:
        classes = {"classes": list(prediction.classes)} if prediction.classes is not None else None
        outputs.append(Output("probabilities", "FP32", list(probabilities.shape), probabilities.ravel(), classes))
    return outputs


def _require_finite(values: NDArray[Any] | None) -> None:
    """Raise ModelError for NaN and infinity, which JSON can't express; null would look like a prediction."""
    if values is not None and not np.isfinite(values).all():
        raise ModelError("The model's answer is not a finite number.")
