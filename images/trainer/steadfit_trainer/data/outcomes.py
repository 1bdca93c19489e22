"""Converts posted outcomes to values of the target.

Outcomes are JSON, in the way in which the caller writes a label. The other sources of the run give the type of the
target, so that both are one column for the training.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from steadfit_artifact import captures

from steadfit_trainer.data import labels, tables
from steadfit_trainer.failures import DataFailure

_TRUTH = {"0": False, "1": True, "false": False, "true": True}


@dataclass(frozen=True)
class Outcomes:
    """The newest outcome of each row.

    Attributes
    ----------
    keys : pa.Array
        Keys of the rows, each once.
    values : pa.Array
        Outcomes in the type of the target.
    received : NDArray[np.int64]
        When each came, in microseconds since 1970.
    """

    keys: pa.Array
    values: pa.Array
    received: NDArray[np.int64]


def keys_of(table: pa.Table) -> Any:
    """Return the key of each row of requests or outcomes: prediction id and row."""
    rows = table.column(captures.ROW).cast(pa.string())
    return pc.binary_join_element_wise(table.column(captures.PREDICTION_ID), rows, ":")


def read(
    files: dict[str, Path],
    name: str,
    target: str,
    kind: pa.DataType | None,
    window: timedelta | None = None,
    until: datetime | None = None,
) -> Outcomes:
    """Read the outcomes of all parts.

    Parameters
    ----------
    files : dict[str, Path]
        The parts, by URI.
    name : str
        Name of the source, for messages.
    target : str
        Name of the target.
    kind : pa.DataType | None
        Type of the target in the run's other sources; None if there is none.
    window : timedelta, optional
        Only outcomes within this time before the end count; None = all.
    until : datetime, optional
        End of the window; None = the newest outcome.

    Raises
    ------
    DataFailure
        A part can't be read, or an outcome is not a value of the target.
    """
    parts = [captures.OUTCOME_SCHEMA.empty_table()]
    for uri, path in files.items():
        with tables.readable(uri, "Parquet"):
            parts.append(pq.read_table(path, partitioning=None).cast(captures.OUTCOME_SCHEMA))
    table = pa.concat_tables(parts)
    if window is not None and len(table):
        received = table.column(captures.RECEIVED_AT)
        end = pc.max(received) if until is None else pa.scalar(until, captures.TIME)
        begin = pc.subtract(end, pa.scalar(window, pa.duration("us")))
        table = table.filter(pc.and_(pc.greater(received, begin), pc.less_equal(received, end)))
    table = table.append_column("key", keys_of(table)).sort_by(captures.RECEIVED_AT)
    newest = table.group_by("key", use_threads=False).aggregate(
        [(captures.OUTCOME, "last"), (captures.RECEIVED_AT, "last")]
    )
    encoded = newest.column(f"{captures.OUTCOME}_last").combine_chunks().dictionary_encode()
    values = _typed([json.loads(text) for text in encoded.dictionary.to_pylist()], name, target, kind)
    received = newest.column(f"{captures.RECEIVED_AT}_last").cast(pa.int64()).to_numpy()
    return Outcomes(newest.column("key").combine_chunks(), values.take(encoded.indices), received)


def _typed(values: list[Any], name: str, target: str, kind: pa.DataType | None) -> pa.Array:
    """Return outcomes in the type of the target in the other sources, or else in their common type."""
    expected = _common(values) if kind is None else kind
    found = []
    for value in values:
        try:
            found.append(pa.scalar(_as(value, expected), expected).as_py())
        except (ValueError, KeyError, OverflowError, pa.ArrowException):
            raise DataFailure(
                f"'{name}' has the outcome {json.dumps(value)[:64]}, but the target '{target}' is {expected} in the "
                "other data."
            ) from None
    return pa.array(found, expected)


def _common(values: list[Any]) -> pa.DataType:
    if any(isinstance(value, str) for value in values):
        return pa.string()
    if any(isinstance(value, float) for value in values):
        return pa.float64()
    return pa.bool_() if values and all(isinstance(value, bool) for value in values) else pa.int64()


def _as(value: Any, kind: pa.DataType) -> Any:
    text = value if isinstance(value, str) else labels.text_of(value)
    if pa.types.is_boolean(kind):
        return _TRUTH[text.lower()]
    if pa.types.is_integer(kind):
        return int(text)
    return float(text) if pa.types.is_floating(kind) else text
