"""Captured requests and outcomes as Parquet: their paths and their columns.

The server writes them, the trainer reads them back. Both folders are partitioned by hour and version, Hive style:

    <place>/requests/hour=2026-01-31T09/version=7/<part>.parquet   prediction_id, row, captured_at, a column for each
                                                                   input, prediction, probabilities
    <place>/outcomes/hour=2026-02-01T17/version=7/<part>.parquet   prediction_id, row, received_at, outcome (JSON)

The hour of an outcome is the one in which it was received, which may be weeks after its request; the pair
(prediction_id, row) joins them. An input whose name is one of our columns has the column `input.<name>`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

REQUESTS, OUTCOMES = "requests", "outcomes"
PREDICTION_ID, ROW = "prediction_id", "row"
CAPTURED_AT, RECEIVED_AT = "captured_at", "received_at"
PREDICTION, PROBABILITIES, OUTCOME = "prediction", "probabilities", "outcome"
OWN = (PREDICTION_ID, ROW, CAPTURED_AT, PREDICTION, PROBABILITIES)
TIME = pa.timestamp("us", "UTC")
OUTCOME_SCHEMA = pa.schema(
    [(PREDICTION_ID, pa.string()), (ROW, pa.int32()), (RECEIVED_AT, TIME), (OUTCOME, pa.string())]
)

_INPUT = "input."
_PATH = re.compile(
    r"(?P<kind>requests|outcomes)/hour=(?P<hour>\d{4}-\d\d-\d\dT\d\d)/version=(?P<version>[^/]+)/[^/]+\.parquet"
)


@dataclass(frozen=True)
class PartPath:
    """The fields of a part's path.

    Attributes
    ----------
    kind : str
        `requests` or `outcomes`.
    hour : datetime
        Hour in which its rows were captured or received.
    version : str
        Version of the model that answered.
    """

    kind: str
    hour: datetime
    version: str


@dataclass(frozen=True)
class CapturedRequest:
    """One answered request.

    Attributes
    ----------
    prediction_id : str
        Id of the answer.
    at : float
        Time of the answer, in seconds since 1970.
    columns : Mapping[str, NDArray[Any]]
        The inputs, each of shape [rows].
    prediction : Sequence[Any] | NDArray[Any]
        Labels or values, of shape [rows].
    probabilities : NDArray[Any] | None
        Probabilities of shape [rows, classes], or None.
    """

    prediction_id: str
    at: float
    columns: Mapping[str, NDArray[Any]]
    prediction: Sequence[Any] | NDArray[Any]
    probabilities: NDArray[Any] | None


def part_path(kind: str, at: float, version: str, part: str) -> str:
    """Return the path of a part below the URI of captures; `at` is the time of its rows."""
    return f"{kind}/hour={datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H}/version={version}/{part}.parquet"


def parse_part_path(path: str) -> PartPath | None:
    """Parse a path below the URI of captures; None if it is not the path of a part."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    try:
        hour = datetime.strptime(found["hour"], "%Y-%m-%dT%H").replace(tzinfo=UTC)
    except ValueError:
        return None
    return PartPath(found["kind"], hour, found["version"])


def column_of(name: str) -> str:
    """Return the column of an input."""
    return _INPUT + name if name in OWN or name.startswith(_INPUT) else name


def input_of(column: str) -> str | None:
    """Return the input of a column, or None for one of our own columns."""
    return None if column in OWN else column.removeprefix(_INPUT)


def request_table(requests: Sequence[CapturedRequest]) -> pa.Table:
    """Return the rows of requests that one version answered. NaN is a missing value."""
    rows = [len(request.prediction) for request in requests]
    arrays: dict[str, Any] = {
        PREDICTION_ID: pa.array(np.repeat([request.prediction_id for request in requests], rows), pa.string()),
        ROW: pa.array(np.concatenate([np.arange(count, dtype=np.int32) for count in rows])),
        CAPTURED_AT: pa.array(np.repeat([_micros(request.at) for request in requests], rows), TIME),
    }
    for name in requests[0].columns:
        arrays[column_of(name)] = _array(np.concatenate([request.columns[name] for request in requests]))
    arrays[PREDICTION] = _array(np.concatenate([np.asarray(request.prediction) for request in requests]))
    found = [request.probabilities for request in requests if request.probabilities is not None]
    if found:
        matrix = np.concatenate(found).astype(np.float32)
        values = pa.array(matrix.ravel())
        arrays[PROBABILITIES] = pa.FixedSizeListArray.from_arrays(values, matrix.shape[1]).cast(pa.list_(pa.float32()))
    return pa.table(arrays)


def outcome_table(outcomes: Sequence[tuple[str, int, float, str]]) -> pa.Table:
    """Return outcomes, each given as prediction id, row, time of receipt in seconds, and JSON."""
    ids, rows, times, texts = zip(*outcomes, strict=True)
    values = (ids, rows, [_micros(at) for at in times], texts)
    return pa.table(
        [pa.array(each, field.type) for each, field in zip(values, OUTCOME_SCHEMA, strict=True)], schema=OUTCOME_SCHEMA
    )


def _micros(at: float) -> int:
    return round(at * 1_000_000)


def _array(values: NDArray[Any]) -> pa.Array:
    kind = pa.string() if values.dtype.kind in "OU" else None
    return pa.array(values, kind, from_pandas=True)
