import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steadfit_trainer.data.holdout import boundary_of, by_hash, text_of
from steadfit_trainer.failures import DataFailure

from tests.unit.trainer.run_pod import RunPod, source

ROWS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from([0, 1, 1, 0, None])), min_size=12, max_size=80)


def _run(
    folder: Path, parts: list[list[tuple[int, int | None]]], by: str, fraction: float, form: str, key: bool
) -> RunPod:
    """Fetch sources whose rows are (value to split by, label), with an id over all of them."""
    names = [f"s{index}" for index in range(len(parts))]
    more: dict[str, Any] = {"format": form, **({"keyColumn": "id"} if key else {})}
    pod = RunPod(folder, {"data": [source(name, **more) for name in names]})
    pod.document["evaluation"]["holdout"] = {"by": by, "column": "time", "fraction": fraction}
    first = 0
    for name, rows in zip(names, parts, strict=True):
        columns = {
            "id": pa.array(range(first, first + len(rows))),
            "time": pa.array([value for value, _ in rows]),
            "late": pa.array([label for _, label in rows], pa.int64()),
        }
        pod.put(f"s3://lake/{name}/p.{form.lower()}", pa.table(columns))
        first += len(rows)
    pod.fetch()
    return pod


@settings(max_examples=40)
@given(
    parts=st.lists(ROWS, min_size=1, max_size=2),
    by=st.sampled_from(["Time", "Hash"]),
    fraction=st.floats(0.05, 0.9),
    form=st.sampled_from(["Parquet", "CSV"]),
    key=st.booleans(),
)
def test_no_row_and_no_value_is_on_both_sides_and_no_row_is_lost(
    parts: list[list[tuple[int, int | None]]], by: str, fraction: float, form: str, key: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            pod = _run(Path(folder), parts, by, fraction, form, key)
        except DataFailure:
            return  # Too little to split; what that means is tested by name.
        names = [f"s{index}" for index in range(len(parts))]
        trained = pa.concat_tables([pod.trained(name) for name in names]).to_pylist()
        held = pa.concat_tables([pod.held(name) for name in names]).to_pylist()
    labelled = {row["time"] for row in trained if row["late"] is not None}
    judging = {row["time"] for row in held}
    assert labelled
    assert judging
    assert not {row["id"] for row in trained} & {row["id"] for row in held}
    assert not labelled & judging
    assert all(row["late"] is not None for row in held)
    assert sorted(row["id"] for row in trained + held) == list(range(sum(map(len, parts))))
    if by == "Time":
        assert max(labelled) < min(judging)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 20), min_size=2, max_size=60), st.floats(0.05, 0.95))
def test_the_time_boundary_holds_out_at_least_the_fraction_and_not_a_value_more(
    values: list[int], fraction: float
) -> None:
    if len(set(values)) == 1:
        with pytest.raises(DataFailure, match="same value"):
            boundary_of(pa.chunked_array([values]), fraction)
        return
    boundary = boundary_of(pa.chunked_array([values]), fraction).as_py()
    wanted = max(1, round(len(values) * fraction))
    assert min(values) < boundary <= max(values)
    assert sum(value > boundary for value in values) < wanted
    assert sum(value >= boundary for value in values) >= wanted or boundary == sorted(set(values))[1]


def _held(values: Any, fraction: float = 0.3) -> list[bool]:
    found: list[bool] = by_hash("v", fraction)(pa.table({"v": values})).to_pylist()
    return found


def test_the_hash_of_a_value_is_fixed_for_ever() -> None:
    # Changing these moves rows that old versions were trained on into the holdout.
    assert [index for index, held in enumerate(_held(pa.array(range(20)))) if held] == [4, 8, 9, 10, 13, 17]
    assert [
        letter for letter, held in zip("abcdefghij", _held(pa.array(list("abcdefghij"))), strict=True) if held
    ] == list("bcdefj")


def test_the_hash_does_not_depend_on_how_a_value_is_stored() -> None:
    numbers = list(range(200))
    expected = _held(pa.array(numbers))
    for kind in (pa.int16(), pa.uint64(), pa.float64(), pa.string()):
        assert _held(pa.array(numbers).cast(kind)) == expected
    times = pa.array([datetime(2026, 1, 1 + day % 28, day // 28) for day in range(200)])  # noqa: DTZ001
    expected = _held(times.cast(pa.timestamp("us")))
    for unit, zone in (("s", None), ("ns", None), ("ms", "UTC"), ("us", "Europe/Berlin")):
        assert _held(times.cast(pa.timestamp(unit)).cast(pa.int64()).cast(pa.timestamp(unit, zone))) == expected


def test_the_hash_holds_out_about_the_fraction_and_more_of_it_never_gives_a_row_back() -> None:
    values = pa.array([f"flight-{index}" for index in range(20_000)])
    small, large = _held(values, 0.2), _held(values, 0.4)
    assert 0.19 < sum(small) / 20_000 < 0.21
    assert all(after for before, after in zip(small, large, strict=True) if before)


@pytest.mark.parametrize(
    ("scalar", "text"),
    [
        (pa.scalar(1767322800, pa.timestamp("s")), "2026-01-02T03:00:00"),
        (pa.scalar(1767323045000000001, pa.timestamp("ns", "America/New_York")), "2026-01-02T03:04:05Z"),
        (pa.scalar(7), "7"),
        (pa.scalar("2026-01-02"), "2026-01-02"),
        (pa.scalar(1.5), "1.5"),
        (pa.scalar("x" * 200), "x" * 128),
    ],
)
def test_a_boundary_is_recorded_as_text(scalar: Any, text: str) -> None:
    assert text_of(scalar) == text
