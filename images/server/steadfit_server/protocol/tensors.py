"""Converts a tensor of the Open Inference Protocol to a numpy array, with a check of every element.

numpy alone is not strict: it reads the string "1.5" as a number, True as 1, and truncates 1.5 to 1 for an integer
array. So the Python types of the JSON values are checked first. Numbers and booleans are taken for each other where
nothing is lost: what a client's data frame calls a column may change with one gap in it.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadfit_server.protocol import binary_data
from steadfit_server.protocol.errors import InvalidInputError

FLOATS = ("FP16", "FP32", "FP64")
INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
NUMERIC = (*FLOATS, *INTEGERS)
WITHOUT_TEXT = ("BOOL", *NUMERIC)
DTYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "BYTES": np.dtype(object),
    # JSON numbers are doubles; the model converts them to 32 bits and names a value that is too large.
    **dict.fromkeys(FLOATS, np.dtype(np.float64)),
    **{name: np.dtype(name.lower()) for name in INTEGERS},
}

# Types of JSON values that each kind of datatype accepts. null is a missing value of floats (NaN) and of text.
_ALLOWED: Mapping[str, frozenset[type]] = {
    "BOOL": frozenset({bool}),
    "BYTES": frozenset({str, type(None)}),
    **dict.fromkeys(FLOATS, frozenset({int, float, type(None)})),
    **dict.fromkeys(INTEGERS, frozenset({int, float})),
}
_TAKES = {"BOOL": "true or false", "BYTES": "strings", **dict.fromkeys(NUMERIC, "numbers")}
_JSON_NAMES = {str: "a string", bool: "a boolean", type(None): "null", list: "a list", dict: "an object"}


Elements = list[Any] | NDArray[Any]
"""Elements of a tensor: values of JSON, or an array of what was sent as bytes."""


def flat(where: str, tensor: Mapping[str, Any], shape: list[int]) -> Elements:
    """Return the elements in row-major order; the protocol allows `data` flat or nested as `shape` says.

    Raises
    ------
    InvalidInputError
        `data` is neither a list nor binary data, or does not fit `shape`.
    """
    data = tensor.get("data")
    rows, columns = shape[0], shape[1] if len(shape) == 2 else 1
    if isinstance(data, memoryview):
        return binary_data.decode(where, data, tensor["datatype"], rows * columns)
    if not isinstance(data, list):
        raise InvalidInputError(f"{where}: 'data' must be a list.")
    if len(shape) == 2 and data and isinstance(data[0], list):
        if len(data) != rows or any(not isinstance(row, list) or len(row) != columns for row in data):
            raise InvalidInputError(f"{where}: 'data' does not have shape {shape}.")
        return list(chain.from_iterable(data))
    if len(data) != rows * columns:
        values = "1 value does" if len(data) == 1 else f"{len(data)} values do"
        raise InvalidInputError(f"{where}: {values} not fill shape {shape}.")
    return data


def column(where: str, values: Elements, given: object, datatype: str) -> NDArray[Any]:
    """Return `values` as an array of shape [n], of the type that DTYPES has for `datatype`.

    Parameters
    ----------
    given : object
        The datatype that the caller names, of the same kind as `datatype`.

    Raises
    ------
    InvalidInputError
        An element has the wrong type or does not fit the datatype; the message names its row.
    """
    if isinstance(values, np.ndarray):
        return _converted(where, values, datatype)
    if "BOOL" in (given, datatype) and given != datatype:
        return _converted(where, column(where, values, given, str(given)), datatype)
    allowed = _ALLOWED[datatype]
    if not allowed.issuperset(map(type, values)):
        row = next(i for i, value in enumerate(values) if type(value) not in allowed)
        kind = _JSON_NAMES.get(type(values[row]), "a number")
        raise InvalidInputError(f"{where}: row {row} holds {kind}, but {datatype} takes {_TAKES[datatype]}.")
    dtype = DTYPES[datatype]
    if datatype in INTEGERS:
        return _integers(where, values, dtype, datatype)
    return np.array(values, dtype)


def _converted(where: str, values: NDArray[Any], datatype: str) -> NDArray[Any]:
    """Convert an array to the type of a datatype, if no element changes by that."""
    dtype = DTYPES[datatype]
    if datatype == "BYTES" or (values.dtype == dtype and datatype not in FLOATS):
        return values
    if datatype in FLOATS:
        fits = ~np.isinf(values)
        takes = "finite numbers"
    elif datatype == "BOOL":
        fits = (values == 0) | (values == 1)
        takes = "0 and 1"
    else:
        fits = values % 1 == 0 if values.dtype.kind == "f" else np.ones(len(values), np.bool_)
        # Compared as Python numbers, as numpy compares large integers of two types as doubles.
        limits, ends = np.iinfo(dtype), (int(values[fits].min(initial=0)), int(values[fits].max(initial=0)))
        if ends[0] < limits.min or ends[1] > limits.max:
            fits = np.array([limits.min <= value <= limits.max and value % 1 == 0 for value in values.tolist()])
        takes = "whole numbers in its range"
    if not fits.all():
        row = int((~fits).argmax())
        raise InvalidInputError(f"{where}: row {row} holds {values[row]}, but {datatype} takes {takes}.")
    return values.astype(dtype)


def _integers(where: str, values: list[Any], dtype: np.dtype[Any], datatype: str) -> NDArray[Any]:
    """Convert integers, also those written as 3.0: a client may send one matrix of floats."""
    limits = np.iinfo(dtype)
    if float in set(map(type, values)):
        fractions = np.array(values, dtype=np.float64) % 1 != 0
        if fractions.any():
            row = int(fractions.argmax())
            raise InvalidInputError(f"{where}: row {row} holds {values[row]}, but {datatype} takes whole numbers.")
    for bound in (min(values), max(values)):
        if not limits.min <= bound <= limits.max:
            row = values.index(bound)
            raise InvalidInputError(f"{where}: row {row} holds {bound}, which is out of range for {datatype}.")
    return np.array([int(value) for value in values], dtype=dtype)
