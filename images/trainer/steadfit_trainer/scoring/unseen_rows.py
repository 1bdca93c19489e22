"""Rows of the holdout that an older version did not learn from: those that its own holdout held out too.

While the recipe splits off the holdout in the same way, these are all rows. After a change of it, the rows of both
holdouts are the only ones that are fair to both versions.
"""

import math
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from steadfit_trainer.config import Champion
from steadfit_trainer.data.holdout import MIN_ROWS, by_hash
from steadfit_trainer.scoring.older_versions import NotComparableError


def unseen(champion: Champion, folder: Path) -> NDArray[np.int64]:
    """Return the indices of the rows that were held out from the champion, in the order of `score.load_holdout`.

    Raises
    ------
    NotComparableError
        Its holdout is not recorded, or cannot be found again in this data; or fewer than `MIN_ROWS` rows are left.
    """
    if champion.by is None or champion.column is None:
        raise NotComparableError(
            "how its holdout was split off is not recorded, so it may have learned from these rows"
        )
    masks = [_mask(champion, champion.column, path) for path in sorted(folder.glob("*.parquet"))]
    mask = np.concatenate(masks)
    rows = np.flatnonzero(mask)
    if len(rows) < min(MIN_ROWS, len(mask)):
        raise NotComparableError(
            f"of the {len(mask)} rows of the holdout, {len(rows)} were held out from it too ({_rule(champion)}), and"
            f" {MIN_ROWS} are needed; it has learned from the others"
        )
    return rows


def _mask(champion: Champion, column: str, path: Path) -> NDArray[np.bool_]:
    if column not in pq.read_schema(path).names:
        raise NotComparableError(
            f"its holdout was split off by '{column}', which the data source '{path.stem}' does not have, so it may"
            " have learned from these rows"
        )
    table = pq.read_table(path, columns=[column])
    if champion.by == "Hash":
        if champion.fraction is None:
            raise NotComparableError("how much was held out from it is not recorded, so it may have seen the rows")
        return np.asarray(by_hash(column, champion.fraction)(table))
    held = _not_before(table.column(column), champion.boundary)
    if held is None:
        raise NotComparableError(
            f"its holdout begins at {champion.boundary}, which is no value of '{column}' in this data, so it may have"
            " learned from these rows"
        )
    return held


def _rule(champion: Champion) -> str:
    if champion.by == "Hash":
        return f"Hash of '{champion.column}', {champion.fraction:g} of the rows"
    return f"Time of '{champion.column}' from {champion.boundary}"


def _not_before(values: pa.ChunkedArray, boundary: str | None) -> NDArray[np.bool_] | None:
    """Return which values are at or after a boundary, the text of one; None if it is no such value."""
    if boundary is None:
        return None
    try:
        if pa.types.is_timestamp(values.type):
            limit = pa.scalar(_moment(boundary, values.type), pa.timestamp("us")).cast(pa.int64())
            values = values.cast(pa.timestamp("us", values.type.tz), safe=False)
            found = pc.greater_equal(values.cast(pa.int64()), limit)
        elif pa.types.is_integer(values.type):
            found = pc.greater_equal(values, pa.scalar(math.ceil(Decimal(boundary))))
        elif pa.types.is_floating(values.type):
            found = pc.greater_equal(values, pa.scalar(float(boundary)))
        elif pa.types.is_decimal(values.type):
            found = pc.greater_equal(values, pa.scalar(Decimal(boundary)))
        else:
            found = pc.greater_equal(values, pa.scalar(boundary).cast(values.type))
    except (ValueError, OverflowError, InvalidOperation, pa.ArrowException):
        return None
    return np.asarray(found.fill_null(False).to_numpy(), np.bool_)


def _moment(text: str, kind: Any) -> datetime:
    """Return a time without time zone, in UTC if the column is of instants.

    Raises
    ------
    ValueError
        It is none, or one of a time zone beside a column without one, or the other way round.
    """
    moment = datetime.fromisoformat(text)
    if (moment.tzinfo is None) != (kind.tz is None):
        raise ValueError(f"{text} is no value of {kind}")
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
