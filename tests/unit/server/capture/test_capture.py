import io
import json
import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from obstore.store import MemoryStore
from steadfit_artifact.captures import PartPath, parse_part_path
from steadfit_artifact.store import Store, StoreUnavailableError
from steadfit_server import __main__ as server
from steadfit_server.capture.capture import Capture, Statistics
from steadfit_server.model.interface import Output

from tests.unit.server.harness import settings

URI = "s3://models/team/ns/_captures/flights/"
NINE = datetime(2026, 1, 31, 9, 59, 59, tzinfo=UTC).timestamp()


class Bucket(Store):
    """A store in memory that can be away or hang."""

    def __init__(self) -> None:
        super().__init__("s3://models", MemoryStore())
        self.away = False
        self.refused = 0
        self.gate = threading.Event()
        self.gate.set()

    def put(self, uri: str, content: Any, *, create: bool = False) -> None:
        self.gate.wait(30)
        if self.away:
            self.refused += 1
            raise StoreUnavailableError("The store is away.")
        super().put(uri, content, create=create)

    def parts(self, kind: str = "requests") -> dict[str, pa.Table]:
        found = {each.path: self.get(each.uri) for each in self.list(URI) if each.path.startswith(kind)}
        return {path: pq.read_table(io.BytesIO(raw), partitioning=None) for path, raw in found.items()}

    def rows(self, kind: str = "requests") -> list[dict[str, Any]]:
        return [row for table in self.parts(kind).values() for row in table.to_pylist()]


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def capture(bucket: Bucket, sample: float = 1.0, **options: Any) -> Capture:
    return Capture(URI, sample, "7", lambda: bucket, "flights-0a1b2c-xyz", **({"seconds": 60.0} | options))


def ask(target: Capture, prediction_id: str = "a" * 32, rows: int = 1, at: float = NINE, **columns: Any) -> None:
    given = {name: np.array(values) for name, values in columns.items()} or {"wind": np.full(rows, 0.5)}
    outputs = [
        Output("label", "INT64", [rows], np.ones(rows, np.int64)),
        Output("probabilities", "FP32", [rows, 2], np.tile(np.array([0.25, 0.75], np.float32), rows)),
    ]
    target.request(prediction_id, at, given, outputs)


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_kept_request_lies_in_its_hour_and_version_with_inputs_and_answer(bucket: Bucket) -> None:
    target = capture(bucket)
    columns = {
        "hour": np.array([9, 17], np.int32),
        "wind": np.array([3.5, math.nan]),
        "holiday": np.array([True, False]),
        "carrier": np.array(["UA", None], object),
    }
    outputs = [
        Output("label", "BYTES", [2], ["late", "punctual"]),
        Output("probabilities", "FP32", [2, 2], np.array([0.75, 0.25, 0.5, 0.5], np.float32)),
    ]
    target.start()
    target.request("b" * 32, NINE, columns, outputs)
    target.stop()
    ((path, table),) = bucket.parts().items()
    assert parse_part_path(path) == PartPath("requests", datetime(2026, 1, 31, 9, tzinfo=UTC), "7")
    assert path.startswith("requests/hour=2026-01-31T09/version=7/flights-0a1b2c-xyz-")
    at = datetime(2026, 1, 31, 9, 59, 59, tzinfo=UTC)
    one = {"prediction_id": "b" * 32, "captured_at": at}
    assert table.to_pylist() == [
        {**one, "row": 0, "hour": 9, "wind": 3.5, "holiday": True, "carrier": "UA", "prediction": "late",
         "probabilities": [0.75, 0.25]},
        {**one, "row": 1, "hour": 17, "wind": None, "holiday": False, "carrier": None, "prediction": "punctual",
         "probabilities": [0.5, 0.5]},
    ]  # fmt: skip
    assert target.statistics() == Statistics(kept=2)


def test_a_regressions_value_is_kept_as_the_prediction(bucket: Bucket) -> None:
    target = capture(bucket)
    target.start()
    target.request("a", NINE, {"wind": np.array([1.0])}, [Output("prediction", "FP64", [1], np.array([12.5]))])
    target.stop()
    assert [row["prediction"] for row in bucket.rows()] == [12.5]


