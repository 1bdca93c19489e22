"""Fetch: downloads the data to the pod, and splits off the holdout where the user's code can't read it.

The files are read twice: the first pass finds the columns, the labels and the boundary, the second writes the rows.
Only the split column of the labelled rows is in memory as a whole.

A run of purpose Evaluate trains nothing: it fetches the newest labelled rows of production (`recent_rows.py`).
"""

import errno
import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from steadfit_artifact.digest import FileEntry, data_digest, hash_file
from steadfit_artifact.store import Store, StoreConfig, StoreError, under

from steadfit_trainer.config import Config, DataSource, Evaluation
from steadfit_trainer.data import captured, drift_check, holdout, objects, tables
from steadfit_trainer.data.profile import Profile
from steadfit_trainer.failures import DataFailure, InputsKnown, StoreFailure
from steadfit_trainer.paths import Paths
from steadfit_trainer.steps import recent_rows

LOG = logging.getLogger(__name__)
# A target with more different values is that of a regression.
MAX_LABELS = 1000


@dataclass
class Fetched:
    """A fetched source: its objects, files and numbers of rows."""

    source: DataSource
    entries: list[FileEntry]
    files: list[Path]
    digest: str
    schema: pa.Schema
    rows: int = 0
    holdout_rows: int = 0
    dropped_rows: int = 0
    profile: Profile = field(init=False)

    def __post_init__(self) -> None:
        self.profile = Profile(self.schema)

    def split(self, target: str) -> bool:
        """Return whether the source has rows for the holdout."""
        return target in self.schema.names

    def uri(self, index: int) -> str:
        """Return the URI of one object, for messages."""
        if self.source.captured is not None:
            return self.source.uri  # Captured objects are joined to one file.
        path = self.entries[index].path
        return self.source.uri if self.source.uri.endswith(path) else under(self.source.uri, path)

    def document(self) -> dict[str, Any]:
        """Return the entry of the source for the record."""
        return {
            "name": self.source.name,
            "uri": self.source.uri,
            "digest": self.digest,
            "rows": self.rows,
            "holdoutRows": self.holdout_rows,
            "droppedRows": self.dropped_rows,
            "objectCount": len(self.entries),
            "objects": [entry.document() for entry in self.entries],
        }


@dataclass
class _Survey:
    """The result of the first pass over the labelled rows of all split sources."""

    values: list[pa.ChunkedArray] = field(default_factory=list)
    labels: set[Any] | None = field(default_factory=set)
    rows: int = 0


def fetch(config: Config, paths: Paths, connect: Callable[[StoreConfig], Store] = Store.connect) -> None:
    """Fetch the data of a run.

    Raises
    ------
    DataFailure
        The data is absent, can't be read, fails a check, or has too few rows.
    StoreFailure
        The store failed.
    InputsKnown
        A version was trained from the same recipe and data.
    """
    for folder in (paths.data, paths.output, paths.holdout.parent):
        _empty(folder)
    try:
        if config.evaluate is not None:
            recent_rows.fetch(config, config.evaluate, paths, connect)
            return
        fetched = _all(config, paths, connect)
        _check_known(config, fetched)
        _split(config, fetched, paths)
        drift_check.check(config, [(each.source, each.profile) for each in fetched], connect)
    except StoreError as error:
        raise StoreFailure(str(error)) from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise DataFailure(
            "The data does not fit into the pod's workspace, which holds it twice; raise limits.workspace."
        ) from error
    paths.params.write_text(json.dumps(config.params, indent=1, sort_keys=True))


