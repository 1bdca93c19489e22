"""The protocol of a served model, its output tensors, and inputs for a model without an example."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from steadfit_server.protocol.inference_request import InputFeature
from steadfit_server.protocol.tensors import DTYPES


@dataclass(frozen=True)
class Output:
    """One output tensor.

    Attributes
    ----------
    name : str
        `label`, `prediction` or `probabilities`.
    datatype : str
        Datatype of the Open Inference Protocol.
    shape : list[int]
        Shape: [rows] or [rows, classes].
    data : list[Any] | NDArray[Any]
        The elements in row-major order.
    parameters : Mapping[str, Any], optional
        Further facts about the tensor, e.g. the classes of the columns.
    """

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | NDArray[Any]
    parameters: Mapping[str, Any] | None = None

    def document(self, binary_size: int | None = None) -> dict[str, Any]:
        """Return the tensor as the protocol's JSON object; with a size, its data are so many bytes behind the JSON."""
        document: dict[str, Any] = {"name": self.name, "datatype": self.datatype, "shape": self.shape}
        parameters = dict(self.parameters or {})
        if binary_size is None:
            document["data"] = self.data
        else:
            parameters["binary_data_size"] = binary_size
        if parameters:
            document["parameters"] = parameters
        return document


class ServedModel(Protocol):
    """A loaded model as the server uses it."""

    @property
    def features(self) -> Sequence[InputFeature]:
        """The model's inputs."""

    @property
    def output_tensors(self) -> Sequence[Mapping[str, Any]]:
        """Name, datatype and shape of each output (-1 = rows), for the model's metadata."""

    @property
    def format(self) -> str:
        """Name of the artifact's format, e.g. `onnx`."""

    def example(self, rows: int) -> Mapping[str, NDArray[Any]]:
        """Return columns of shape [rows] that the model can predict."""

    def predict(self, columns: Mapping[str, NDArray[Any]]) -> Sequence[Output]:
        """Return the outputs for columns of shape [rows]; raises InvalidInputError for rows it can't predict."""


def zeros(features: Sequence[InputFeature], rows: int) -> dict[str, NDArray[Any]]:
    """Return columns of 0, false and the first category, as an example for a model that comes without one."""
    columns = {}
    for feature in features:
        value = (feature.categories or ("",))[0] if feature.datatype == "BYTES" else 0
        columns[feature.name] = np.full(rows, value, dtype=DTYPES[feature.datatype])
    return columns
