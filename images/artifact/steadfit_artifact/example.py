"""The example of an artifact: one row of its training data, as the body of an inference request (`example.json`).

A row of zeros is none that every model can answer: an encoder knows months from 1 to 12, and a logarithm no zero.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadfit_artifact.errors import ModelError
from steadfit_artifact.signature import Feature

EXAMPLE_NAME = "example.json"
MAX_BYTES = 4 * 1024 * 1024

Value = str | int | float | bool | None


def dump(features: Sequence[Feature], values: Sequence[Value]) -> bytes:
    """Return the bytes of `example.json` for one row; None is a missing value."""
    inputs = [
        {"name": feature.name, "datatype": feature.datatype, "shape": [1], "data": [_value(feature, value)]}
        for feature, value in zip(features, values, strict=True)
    ]
    return json.dumps({"inputs": inputs}, indent=1, ensure_ascii=False, allow_nan=False).encode()


def read(directory: Path, features: Sequence[Feature]) -> dict[str, NDArray[Any]] | None:
    """Return the example as columns of shape [1], as requests are read; None if the artifact has none.

    Raises
    ------
    ModelError
        The file can't be read, or has other inputs than the signature.
    """
    path = directory / EXAMPLE_NAME
    if not path.is_file():
        return None
    if path.stat().st_size > MAX_BYTES:
        raise ModelError(f"{EXAMPLE_NAME} is larger than {MAX_BYTES} bytes.")
    try:
        row = {tensor["name"]: tensor["data"][0] for tensor in json.loads(path.read_bytes())["inputs"]}
        return columns(features, [row[feature.name] for feature in features])
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise ModelError(f"{EXAMPLE_NAME} does not fit the signature: {type(error).__name__}.") from None


def columns(features: Sequence[Feature], values: Sequence[Value]) -> dict[str, NDArray[Any]]:
    """Return one row as columns of shape [1]: text as objects, missing as NaN or None."""
    return {
        feature.name: np.array([_value(feature, value)], _dtype(feature))
        for feature, value in zip(features, values, strict=True)
    }


def _dtype(feature: Feature) -> Any:
    if feature.datatype == "BYTES":
        return object
    if feature.datatype == "BOOL":
        return np.bool_
    return np.float64 if feature.datatype.startswith("FP") else np.dtype(feature.datatype.lower())


def _value(feature: Feature, value: Value) -> Value:
    """Return a value in the type of its feature; integers and booleans have no missing value, so it is 0."""
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    if feature.datatype == "BYTES":
        return None if missing else str(value)
    if feature.datatype.startswith("FP"):
        return None if missing else float(value)  # type: ignore[arg-type]
    number = 0 if missing else int(value)  # type: ignore[arg-type]
    return bool(number) if feature.datatype == "BOOL" else number


def row_of(features: Sequence[Feature], rows: Mapping[str, NDArray[Any]]) -> list[Value]:
    """Return the first of some rows with the fewest missing values.

    Parameters
    ----------
    rows : Mapping[str, NDArray[Any]]
        One column for each feature, of at least one row.
    """
    gaps = np.sum([_missing(rows[feature.name]) for feature in features], axis=0)
    best = int(gaps.argmin())
    return [rows[feature.name][best : best + 1].tolist()[0] for feature in features]


def _missing(values: NDArray[Any]) -> NDArray[np.int64]:
    if values.dtype == object:
        return np.array([value is None for value in values.tolist()], np.int64)
    return np.isnan(values.astype(np.float64)).astype(np.int64)