def test_an_input_may_have_the_name_of_a_column_of_ours(bucket: Bucket) -> None:
    target = capture(bucket)
    target.start()
    ask(target, "c" * 32, row=[41.0], prediction=[42.0])
    target.stop()
    (row,) = bucket.rows()
    assert (row["row"], row["input.row"], row["prediction"], row["input.prediction"]) == (0, 41.0, 1, 42.0)


def test_an_outcome_is_json_and_lies_under_the_version_that_answered_and_the_hour_it_came(bucket: Bucket) -> None:
    target = capture(bucket)
    target.start()
    outcomes: list[bool | float | str] = [True, 1, 0.5, "späte"]
    for row, outcome in enumerate(outcomes):
        target.outcome("a" * 32, NINE + 1, row, outcome, "5")
    target.stop()
    ((path, table),) = bucket.parts("outcomes").items()
    assert parse_part_path(path) == PartPath("outcomes", datetime(2026, 1, 31, 10, tzinfo=UTC), "5")
    assert table.column("outcome").to_pylist() == ["true", "1", "0.5", '"späte"']
    assert table.column("row").to_pylist() == [0, 1, 2, 3]
    assert target.statistics().kept == 4


def test_requests_of_different_hours_are_different_parts(bucket: Bucket) -> None:
    target = capture(bucket)
    target.start()
    ask(target, at=NINE)
    ask(target, at=NINE + 1)
    target.stop()
    hours = sorted(place.hour.hour for place in map(parse_part_path, bucket.parts()) if place)
    assert hours == [9, 10]


def test_a_share_of_the_requests_is_kept_and_the_outcomes_of_exactly_those_on_any_replica(bucket: Bucket) -> None:
    one, other = capture(bucket, 0.25), capture(Bucket(), 0.25)
    ids = [f"{index:032x}" for index in range(4000)]
    kept = {each for each in ids if one.keeps(each)}
    assert 0.22 < len(kept) / len(ids) < 0.28
    assert kept == {each for each in ids if other.keeps(each)}
    one.start()
    for each in ids[:100]:
        ask(one, each)
        one.outcome(each, NINE, 0, 1, "7")
    one.stop()
    assert {row["prediction_id"] for row in bucket.rows()} == kept & set(ids[:100])
    assert {row["prediction_id"] for row in bucket.rows("outcomes")} == kept & set(ids[:100])


def test_everything_is_kept_at_sample_1_and_nothing_at_0(bucket: Bucket) -> None:
    ids = [f"{index:032x}" for index in range(1000)]
    assert all(map(capture(bucket, 1.0).keeps, ids))
    assert not any(map(capture(bucket, 0.0).keeps, ids))


def test_a_part_is_written_as_soon_as_enough_rows_wait(bucket: Bucket) -> None:
    target = capture(bucket, rows=10)
    target.start()
    ask(target, rows=9)
    time.sleep(0.1)
    assert not bucket.parts()
    ask(target, "b" * 32)
    eventually(lambda: target.statistics().kept == 10)
    target.stop()


def test_a_part_is_written_when_the_time_is_over(bucket: Bucket) -> None:
    target = capture(bucket, seconds=0.05)
    target.start()
    ask(target)
    eventually(lambda: target.statistics().kept == 1)
    target.stop()


@pytest.mark.parametrize("flush", [{"capture_flush_seconds": 0.05}, {"capture_flush_rows": 1}])
def test_how_soon_rows_are_in_the_store_is_a_setting(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, flush: dict[str, Any]
) -> None:
    monkeypatch.setattr(Store, "connect", lambda config: bucket)
    wanted = settings(capture=json.dumps({"uri": URI, "sample": 1.0}), **flush)
    target = server._capture(wanted)
    assert target is not None
    target.start()
    ask(target)
    eventually(lambda: target.statistics().kept == 1)
    target.stop()


def test_parts_of_one_pod_never_overwrite_each_other_also_after_a_restart(bucket: Bucket) -> None:
    for _ in range(2):
        target = capture(bucket, rows=1)
        target.start()
        for index in range(2):
            ask(target, f"{index:032x}")
            eventually(lambda index=index, target=target: target.statistics().kept == index + 1)  # type: ignore[misc]
        target.stop()
        time.sleep(0.002)
    assert len(bucket.parts()) == 4


