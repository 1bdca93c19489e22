"""Departures that are late for reasons, a hundred a day."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

START = datetime(2026, 1, 1, tzinfo=UTC)


def flights(rows: int = 600, seed: int = 0, first: int = 0) -> pa.Table:
    """Return flights with a key, a time in whole hours, a number, a text and the label `late`."""
    rng = np.random.default_rng(seed)
    wind, carrier = rng.random(rows), rng.choice(["AA", "UA", "DL"], rows)
    late = (wind + (carrier == "UA") * 0.5 + rng.normal(0, 0.1, rows) > 0.8).astype(int)
    return pa.table(
        {
            "id": pa.array(range(first, first + rows)),
            "time": pa.array(
                [START + timedelta(hours=(first + row) // 4) for row in range(rows)], pa.timestamp("us", "UTC")
            ),
            "wind": pa.array([None if row % 50 == 0 else float(value) for row, value in enumerate(wind)], pa.float64()),
            "carrier": pa.array(carrier.tolist()),
            "late": pa.array(late.tolist()),
        }
    )


def ids(table: pa.Table) -> set[Any]:
    return set(table.column("id").to_pylist())
