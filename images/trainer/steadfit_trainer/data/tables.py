"""Reads rows of CSV and Parquet and writes Parquet, in batches."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from steadfit_trainer.failures import DataFailure

BATCH_ROWS = 65_536
# The types of CSV columns are taken from the first block.
CSV_BLOCK_BYTES = 8 * 1024 * 1024


def schema_of(path: Path, name: str, form: str) -> pa.Schema:
    """Return the columns of a file, with dictionary columns as plain ones.

    Raises
    ------
    DataFailure
        The file can't be read; the message names the object.
    """
    with readable(name, form):
        if form == "CSV":
            with pa.csv.open_csv(_input(path), read_options=_csv_options()) as reader:
                return _plain(reader.schema)
        return _plain(pq.read_schema(path))


def unify(schemas: dict[str, pa.Schema]) -> pa.Schema:
    """Return one schema for all objects of a source: numbers are widened, absent columns are empty.

    Raises
    ------
    DataFailure
        Two objects have different types for a column.
    """
    unified = pa.schema([])
    for name, schema in schemas.items():
        try:
            unified = pa.unify_schemas([unified, schema], promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataFailure(f"{name} does not fit the other objects of its source: {_first_line(error)}.") from None
    return unified


def batches(
    path: Path, name: str, form: str, schema: pa.Schema, columns: list[str] | None = None
) -> Iterator[pa.Table]:
    """Yield the rows of a file as tables of `schema`, or of some of its columns.

    Raises
    ------
    DataFailure
        The file can't be read, or a value does not fit its column.
    """
    selected = schema if columns is None else pa.schema([schema.field(column) for column in columns])
    with readable(name, form):
        for batch in _read(path, form, schema, selected):
            table = pa.Table.from_batches([batch])
            arrays = [
                table.column(field.name).cast(field.type)
                if field.name in table.column_names
                else pa.nulls(len(table), field.type)
                for field in selected
            ]
            yield pa.Table.from_arrays(arrays, schema=selected)


@contextmanager
def readable(name: str, form: str) -> Iterator[None]:
    """Convert the errors of the readers for invalid bytes to DataFailure."""
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError, EOFError) as error:
        raise DataFailure(f"{name} can't be read as {form}: {_first_line(error)}.") from error
    except OSError as error:
        # pyarrow reports damaged pages as OSError without a number; a full disk has one.
        if error.errno is None:
            raise DataFailure(f"{name} can't be read as {form}: {_first_line(error)}.") from error
        raise


class Writer:
    """Writes one Parquet file; without rows there is no file, unless `always` is set.

    Parameters
    ----------
    path : Path
        The file.
    schema : pa.Schema
        Columns of the rows.
    always : bool, default False
        Write the file even if it has no rows.
    """

    def __init__(self, path: Path, schema: pa.Schema, *, always: bool = False) -> None:
        self._path, self._schema = path, schema
        self._writer: Any = None
        self.rows = 0
        if always:
            self._open()

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        if len(table):
            if self._writer is None:
                self._open()
            self._writer.write_table(table)
            self.rows += len(table)

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(self._path, self._schema)


def _read(path: Path, form: str, schema: pa.Schema, selected: pa.Schema) -> Iterator[pa.RecordBatch]:
    if form == "CSV":
        convert = pa.csv.ConvertOptions(
            column_types={field.name: field.type for field in schema},
            include_columns=selected.names,
            include_missing_columns=True,
        )
        with pa.csv.open_csv(_input(path), read_options=_csv_options(), convert_options=convert) as reader:
            yield from reader
        return
    with pq.ParquetFile(path) as file:
        present = [name for name in selected.names if name in file.schema_arrow.names]
        yield from file.iter_batches(BATCH_ROWS, columns=present)


def _input(path: Path) -> Any:
    """Open a file; its name, e.g. .csv.gz, gives the compression."""
    return pa.input_stream(str(path), compression="detect")


def _csv_options() -> Any:
    return pa.csv.ReadOptions(block_size=CSV_BLOCK_BYTES)


def _plain(schema: pa.Schema) -> pa.Schema:
    fields = [
        pa.field(field.name, field.type.value_type if pa.types.is_dictionary(field.type) else field.type)
        for field in schema
    ]
    names = [field.name for field in fields]
    for name in names:
        if names.count(name) > 1:
            raise pa.ArrowInvalid(f"the column '{name}' is there twice")
    return pa.schema(fields)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".")[:400] if lines else type(error).__name__