def test_a_store_that_hangs_costs_rows_and_no_time(bucket: Bucket) -> None:
    target = capture(bucket, rows=1, max_rows=10)
    bucket.gate.clear()
    target.start()
    started = time.monotonic()
    for index in range(1000):
        ask(target, f"{index:032x}")
    assert time.monotonic() - started < 30
    assert target.statistics() == Statistics(dropped=990), "rows being written count as waiting"
    bucket.gate.set()
    eventually(lambda: target.statistics().kept == 10)
    ask(target, "f" * 32)
    eventually(lambda: target.statistics().kept == 11)
    target.stop()


def test_what_waits_is_bounded_in_bytes_also_of_texts(bucket: Bucket) -> None:
    target = capture(bucket, max_bytes=100_000)
    for index in range(10):
        target.request(f"{index}", NINE, {"note": np.array(["x" * 30_000], object)}, [])
    assert target.statistics() == Statistics(dropped=7)


def test_rows_that_the_store_refuses_are_kept_when_it_is_back(bucket: Bucket) -> None:
    opened: list[int] = []

    def connect() -> Store:
        opened.append(1)
        return bucket

    target = Capture(URI, 1.0, "7", connect, "pod", rows=1)
    bucket.away = True
    target.start()
    ask(target)
    eventually(lambda: bucket.refused == 1)
    ask(target, "b" * 32)
    assert target.statistics() == Statistics()
    bucket.away = False
    eventually(lambda: target.statistics().kept == 2)
    target.stop()
    assert [row["prediction_id"] for row in bucket.rows()] == ["a" * 32, "b" * 32]
    assert len(opened) == 2, "keys and certificates may be others by the next time"


def test_rows_that_wait_for_a_store_that_is_away_are_bounded_too(bucket: Bucket) -> None:
    target = capture(bucket, rows=1, max_rows=10)
    bucket.away = True
    target.start()
    for index in range(30):
        ask(target, f"{index:032x}")
    eventually(lambda: bucket.refused > 0)
    assert target.statistics() == Statistics(dropped=20)
    bucket.away = False
    target.stop()
    assert target.statistics() == Statistics(kept=10, dropped=20)


def test_what_the_store_does_not_take_for_long_is_lost_and_counted(bucket: Bucket) -> None:
    target = capture(bucket, rows=1, give_up_seconds=0.0)
    bucket.away = True
    target.start()
    ask(target)
    eventually(lambda: target.statistics().failed == 1)
    bucket.away = False
    ask(target, "b" * 32)
    eventually(lambda: target.statistics().kept == 1)
    target.stop()
    assert target.statistics() == Statistics(kept=1, failed=1)


def test_a_store_that_can_not_be_opened_never_reaches_the_caller(bucket: Bucket) -> None:
    def connect() -> Store:
        raise RuntimeError("no such file")

    target = Capture(URI, 1.0, "7", connect, "pod")
    target.start()
    ask(target, rows=3)
    target.stop()
    assert target.statistics() == Statistics(failed=3)


def test_what_can_not_be_captured_is_counted_and_never_raised(bucket: Bucket) -> None:
    target = capture(bucket)
    target.start()
    target.request("a", NINE, {}, [])
    target.outcome("a", NINE, 0, math.nan, "7")
    target.request("a", NINE, {"wind": np.array([1.0])}, [])  # No output that is a prediction.
    target.stop()
    assert target.statistics() == Statistics(failed=3)


def test_stop_writes_what_waits_and_later_rows_are_dropped(bucket: Bucket) -> None:
    target = capture(bucket)
    target.start()
    ask(target, rows=5)
    target.stop()
    ask(target, "b" * 32)
    assert target.statistics() == Statistics(kept=5, dropped=1)
    assert len(bucket.rows()) == 5


def test_stop_takes_no_longer_than_it_may_when_the_store_hangs(bucket: Bucket) -> None:
    target = capture(bucket)
    bucket.gate.clear()
    target.start()
    ask(target, rows=5)
    started = time.monotonic()
    target.stop(0.1)
    assert time.monotonic() - started < 30
    assert target.statistics() == Statistics(dropped=5)
    bucket.gate.set()


def test_times_are_exact_to_the_microsecond(bucket: Bucket) -> None:
    target = capture(bucket)
    target.start()
    ask(target, at=NINE + 0.123456)
    target.stop()
    assert bucket.rows()[0]["captured_at"].microsecond == 123456
