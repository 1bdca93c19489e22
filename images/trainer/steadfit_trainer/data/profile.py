"""The profile of a table: type, share of missing values and distribution of each column.

It is computed while the rows are written, without a second pass. Minimum and maximum are exact; the quantiles are those
of every n-th row, with a bounded number of rows. It is deterministic: the same rows give the same profile.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Rows in the sample for quantiles: at least this many, at most twice as many, if there are so many.
SAMPLE_ROWS = 8192
# More different texts are not counted.
MAX_CATEGORIES = 1000


class Profile:
    """The profile of one source.

    Parameters
    ----------
    schema : pa.Schema
        Columns of its rows.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self.rows = 0
        self._missing = dict.fromkeys(schema.names, 0)
        self._numbers = [each.name for each in schema if kind_of(each.type) == "number"]
        self._bounds: dict[str, tuple[float, float]] = {}
        self._texts: dict[str, set[str]] = {each.name: set() for each in schema if kind_of(each.type) == "text"}
        self._sample: list[pa.Table] = []
        self._stride, self._sampled = 1, 0

    def add(self, table: pa.Table) -> None:
        """Add rows to the profile."""
        for name in table.column_names:
            self._missing[name] += pc.sum(pc.is_null(table.column(name), nan_is_null=True)).as_py() or 0
        numbers = pa.table([_doubles(table.column(name)) for name in self._numbers], names=self._numbers)
        for name in self._numbers:
            values = numbers.column(name).to_numpy()
            finite = values[np.isfinite(values)]
            if len(finite):
                least, greatest = self._bounds.get(name, (np.inf, -np.inf))
                self._bounds[name] = min(least, float(finite.min())), max(greatest, float(finite.max()))
        for name, known in self._texts.items():
            if len(known) < MAX_CATEGORIES:
                known.update(each for each in pc.unique(table.column(name)).to_pylist() if each is not None)
        self._take(numbers, len(table))
        self.rows += len(table)

    def columns(self) -> list[dict[str, Any]]:
        """Return the profile of each column."""
        sample = pa.concat_tables(self._sample) if self._sample else None
        return [self._column(each, sample) for each in self._schema]

    def _column(self, column: pa.Field, sample: pa.Table | None) -> dict[str, Any]:
        name = column.name
        found: dict[str, Any] = {"name": name, "kind": kind_of(column.type), "type": str(column.type)[:64]}
        found["missing"] = round(self._missing[name] / self.rows, 6) if self.rows else 0.0
        if name in self._bounds and sample is not None:
            found["min"], found["max"] = self._bounds[name]
            values = sample.column(name).to_numpy()
            finite = values[np.isfinite(values)]
            if len(finite):
                found["q01"], found["q99"] = (float(each) for each in np.quantile(finite, [0.01, 0.99]))
        if name in self._texts:
            found["categories"] = min(len(self._texts[name]), MAX_CATEGORIES)
        return found

    def _take(self, numbers: pa.Table, rows: int) -> None:
        """Sample every n-th row; halve the sample when it is too large."""
        if not self._numbers:
            return
        picked = numbers.take(pa.array(np.arange(-self.rows % self._stride, rows, self._stride)))
        self._sample.append(picked)
        self._sampled += len(picked)
        while self._sampled > 2 * SAMPLE_ROWS:
            whole = pa.concat_tables(self._sample)
            half = whole.take(pa.array(np.arange(0, len(whole), 2)))
            self._sample, self._sampled, self._stride = [half], len(half), 2 * self._stride


def kind_of(column: pa.DataType) -> str:
    """Return the kind of a column, independent of its width: number, text, time, other, or empty."""
    types = pa.types
    if types.is_null(column):
        return "empty"
    if any(check(column) for check in (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal)):
        return "number"
    if types.is_string(column) or types.is_large_string(column):
        return "text"
    return "time" if types.is_timestamp(column) or types.is_date(column) else "other"


def _doubles(values: Any) -> Any:
    """Return numbers as float64, with NaN for missing values."""
    plain = pc.cast(values, pa.uint8()) if pa.types.is_boolean(values.type) else values
    return pc.fill_null(pc.cast(plain, pa.float64(), safe=False), np.nan)
