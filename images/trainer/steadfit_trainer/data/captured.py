"""Joins captured requests with their outcomes to a table of labelled rows.

Requests and outcomes are written by different pods and at different times; they are joined by prediction id and row.
Only the newest outcome of a row counts. The result is one file with the model's inputs, `captured_at`, and the outcome
under the name of the target, which is then a source like any other.

The window ends with the newest captured request and not now, so the same objects always give the same rows.
"""

import logging
import re
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from steadfit_artifact import captures
from steadfit_artifact.digest import FileEntry
from steadfit_artifact.store import Store, StoredObject

from steadfit_trainer.config import Captured, DataSource, Evaluation
from steadfit_trainer.data import outcomes, tables
from steadfit_trainer.data.objects import fetch_object
from steadfit_trainer.failures import DataFailure

LOG = logging.getLogger(__name__)

# Parallel downloads: the objects are small, so latency dominates.
DOWNLOADS = 8
# Limit of what a record can list; the oldest hours are left out.
MAX_PARTS = 20_000
_HOUR, _CENTURY = timedelta(hours=1), timedelta(days=36_500)
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True)
class Joined:
    """The labelled rows of a captured source.

    Attributes
    ----------
    entries : list[FileEntry]
        The objects that were read.
    file : Path
        File with the rows.
    schema : pa.Schema
        Columns of the rows.
    """

    entries: list[FileEntry]
    file: Path
    schema: pa.Schema


@dataclass(frozen=True)
class JoinSpec:
    """What to join.

    Attributes
    ----------
    source : DataSource
        The data source, with the URI of captures.
    captured : Captured
        The ModelDeployment and the window.
    evaluation : Evaluation
        Names the target and the column that rows are split by.
    other_schemas : Sequence[pa.Schema]
        Columns of the run's other sources, whose types are used.
    """

    source: DataSource
    captured: Captured
    evaluation: Evaluation
    other_schemas: Sequence[pa.Schema]

    @property
    def window(self) -> timedelta:
        """Length of the window, which ends with the newest request."""
        return length_of(self.captured.window)

    @property
    def labelled(self) -> pa.Schema | None:
        """Columns of the first other source that has the target."""
        return next((schema for schema in self.other_schemas if self.evaluation.target in schema.names), None)


def length_of(text: str) -> timedelta:
    """Parse a duration such as 1h30m; at most a century, so that it can be subtracted from a time."""
    seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|h|m|s)", text))
    return min(timedelta(seconds=min(seconds, 1e10)), _CENTURY)


def resolve(store: Store, uri: str, window: timedelta) -> list[StoredObject]:
    """Return the parts that may hold rows of the window, sorted by path."""
    found = [(each, captures.parse_part_path(each.path)) for each in store.list(uri)]
    parts = [(each, place) for each, place in found if place is not None]
    hours = [place.hour for _, place in parts if place.kind == captures.REQUESTS]
    if not hours:
        return []
    # The newest request is somewhere in the newest hour. An outcome is never older than its request.
    begin = max(hours) - window - _HOUR
    parts = [(each, place) for each, place in parts if place.hour > begin]
    if len(parts) > MAX_PARTS:
        LOG.warning("%s has %d objects in the window; the hours of the newest %d count", uri, len(parts), MAX_PARTS)
        too_old = sorted((place.hour for _, place in parts), reverse=True)[MAX_PARTS]
        parts = [(each, place) for each, place in parts if place.hour > too_old]
    return [each for each, _ in parts]


def join(store: Store, spec: JoinSpec, folder: Path) -> Joined:
    """Download captured requests and outcomes to `folder` and join them.

    Raises
    ------
    DataFailure
        No row is labelled and no other source has the target, or types do not fit.
    StoreError
        The store failed.
    """
    found, parts = resolve(store, spec.source.uri, spec.window), folder / "parts"
    files, entries = download(store, found, parts)
    kinds = {each.uri: each.path.split("/")[0] for each in found}
    requests = {uri: file for uri, file in files.items() if kinds[uri] == captures.REQUESTS}
    posted = {uri: file for uri, file in files.items() if kinds[uri] == captures.OUTCOMES}
    target = folder / "joined.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    schema, rows, seen = _join(spec, requests, posted, target) if requests else (None, 0, 0)
    if schema is None or rows == 0:
        schema = _nothing(spec, seen)
        pq.write_table(schema.empty_table(), target)
    shutil.rmtree(parts, ignore_errors=True)
    LOG.info("joined %s: %d labelled rows of %d requested ones", spec.source.uri, rows, seen)
    return Joined(entries, target, schema)


def download(store: Store, found: Sequence[StoredObject], folder: Path) -> tuple[dict[str, Path], list[FileEntry]]:
    """Write parts to `folder`; return the file of each URI, and the parts' entries.

    Raises
    ------
    DataFailure
        A part was deleted after the listing.
    StoreError
        The store failed.
    """
    files = {each.uri: folder / f"{index:05d}.parquet" for index, each in enumerate(found)}
    with ThreadPoolExecutor(DOWNLOADS) as pool:
        return files, list(pool.map(lambda each: fetch_object(store, each, files[each.uri]), found))


