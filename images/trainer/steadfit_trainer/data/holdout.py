"""The holdout: rows that are split off before the training, the same for every version.

There are two rules, both on the value of one column, so that a row always falls on the same side:

- Time: rows at or after a boundary. The boundary is the value where the newest `fraction` of the labelled rows
  begins, over all sources together; rows of equal value are never divided.
- Hash: rows whose value's SHA-256, read as a number in [0, 1), is below `fraction`. It depends only on the value,
  so new data never moves an old row to the other side.

Only rows with a label can be in the holdout; rows without a label go to the training data.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from steadfit_trainer.config import Holdout
from steadfit_trainer.failures import DataFailure

MIN_ROWS = 10

Splitter = Callable[[pa.Table], pa.Array]


def held_rows(table: pa.Table, target: str, splitter: Splitter) -> Any:
    """Return which rows are in the holdout: a boolean array of shape [rows]."""
    labelled = pc.invert(pc.is_null(table.column(target), nan_is_null=True))
    return pc.and_(labelled, splitter(table))


def boundary_of(values: pa.ChunkedArray, fraction: float) -> Any:
    """Return the smallest value of the holdout, as an Arrow scalar.

    Parameters
    ----------
    values : pa.ChunkedArray
        The split column of all labelled rows, without nulls.
    fraction : float
        Share of rows to hold out; the holdout is larger by the rows tied with the boundary.

    Raises
    ------
    DataFailure
        There is only one value, so no rows would be left to train on.
    """
    order = values.take(pc.sort_indices(values))
    held = max(1, round(len(order) * fraction))
    boundary = order[len(order) - held]
    if boundary.equals(order[0]):
        # All rows are at or after the boundary: begin at the next value, so that training has rows.
        later = order.filter(pc.greater(order, boundary))
        if len(later) == 0:
            raise DataFailure("All rows have the same value in the holdout's column, so they can't be split by time.")
        boundary = later[0]
    return boundary


def by_time(column: str, boundary: Any) -> Splitter:
    """Split at `boundary`: rows at or after it are in the holdout."""
    return lambda table: pc.greater_equal(table.column(column), boundary)


def by_hash(column: str, fraction: float) -> Splitter:
    """Split by a stable hash of the column's value."""

    def split(table: pa.Table) -> pa.Array:
        encoded = _plain(table.column(column)).combine_chunks().dictionary_encode()
        below = [_fraction_of(value) < fraction for value in encoded.dictionary.to_pylist()]
        return pa.array(np.array(below, np.bool_)[encoded.indices.to_numpy(zero_copy_only=False)])

    return split


def check_orderable(name: str, table: pa.Schema, holdout: Holdout) -> None:
    """Check that the rows can be split by the column.

    Raises
    ------
    DataFailure
        The column is absent, or its type has no order.
    """
    if holdout.column not in table.names:
        raise DataFailure(
            f"'{name}' has no column '{holdout.column}', by which the holdout is split off; "
            f"it has {listed(table.names)}."
        )
    kind = table.field(holdout.column).type
    if not (_ordered(kind) or (holdout.by == "Hash" and pa.types.is_boolean(kind))):
        raise DataFailure(f"'{holdout.column}' of '{name}' is {kind}, by which rows can't be split.")


def text_of(boundary: Any) -> str:
    """Return a boundary for records: times as ISO 8601, with Z if they are in UTC."""
    kind = boundary.type
    if not pa.types.is_timestamp(kind):
        return str(boundary.as_py())[:128]
    moment = datetime(1970, 1, 1) + timedelta(microseconds=_microseconds(boundary).as_py())  # noqa: DTZ001 — without a time zone
    return moment.isoformat() + ("Z" if kind.tz is not None else "")


def listed(names: list[str]) -> str:
    """Return columns for a message."""
    shown = ", ".join(f"'{name}'" for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _plain(values: Any) -> Any:
    """Return times as integer microseconds, independent of unit and time zone of the storage."""
    return _microseconds(values) if pa.types.is_timestamp(values.type) else values


def _microseconds(times: Any) -> Any:
    return times.cast(pa.timestamp("us", times.type.tz), safe=False).cast(pa.int64())


def _fraction_of(value: Any) -> float:
    """Return a number in [0, 1) that depends on the value only, not on its type."""
    if isinstance(value, bool):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    raw = value if isinstance(value, bytes) else str(value).encode()
    return int.from_bytes(hashlib.sha256(raw).digest()[:8], "big") / 2**64


def _ordered(kind: Any) -> bool:
    types = pa.types
    checks = (
        types.is_integer, types.is_floating, types.is_timestamp, types.is_date, types.is_string,
        types.is_large_string, types.is_decimal, types.is_time,
    )  # fmt: skip
    return any(check(kind) for check in checks)
