"""The two halves of a month are the month, in the order of time."""

import io

import pyarrow.parquet as pq

from tests.demo.flights import month_as_parquet


def test_the_halves_of_a_month_are_the_month_and_the_first_is_over_before_the_second_begins() -> None:
    whole, first, second = (pq.read_table(io.BytesIO(month_as_parquet(3, half))).to_pandas() for half in (None, 0, 1))
    assert len(first) + len(second) == len(whole)
    assert first["time_hour"].max() <= second["time_hour"].min()
    assert whole["late"].sum() == first["late"].sum() + second["late"].sum()