def _join(
    spec: JoinSpec, requests: dict[str, Path], posted: dict[str, Path], target: Path
) -> tuple[pa.Schema, int, int]:
    """Write the labelled rows; return their columns, their number, and the number of requested rows in the window."""
    stored = tables.unify({uri: tables.schema_of(path, uri, "Parquet") for uri, path in requests.items()})
    inputs = {name: column for column in stored.names if (name := captures.input_of(column)) is not None}
    schema, other = _schema(spec, stored, inputs), spec.labelled
    label = spec.evaluation.target
    kind = other.field(label).type if other is not None else None
    known = outcomes.read(posted, spec.source.name, label, kind)
    schema = schema.append(pa.field(label, known.values.type))
    begin, used, seen = _begin(requests, stored, spec.window), np.zeros(len(known.keys), np.bool_), 0
    writer = tables.Writer(target, schema, always=True)
    for chunk in _chunks(requests, stored):
        table = chunk.filter(pc.greater(chunk.column(captures.CAPTURED_AT), begin))
        seen += len(table)
        rows, index = matches(outcomes.keys_of(table), known.keys, used)
        matched = table.take(pa.array(rows))
        columns = {name: matched.column(column) for name, column in inputs.items()}
        columns[label] = known.values.take(pa.array(index))
        moments = matched.column(captures.CAPTURED_AT)
        arrays = [pc.cast(columns.get(field.name, moments), field.type, safe=False) for field in schema]
        writer.write(pa.table(arrays, schema=schema))
    writer.close()
    return schema, writer.rows, seen


def _schema(spec: JoinSpec, stored: pa.Schema, inputs: dict[str, str]) -> pa.Schema:
    """Return the columns of the labelled rows without the target: the model's inputs and the time of the request.

    If the model has no input of the split column's name, a split by time uses the time of the request. The column is
    then added with its type in the other sources, so that both can be compared.
    """
    split, target = spec.evaluation.holdout, spec.evaluation.target
    for name in (captures.CAPTURED_AT, target):
        if name in inputs:
            raise DataFailure(
                f"'{spec.source.name}': the model takes '{name}' as an input, but that column is "
                f"{'the target' if name == target else 'the time of the request'}."
            )
    schema = pa.schema([(name, stored.field(column).type) for name, column in inputs.items()])
    schema = schema.append(pa.field(captures.CAPTURED_AT, captures.TIME))
    if split.by == "Time" and split.column not in (*schema.names, target):
        named = (other.field(split.column).type for other in spec.other_schemas if split.column in other.names)
        kind = next(named, captures.TIME)
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            schema = schema.append(pa.field(split.column, kind))
    return schema


def _nothing(spec: JoinSpec, seen: int) -> pa.Schema:
    """Return the columns of a source without labelled rows: those of the other sources and the time of the request.

    So a TrainingJob with both can train its first model before anything is captured.

    Raises
    ------
    DataFailure
        There are no other sources.
    """
    if spec.labelled is not None:
        has_time = captures.CAPTURED_AT in spec.labelled.names
        return spec.labelled if has_time else spec.labelled.append(pa.field(captures.CAPTURED_AT, captures.TIME))
    name, deployment, uri = spec.source.name, spec.captured.deployment, spec.source.uri
    if seen == 0:
        raise DataFailure(
            f"'{name}': ModelDeployment {deployment} has captured nothing (there is nothing at {uri}); it needs "
            "spec.capture, and requests."
        )
    raise DataFailure(
        f"'{name}': none of the {seen} rows that ModelDeployment {deployment} captured in the last "
        f"{spec.captured.window} has an outcome, so there is nothing to learn; post outcomes to its feedback path."
    )


def _begin(requests: dict[str, Path], stored: pa.Schema, window: timedelta) -> Any:
    """Return the begin of the window."""
    newest = None
    for uri, path in requests.items():
        for table in tables.batches(path, uri, "Parquet", stored, [captures.CAPTURED_AT]):
            last = pc.max(table.column(0))
            newest = last if newest is None or pc.greater(last, newest).as_py() else newest
    return pc.subtract(newest, pa.scalar(window, pa.duration("us")))


def matches(keys: Any, known: pa.Array, used: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of matched rows and of their outcomes, each outcome once; updates `used`."""
    found = pc.fill_null(pc.index_in(keys, value_set=known), -1).to_numpy().astype(np.int64)
    rows = np.flatnonzero(found >= 0)
    index, first = np.unique(found[rows], return_index=True)
    fresh = ~used[index]
    used[index] = True
    order = np.argsort(first[fresh])
    return rows[first[fresh][order]], index[fresh][order]


def _chunks(requests: dict[str, Path], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows of all parts, many parts per table, because a part may have a single row."""
    waiting: list[pa.Table] = []
    for uri, path in requests.items():
        waiting += tables.batches(path, uri, "Parquet", schema)
        if sum(map(len, waiting)) >= tables.BATCH_ROWS:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)
