"""Parses the body of an inference request (Open Inference Protocol V2, REST) into the model's columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from numpy.typing import NDArray

from steadfit_server.protocol import binary_data
from steadfit_server.protocol.errors import InvalidInputError, quoted
from steadfit_server.protocol.tensors import DTYPES, NUMERIC, WITHOUT_TEXT, column, flat


class InputFeature(Protocol):
    """An input of the model, as in its signature."""

    @property
    def name(self) -> str:
        """Name of the input tensor."""

    @property
    def datatype(self) -> str:
        """Datatype of the protocol, e.g. FP64, INT64, BOOL or BYTES."""

    @property
    def categories(self) -> Sequence[str] | None:
        """The known values of a text input, or None."""


@dataclass(frozen=True)
class InferRequest:
    """A valid inference request.

    Attributes
    ----------
    columns : Mapping[str, NDArray[Any]]
        One array of shape [rows] for each feature of the signature.
    rows : int
        Number of rows, at least 1.
    id : str | None
        The caller's id, echoed in the answer.
    outputs : tuple[str, ...] | None
        Names of the requested outputs; None is all.
    binary : Mapping[str, bool]
        Whether an output is to be bytes behind the JSON, by the names of those that say so.
    all_binary : bool
        Whether the others are.
    """

    columns: Mapping[str, NDArray[Any]]
    rows: int
    id: str | None
    outputs: tuple[str, ...] | None
    binary: Mapping[str, bool] = field(default_factory=dict)
    all_binary: bool = False

    def is_binary(self, output: str) -> bool:
        """Return whether an output is to be bytes behind the JSON."""
        return self.binary.get(output, self.all_binary)


def parse(body: bytes, json_size: int, features: Sequence[InputFeature], max_rows: int) -> InferRequest:
    """Parse an inference request.

    Parameters
    ----------
    body : bytes
        The JSON text as received, with the binary data of its tensors behind it.
    json_size : int
        Length of the JSON text in bytes.
    features : Sequence[InputFeature]
        The model's inputs.
    max_rows : int
        Most rows that one request may have.

    Raises
    ------
    InvalidInputError
        The request does not fit; the message names the field.
    """
    try:
        document = orjson.loads(memoryview(body)[:json_size])
    except orjson.JSONDecodeError as error:
        raise InvalidInputError(f"The body is not valid JSON: {error}.") from None
    if not isinstance(document, dict):
        raise InvalidInputError("The body must be a JSON object with a list 'inputs'.")
    request_id = document.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise InvalidInputError("'id' must be a string.")
    tensors = _named(document.get("inputs"), "inputs")
    if not tensors:
        raise InvalidInputError("'inputs' is empty; the model takes " + _listed(features) + ".")
    outputs = _named(document["outputs"], "outputs") if document.get("outputs") else {}
    binary_data.attach(tensors, memoryview(body)[json_size:])
    columns = _matrix(tensors, features, max_rows) or _columns(tensors, features, max_rows)
    return InferRequest(
        columns,
        len(next(iter(columns.values()))),
        request_id,
        tuple(outputs) or None,
        {name: asked for name, entry in outputs.items() if (asked := _flag(entry, "binary_data")) is not None},
        bool(_flag(document, "binary_data_output")),
    )


def _flag(entry: Mapping[str, Any], name: str) -> bool | None:
    """Return a parameter that is true or false; None if it is absent."""
    parameters = entry.get("parameters")
    value = parameters.get(name) if isinstance(parameters, dict) else None
    if value is not None and not isinstance(value, bool):
        raise InvalidInputError(f"The parameter '{name}' must be true or false.")
    return value


def _named(entries: object, field: str) -> dict[str, dict[str, Any]]:
    """Return the objects of a list by their `name`."""
    if not isinstance(entries, list):
        raise InvalidInputError(f"'{field}' must be a list of objects with a name.")
    named: dict[str, dict[str, Any]] = {}
    for index, entry in enumerate(entries):
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            raise InvalidInputError(f"{field}[{index}] must be an object with a 'name'.")
        if name in named:
            raise InvalidInputError(f"'{field}' names {quoted(name)} twice.")
        named[name] = entry
    return named


def _columns(
    tensors: Mapping[str, dict[str, Any]], features: Sequence[InputFeature], max_rows: int
) -> dict[str, NDArray[Any]]:
    """Return the columns of a request with one tensor for each feature, in any order."""
    known = {feature.name for feature in features}
    for name in tensors:
        if name not in known:
            raise InvalidInputError(f"Unknown input {quoted(name)}; the model takes {_listed(features)}.")
    columns: dict[str, NDArray[Any]] = {}
    first: str | None = None
    for feature in features:
        tensor = tensors.get(feature.name)
        if tensor is None:
            raise InvalidInputError(f"Input '{feature.name}' is missing; the model takes {_listed(features)}.")
        where = f"Input '{feature.name}'"
        shape = _shape(where, tensor, max_rows)
        if shape[1:] not in ([], [1]):
            raise InvalidInputError(f"{where}: shape must be [n] or [n, 1], not {shape}.")
        _check_datatype(where, tensor.get("datatype"), feature.datatype)
        columns[feature.name] = column(where, flat(where, tensor, shape), tensor["datatype"], feature.datatype)
        if first is None:
            first = feature.name
        elif len(columns[feature.name]) != len(columns[first]):
            raise InvalidInputError(f"{where} has {shape[0]} rows, but '{first}' has {len(columns[first])}.")
    return columns


def _matrix(
    tensors: Mapping[str, dict[str, Any]], features: Sequence[InputFeature], max_rows: int
) -> dict[str, NDArray[Any]] | None:
    """Return the columns of a request with one numeric tensor [n, f], whose columns are in the signature's order.

    Returns None if the request does not have this form.
    """
    if len(tensors) != 1:
        return None
    name, tensor = next(iter(tensors.items()))
    given = tensor.get("shape")
    if not isinstance(given, list) or len(given) != 2 or (name == features[0].name and len(features) == 1):
        return None
    where = f"Input {quoted(name)}"
    shape = _shape(where, tensor, max_rows)
    if shape[1] != len(features):
        raise InvalidInputError(
            f"{where}: shape {shape} has {shape[1]} columns, but the model takes {len(features)}: {_listed(features)}."
        )
    text = [feature.name for feature in features if feature.datatype not in WITHOUT_TEXT]
    if text:
        raise InvalidInputError(f"{where}: '{text[0]}' is not a number; send one tensor for each input.")
    if tensor.get("datatype") not in NUMERIC:
        raise InvalidInputError(f"{where}: datatype {quoted(tensor.get('datatype'))} is not numeric.")
    values, step, given = flat(where, tensor, shape), len(features), tensor["datatype"]
    return {
        feature.name: column(f"{where}, column '{feature.name}'", values[index::step], given, feature.datatype)
        for index, feature in enumerate(features)
    }


def _shape(where: str, tensor: Mapping[str, Any], max_rows: int) -> list[int]:
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not shape or any(type(size) is not int or size < 1 for size in shape):
        raise InvalidInputError(f"{where}: 'shape' must be a list of whole numbers of at least 1.")
    if len(shape) > 2:
        raise InvalidInputError(f"{where}: shape must be [n] or [n, 1], not of rank {len(shape)}.")
    if shape[0] > max_rows:
        raise InvalidInputError(f"{where} has {shape[0]} rows; this server takes at most {max_rows} in one request.")
    return shape


def _check_datatype(where: str, given: object, expected: str) -> None:
    """Refuse a datatype of another kind; numbers of any width and booleans are accepted, and each value is checked."""
    if given == expected or (given in WITHOUT_TEXT and expected in WITHOUT_TEXT):
        return
    if given is None:
        raise InvalidInputError(f"{where}: 'datatype' is missing; the model takes {expected}.")
    known = isinstance(given, str) and given in DTYPES
    raise InvalidInputError(
        f"{where}: datatype {quoted(given)} {'does not fit' if known else 'is unknown'}; the model takes {expected}."
    )


def _listed(features: Sequence[InputFeature]) -> str:
    """Return the inputs for a message, truncated if there are many."""
    names = [f"'{feature.name}' ({feature.datatype})" for feature in features[:20]]
    return ", ".join(names) + (f" and {len(features) - 20} more" if len(features) > 20 else "")
