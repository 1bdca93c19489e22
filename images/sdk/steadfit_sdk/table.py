"""Features of a table, and the table encoded for an estimator.

A table is a pyarrow.Table, or anything with columns by name: a pandas DataFrame, a dict of arrays.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from steadfit_artifact.signature import MAX_CATEGORIES, Feature, Signature

_DATATYPES = {
    pa.bool_(): "BOOL",
    pa.float16(): "FP16",
    pa.float32(): "FP32",
    pa.float64(): "FP64",
    **{getattr(pa, f"{kind}{bits}")(): f"{kind.upper()}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
}


def features(table: Any, names: Sequence[str] | None = None, exclude: Iterable[str] = ()) -> tuple[Feature, ...]:
    """Describe columns as the inputs of a model: text with its categories in sorted order, the rest as numbers.

    Integers with missing values become FP64, so that a request may omit them too.

    Parameters
    ----------
    table : Any
        The training rows.
    names : Sequence[str], optional
        The columns in the order the model takes them; all by default.
    exclude : Iterable[str], default ()
        Columns that are not inputs, such as the target.

    Raises
    ------
    KeyError
        A name is no column of the table.
    TypeError
        A column is neither number, boolean nor text; derive numbers from it, or exclude it.
    ValueError
        A text column has more values than categories are allowed.
    """
    there = _names(table)
    left_out = set(exclude)
    for name in [*(names or ()), *left_out]:
        if name not in there:
            raise KeyError(f"There is no column '{name}'; the table has {there}.")
    return tuple(_feature(name, _array(table, name)) for name in names or there if name not in left_out)


def encode(table: Any, features: Sequence[Feature]) -> NDArray[np.float32]:
    """Encode a table for an estimator: float32 of shape [rows, features].

    Evaluation and server encode rows in the same way: text is the index of its category, missing or unknown is NaN.

    Raises
    ------
    ColumnError
        A column is absent or has a value that is not a number.
    """
    signature = Signature(tuple(features))
    signature.require_numbers()
    return signature.stacked(columns(table, features))


def columns(table: Any, features: Sequence[Feature]) -> dict[str, NDArray[Any]]:
    """Return the columns of the features that the table has, as numpy arrays of shape [rows]."""
    there = set(_names(table))
    return {
        feature.name: _values(_array(table, feature.name), feature) for feature in features if feature.name in there
    }


def _feature(name: str, array: pa.ChunkedArray) -> Feature:
    if _is_text(array.type):
        categories = sorted(value for value in pc.unique(array).to_pylist() if value is not None)
        if len(categories) > MAX_CATEGORIES:
            raise ValueError(f"'{name}' has {len(categories)} values; at most {MAX_CATEGORIES} can be categories.")
        return Feature(name=name, datatype="BYTES", categories=tuple(categories))
    if array.type not in _DATATYPES:
        raise TypeError(f"'{name}' is {array.type}; derive numbers or text from it, or exclude it.")
    whole = array.type not in (pa.float16(), pa.float32())
    datatype = "FP64" if array.null_count and whole else _DATATYPES[array.type]
    return Feature.model_validate({"name": name, "datatype": datatype})


def _values(array: pa.ChunkedArray, feature: Feature) -> NDArray[Any]:
    if feature.datatype == "BYTES":
        values = np.empty(len(array), object)
        values[:] = array.cast(pa.string()).to_pylist()
        return values
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.uint8())
    return np.asarray(array.to_numpy())


def _names(table: Any) -> list[str]:
    if isinstance(table, pa.Table):
        return list(table.column_names)
    return [str(name) for name in getattr(table, "columns", table)]


def _array(table: Any, name: str) -> pa.ChunkedArray:
    if isinstance(table, pa.Table):
        column = table.column(name)
    else:
        # from_pandas: NaN is a missing value, in lists and arrays too.
        column = pa.chunked_array([pa.array(table[name], from_pandas=True)])
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