def _split(config: Config, fetched: list[Fetched], paths: Paths) -> None:
    evaluation = config.evaluation
    split = [each for each in fetched if each.split(evaluation.target)]
    if not split:
        columns = holdout.listed(sorted({name for each in fetched for name in each.schema.names}))
        raise DataFailure(f"No data source has the target column '{evaluation.target}'; there are {columns}.")
    survey = _survey(split, evaluation)
    splitter, boundary = _splitter(survey, evaluation)
    keys = _held_keys(split, evaluation.target, splitter)
    for each in fetched:
        if each in split:
            _write(each, paths, evaluation.target, splitter, keys)
        else:
            _write(each, paths)
    shutil.rmtree(paths.downloads)
    held, trained = sum(each.holdout_rows for each in split), sum(each.rows for each in split)
    if not held or not trained:
        raise DataFailure(f"The split leaves {trained} training rows and {held} holdout rows; both need at least one.")
    rule: dict[str, Any] = {"by": evaluation.holdout.by, "column": evaluation.holdout.column, "rows": held}
    rule["digest"] = data_digest(hash_file(path, path.name) for path in paths.holdout.iterdir())
    if boundary is not None:
        rule["boundary"] = holdout.text_of(boundary)
    labels = sorted(survey.labels) if survey.labels is not None else None
    resolved = {
        "data": [each.document() for each in fetched],
        "labels": labels,
        "holdout": rule,
        "profile": [drift_check.document(each.source, each.profile) for each in fetched],
    }
    paths.resolved.write_text(json.dumps(resolved))
    LOG.info("%d training rows, %d holdout rows", trained, held)


def _all(config: Config, paths: Paths, connect: Callable[[StoreConfig], Store]) -> list[Fetched]:
    """Download all sources; the captured ones last, because they use the types of the others."""
    found: dict[str, Fetched] = {}
    for source in sorted(config.data, key=lambda source: source.captured is not None):
        store = connect(source.store)
        if source.captured is None:
            found[source.name] = _download(store, source, paths)
        else:
            schemas = [each.schema for each in found.values() if each.source.captured is None]
            spec = captured.JoinSpec(source, source.captured, config.evaluation, schemas)
            joined = captured.join(store, spec, paths.downloads / source.name)
            digest = objects.check_digest(source, joined.entries)
            found[source.name] = Fetched(source, joined.entries, [joined.file], digest, joined.schema)
        _check_columns(found[source.name])
    return [found[source.name] for source in config.data]


def _check_known(config: Config, fetched: list[Fetched]) -> None:
    """Stop before anything is trained that a version has learned already.

    Raises
    ------
    InputsKnown
        With the name of that version.
    """
    data = objects.digest_of([(each.source.name, each.digest) for each in fetched])
    for known in config.known:
        if known.data == data:
            raise InputsKnown(known.version)


def _download(store: Store, source: DataSource, paths: Paths) -> Fetched:
    found = objects.resolve(store, source)
    entries, files, schemas = [], [], {}
    for index, each in enumerate(found):
        # The end of the name is kept: it gives the compression of a CSV.
        file = paths.downloads / source.name / f"{index:05d}-{each.path.rsplit('/', 1)[-1]}"
        entries.append(objects.fetch_object(store, each, file))
        files.append(file)
    digest = objects.check_digest(source, entries)
    for each, file in zip(found, files, strict=True):
        schemas[each.uri] = tables.schema_of(file, each.uri, source.format)
    LOG.info("read %s: %d objects, %s", source.uri, len(found), digest)
    return Fetched(source, entries, files, digest, tables.unify(schemas))


def _check_columns(each: Fetched) -> None:
    source, names = each.source, each.schema.names
    for what, column in (("timeColumn", source.time_column), ("keyColumn", source.key_column)):
        if column is not None and column not in names:
            raise DataFailure(f"'{source.name}' has no column '{column}', its {what}; it has {holdout.listed(names)}.")


def _survey(split: list[Fetched], evaluation: Evaluation) -> _Survey:
    """Read the split column and the target of all labelled rows.

    Raises
    ------
    DataFailure
        A labelled row has no value to split by or an infinite label, or there are too few.
    """
    survey, column = _Survey(), evaluation.holdout.column
    for each in split:
        holdout.check_orderable(each.source.name, each.schema, evaluation.holdout)
        _check_target(each, evaluation.target)
        for table in _batches(each, list(dict.fromkeys([evaluation.target, column]))):
            labelled = table.filter(pc.invert(pc.is_null(table.column(evaluation.target), nan_is_null=True)))
            _check_finite(each, labelled.column(evaluation.target), evaluation.target)
            missing = pc.sum(pc.is_null(labelled.column(column), nan_is_null=True)).as_py() or 0
            if missing:
                raise DataFailure(
                    f"'{column}' of '{each.source.name}' is empty in {missing} rows; the holdout is split off by it."
                )
            survey.rows += len(labelled)
            if evaluation.holdout.by == "Time":
                survey.values.append(labelled.column(column))
            if survey.labels is not None:
                survey.labels |= set(pc.unique(labelled.column(evaluation.target)).to_pylist())
                if len(survey.labels) > MAX_LABELS:
                    survey.labels = None
    if survey.rows < holdout.MIN_ROWS:
        raise DataFailure(f"There are {survey.rows} rows with a label; at least {holdout.MIN_ROWS} are needed.")
    return survey


