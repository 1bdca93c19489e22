"""Data is compared with that of the last accepted run, before anything is trained."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from steadfit_artifact.store import Store, StoreUnavailableError
from steadfit_trainer.config import Evaluation
from steadfit_trainer.data import drift_check
from steadfit_trainer.data.profile import MAX_CATEGORIES, SAMPLE_ROWS, Profile, kind_of
from steadfit_trainer.failures import DataFailure

from tests.unit.trainer.flights import flights
from tests.unit.trainer.run_pod import MODELS, RunPod, operator, source
from tests.unit.trainer.training import train

RECORD = "s3://models/team/ns/flights/records/uid-1.json"
FEATURES = ("wind", "carrier")
Change = Callable[[pa.Table], pa.Table]


def column(name: str, values: Callable[[pa.ChunkedArray], Any]) -> Change:
    def change(table: pa.Table) -> pa.Table:
        return table.set_column(table.schema.get_field_index(name), name, values(table.column(name)))

    return change


def missing(share: float) -> Callable[[pa.ChunkedArray], Any]:
    def holes(values: pa.ChunkedArray) -> pa.Array:
        return pa.array(
            [None if index % 100 < share * 100 else each for index, each in enumerate(values.to_pylist())], values.type
        )

    return holes


def add(amount: float) -> Callable[[pa.ChunkedArray], Any]:
    return lambda values: pa.array([None if each is None else each + amount for each in values.to_pylist()])


def accepted(tmp_path: Path, *, profile: bool = True, features: tuple[str, ...] = FEATURES) -> RunPod:
    """Return a world whose last accepted run was trained on plain flights."""
    pod = RunPod(tmp_path / "steadfit")
    pod.put("s3://lake/flights/p.parquet", flights())
    record: dict[str, Any] = {
        "run": {"name": "flights-accepted"},
        "signature": [{"name": name, "datatype": "FP64"} for name in features],
    }
    resolved = pod.fetch()
    if profile:
        record["profile"] = resolved["profile"]
    pod.store("s3://models").put(RECORD, json.dumps(record).encode())
    pod.document["accepted"] = {"recordUri": RECORD, "store": MODELS}
    return pod


def refetched(pod: RunPod, change: Change) -> None:
    pod.put("s3://lake/flights/p.parquet", change(flights(seed=1)))
    pod.fetch()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda table: table.drop_columns(["wind"]), "'wind' of 'flights' is not there any more"),
        (
            column("wind", lambda values: pa.array([str(each) for each in values.to_pylist()])),
            r"'wind' of 'flights' is text \(string\), and was number \(double\)",
        ),
        (
            column("wind", missing(0.25)),
            r"'wind' of 'flights' is missing in 26\.\d% of the rows, and was in 2\.0%",
        ),
        (column("carrier", missing(0.21)), r"'carrier' of 'flights' is missing in 21\.0% of the rows, and was in 0"),
        (lambda table: table.slice(0, 299), "'flights' has 299 rows, and had 600"),
        (
            column("wind", add(2.1)),
            r"'wind' of 'flights' lies between 2\.1\d+ and 3\.0\d+ in 98% of the rows, and lay between 0\.\d+ and 0\.9",
        ),
        (column("wind", add(-2.1)), r"'wind' of 'flights' lies between -2\.0\d+ and -1\.1"),
        (column("late", missing(0.3)), r"'late' of 'flights' is missing in 30\.0% of the rows, and was in 0\.0%"),
    ],
)  # fmt: skip
def test_data_that_differs_from_the_accepted_fails_with_source_column_and_both_numbers(
    tmp_path: Path, change: Change, sentence: str
) -> None:
    pod = accepted(tmp_path)
    with pytest.raises(DataFailure, match=f"not like that of the accepted run flights-accepted: {sentence}"):
        refetched(pod, change)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table,
        lambda table: table.append_column("gust", table.column("wind")),
        column("wind", missing(0.15)),
        column("wind", add(1.5)),  # Farther than the world ever moved, but it may.
        column("wind", lambda values: pa.array([0.5] * len(values))),
        lambda table: table.slice(0, 300),
        lambda table: pa.concat_tables([table] * 3),
        column("carrier", lambda values: pa.array(["new"] * len(values))),
        column("late", lambda values: values.cast(pa.bool_())),  # A boolean is a number.
        column("wind", lambda values: values.cast(pa.float32())),
    ],
)  # fmt: skip
def test_a_world_that_moved_is_trained_on(tmp_path: Path, change: Change) -> None:
    refetched(accepted(tmp_path), change)


def test_columns_that_the_accepted_model_did_not_use_may_change_or_go(tmp_path: Path) -> None:
    pod = accepted(tmp_path, features=("wind",))
    refetched(pod, lambda table: column("id", add(1e6))(table).drop_columns(["carrier"]))


def test_every_column_of_a_source_without_the_target_counts(tmp_path: Path) -> None:
    pod = RunPod(tmp_path / "steadfit", {"data": [source(), source("planes")]})
    planes = pa.table({"plane": ["a", "b"], "seats": [100, 200]})
    pod.put("s3://lake/flights/p.parquet", flights())
    pod.put("s3://lake/planes/p.parquet", planes)
    record = {"run": {"name": "r"}, "signature": [{"name": "wind"}], "profile": pod.fetch()["profile"]}
    pod.store("s3://models").put(RECORD, json.dumps(record).encode())
    pod.document["accepted"] = {"recordUri": RECORD, "store": MODELS}
    pod.put("s3://lake/planes/p.parquet", planes.drop_columns(["seats"]))
    with pytest.raises(DataFailure, match="'seats' of 'planes' is not there any more"):
        pod.fetch()


def test_a_constant_of_the_accepted_data_sets_no_range(tmp_path: Path) -> None:
    def year(value: int) -> pa.Table:
        return flights().append_column("year", pa.array([value] * 600))

    pod = RunPod(tmp_path / "steadfit")
    pod.put("s3://lake/flights/p.parquet", year(2026))
    record = {"run": {"name": "r"}, "signature": [{"name": "year"}], "profile": pod.fetch()["profile"]}
    pod.store("s3://models").put(RECORD, json.dumps(record).encode())
    pod.document["accepted"] = {"recordUri": RECORD, "store": MODELS}
    pod.put("s3://lake/flights/p.parquet", year(2027))
    pod.fetch()


@pytest.mark.parametrize(
    "change", [{"latest": {"partitions": 1}}, {"uri": "s3://lake/other/", "latest": None}, {"name": "renamed"}]
)
def test_a_source_that_was_declared_otherwise_is_not_compared(tmp_path: Path, change: dict[str, Any]) -> None:
    pod = accepted(tmp_path)
    few = flights(50).drop_columns(["wind"])
    for place in ("flights/month=1", "other"):
        pod.put(f"s3://lake/{place}/p.parquet", few)
    if "name" in change:
        pod.put("s3://lake/flights/p.parquet", few)
    pod.document["data"] = [source() | change]
    pod.fetch()


def test_a_declared_digest_says_which_data_it_is_and_not_that_it_may_look_otherwise(tmp_path: Path) -> None:
    pod = accepted(tmp_path)
    pod.put("s3://lake/flights/p.parquet", flights(299))
    digest = RunPod(tmp_path / "other", {"data": [source()]}, pod.buckets).fetch()["data"][0]["digest"]
    pod.document["data"] = [source(digest=digest)]
    with pytest.raises(DataFailure, match="'flights' has 299 rows, and had 600"):
        pod.fetch()


def test_all_that_is_wrong_is_logged_and_as_much_as_a_status_holds_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pod = accepted(tmp_path, features=("wind", "carrier", "id"))
    with pytest.raises(DataFailure, match=r"had 600; 'id'.*; 'wind' .* any more\. There are 1 more\."):
        refetched(pod, lambda table: table.slice(0, 100).drop_columns(["id", "wind", "carrier"]))
    assert "'carrier' of 'flights' is not there any more" in caplog.text


def test_without_a_record_to_compare_with_nothing_is_checked_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pod = accepted(tmp_path)
    pod.document["accepted"]["recordUri"] = RECORD.replace("uid-1", "gone")
    refetched(pod, lambda table: table.slice(0, 100))
    assert "the data was not compared with that of the accepted run: There is no s3://models/team" in caplog.text


def test_a_record_of_before_there_were_profiles_checks_nothing_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    pod = accepted(tmp_path, profile=False)
    refetched(pod, lambda table: table.slice(0, 100))
    assert f"the accepted run's record {RECORD} has no profile" in caplog.text


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b'{"profile": [7], "signature": []}', b'{"profile": [{"name": "flights"}]}']
)
def test_a_record_that_is_not_as_expected_holds_no_run_back(
    tmp_path: Path, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    pod = accepted(tmp_path)
    pod.store("s3://models").put(RECORD, raw)
    refetched(pod, lambda table: table.slice(0, 100))
    assert "the data was not compared" in caplog.text


def test_a_store_of_the_accepted_run_that_is_away_holds_no_run_back(tmp_path: Path) -> None:
    pod = accepted(tmp_path)

    class Away(Store):
        def get(self, uri: str, max_bytes: int = 0) -> bytes:
            raise StoreUnavailableError("The store is away.")

    pod.wrap = lambda store: Away(store.uri_prefix, store._bucket) if "models" in store.uri_prefix else store
    refetched(pod, lambda table: table.slice(0, 100))


def test_what_the_data_looked_like_is_in_the_stores_record_and_not_posted(tmp_path: Path) -> None:
    pod = RunPod(tmp_path / "steadfit")
    pod.put("s3://lake/flights/p.parquet", flights())
    profile = pod.fetch()["profile"]
    train(pod)
    with operator(tmp_path) as intake:
        pod.publish(intake)
    assert pod.record()["profile"] == profile
    assert all("profile" not in body for body in intake.bodies())


def test_a_profile_says_of_each_column_its_kind_its_gaps_and_where_values_lie(tmp_path: Path) -> None:
    pod = RunPod(tmp_path / "steadfit")
    table = flights()
    pod.put("s3://lake/flights/p.parquet", table)
    (found,) = pod.fetch()["profile"]
    columns = {each["name"]: each for each in found["columns"]}
    wind = np.array([each for each in table.column("wind").to_pylist() if each is not None])
    assert found["rows"] == 600, "the rows that judge included"
    assert columns["wind"] == {
        "name": "wind", "kind": "number", "type": "double", "missing": 0.02, "min": wind.min(), "max": wind.max(),
        "q01": pytest.approx(np.quantile(wind, 0.01)), "q99": pytest.approx(np.quantile(wind, 0.99)),
    }  # fmt: skip
    assert columns["carrier"] == {"name": "carrier", "kind": "text", "type": "string", "missing": 0.0, "categories": 3}
    assert columns["time"]["kind"] == "time"
    assert "min" not in columns["time"]


def test_quantiles_of_many_rows_are_near_the_true_ones_and_memory_is_bounded() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=300_000)
    profile = Profile(pa.schema([("x", pa.float64())]))
    for start in range(0, len(values), 70_001):
        profile.add(pa.table({"x": values[start : start + 70_001]}))
    (found,) = profile.columns()
    assert (found["min"], found["max"]) == (values.min(), values.max())
    assert np.mean(values < found["q01"]) == pytest.approx(0.01, abs=0.004)
    assert np.mean(values < found["q99"]) == pytest.approx(0.99, abs=0.004)
    assert SAMPLE_ROWS <= sum(map(len, profile._sample)) <= 2 * SAMPLE_ROWS


def test_the_same_rows_give_the_same_profile_however_they_come() -> None:
    table = flights(20_000)
    profiles = []
    for step in (999, 20_000):
        profile = Profile(table.schema)
        for start in range(0, len(table), step):
            profile.add(table.slice(start, step))
        profiles.append(profile.columns())
    assert profiles[0] == profiles[1]


def test_values_that_are_no_numbers_are_no_bounds_and_json_can_hold_the_profile() -> None:
    profile = Profile(pa.schema([("x", pa.float64()), ("none", pa.float64()), ("nothing", pa.null())]))
    nan = float("nan")
    profile.add(pa.table({"x": [1.0, float("inf"), nan, 3.0], "none": [nan] * 4, "nothing": pa.nulls(4)}))
    x, none, nothing = profile.columns()
    assert (x["min"], x["max"], x["missing"]) == (1.0, 3.0, 0.25)
    assert (none["missing"], "min" in none) == (1.0, False)
    assert (nothing["kind"], nothing["missing"]) == ("empty", 1.0)
    json.dumps(profile.columns(), allow_nan=False)


def test_a_column_that_is_empty_now_is_called_missing_and_not_of_another_kind() -> None:
    evaluation = Evaluation.model_validate(
        {"target": "late", "holdout": {"by": "Time", "column": "time"}, "metrics": [{"name": "mae"}]}
    )
    then = {"name": "wind", "kind": "number", "type": "double", "missing": 0.0, "min": 0.0, "max": 1.0}
    now = {"name": "wind", "kind": "empty", "type": "null", "missing": 1.0}
    shape = {"name": "flights", "declared": {}, "rows": 10}
    record = {"signature": [{"name": "wind"}], "profile": [{**shape, "columns": [then]}]}
    assert list(drift_check.differences(record, [{**shape, "columns": [now]}], evaluation)) == [
        "'wind' of 'flights' is missing in 100.0% of the rows, and was in 0.0%"
    ]


def test_different_texts_are_counted_up_to_a_bound() -> None:
    profile = Profile(pa.schema([("id", pa.string())]))
    profile.add(pa.table({"id": [str(index) for index in range(MAX_CATEGORIES + 500)]}))
    assert profile.columns()[0]["categories"] == MAX_CATEGORIES


@pytest.mark.parametrize(
    ("column_type", "kind"),
    [
        (pa.bool_(), "number"), (pa.uint64(), "number"), (pa.decimal128(9, 2), "number"), (pa.large_string(), "text"),
        (pa.date32(), "time"), (pa.timestamp("ns", "UTC"), "time"), (pa.list_(pa.int8()), "other"),
    ],
)  # fmt: skip
def test_kinds_are_what_a_column_is_whatever_width_it_has(column_type: pa.DataType, kind: str) -> None:
    assert kind_of(column_type) == kind
    if column_type == pa.uint64():
        profile = Profile(pa.schema([("x", column_type)]))
        profile.add(pa.table({"x": pa.array([2**63 + 1, None], column_type)}))
        assert profile.columns()[0]["max"] == pytest.approx(2**63)


def test_a_captured_source_that_was_empty_sets_no_columns(tmp_path: Path) -> None:
    """Until the first outcome such a source has the columns of another one."""
    evaluation = Evaluation.model_validate(
        {"target": "late", "holdout": {"by": "Time", "column": "time"}, "metrics": [{"name": "mae"}]}
    )
    shape = {"name": "live", "declared": {}}
    then = {**shape, "rows": 0, "columns": [{"name": "late", "kind": "text", "type": "string", "missing": 0.0}]}
    now = {**shape, "rows": 9, "columns": []}
    assert list(drift_check.differences({"signature": [], "profile": [then]}, [now], evaluation)) == []
