"""The two halves of a month are the month, in the order of time; the metric feed is the same flights."""

import io

import numpy as np
import pyarrow.parquet as pq
from numpy.testing import assert_allclose

from tests.demo.flights import as_parquet, flown, in_celsius


def test_the_halves_of_a_month_are_the_month_and_the_first_is_over_before_the_second_begins() -> None:
    whole, first, second = (pq.read_table(io.BytesIO(as_parquet(flown(3, half)))).to_pandas() for half in (None, 0, 1))
    assert len(first) + len(second) == len(whole)
    assert first["time_hour"].max() <= second["time_hour"].min()
    assert whole["late"].sum() == first["late"].sum() + second["late"].sum()


def test_the_metric_feed_differs_in_both_temperatures_and_in_nothing_else() -> None:
    frame = flown(7).head(500)
    metric = in_celsius(frame)
    assert_allclose(metric["temp"] * 1.8 + 32, frame["temp"], atol=0.1)
    assert_allclose(metric["dewp"] * 1.8 + 32, frame["dewp"], atol=0.1)
    assert float(np.nanmean(metric["temp"])) < 40 < float(np.nanmean(frame["temp"]))
    same = [name for name in frame.columns if name not in ("temp", "dewp")]
    assert metric[same].equals(frame[same])