def _check_target(each: Fetched, target: str) -> None:
    kind, types = each.schema.field(target).type, pa.types
    if not (types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_string(kind)):
        raise DataFailure(f"The target '{target}' of '{each.source.name}' is {kind}; it must be a label or a number.")


def _check_finite(each: Fetched, labels: pa.ChunkedArray, target: str) -> None:
    if pa.types.is_floating(labels.type):
        infinite = pc.sum(pc.is_inf(labels)).as_py() or 0
        if infinite:
            raise DataFailure(
                f"The target '{target}' of '{each.source.name}' is infinite in {infinite} rows of a part; a model is"
                " judged by its distance from the target, so remove those rows or leave their target empty."
            )


def _splitter(survey: _Survey, evaluation: Evaluation) -> tuple[holdout.Splitter, Any]:
    rule = evaluation.holdout
    if rule.by == "Hash":
        return holdout.by_hash(rule.column, rule.fraction), None
    try:
        columns = [pa.table({rule.column: column}) for column in survey.values]
        values = pa.concat_tables(columns, promote_options="permissive").column(0)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise DataFailure(
            f"'{rule.column}' has different types in the data sources, so it gives no common order."
        ) from None
    boundary = holdout.boundary_of(values, rule.fraction)
    return holdout.by_time(rule.column, boundary), boundary


def _held_keys(split: list[Fetched], target: str, splitter: holdout.Splitter) -> dict[str, pa.Array]:
    """Return the keys of the holdout rows, by the name of the key column.

    A row that is delivered again later would be on both sides; with a key column it is recognised.
    """
    keys: dict[str, list[Any]] = {}
    for each in split:
        column = each.source.key_column
        if column is not None:
            for table in _batches(each):
                held = table.filter(holdout.held_rows(table, target, splitter))
                keys.setdefault(column, []).append(pc.unique(_keys(held, each)))
    return {column: pa.concat_arrays(arrays) for column, arrays in keys.items()}


def _write(
    each: Fetched,
    paths: Paths,
    target: str = "",
    splitter: holdout.Splitter | None = None,
    keys: Mapping[str, pa.Array] = MappingProxyType({}),
) -> None:
    """Write the source's rows to training data and holdout, one part for each object, and delete the download.

    Without `splitter` all rows are for training.
    """
    name, known = each.source.name, keys.get(each.source.key_column or "")
    writer = tables.Writer(paths.holdout / f"{name}.parquet", each.schema) if splitter is not None else None
    for index, file in enumerate(each.files):
        first = index == 0  # An empty source still has its columns.
        part = tables.Writer(paths.data / name / f"part-{index:05d}.parquet", each.schema, always=first)
        for table in tables.batches(file, each.uri(index), each.source.format, each.schema):
            each.profile.add(table)
            train = table
            if splitter is not None and writer is not None:
                held = holdout.held_rows(table, target, splitter)
                writer.write(table.filter(held))
                train = table.filter(pc.invert(held))
            if known is not None:
                again = pc.is_in(_keys(train, each), known, skip_nulls=True)
                each.dropped_rows += pc.sum(again).as_py() or 0
                train = train.filter(pc.invert(again))
            part.write(train)
        part.close()
        each.rows += part.rows
        file.unlink()
    if writer is not None:
        writer.close()
        each.holdout_rows = writer.rows


def _batches(each: Fetched, columns: list[str] | None = None) -> Iterator[pa.Table]:
    for index, file in enumerate(each.files):
        yield from tables.batches(file, each.uri(index), each.source.format, each.schema, columns)


def _keys(table: pa.Table, each: Fetched) -> Any:
    """Return the rows' keys as text, so that sources with different types of key can be compared."""
    return table.column(each.source.key_column).cast(pa.string())


def _empty(folder: Path) -> None:
    """Remove the files of an earlier start of this container; the folder itself is a mount."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
