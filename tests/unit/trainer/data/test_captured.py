"""Captured rows as a data source: what the server wrote, read back by fetch."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from steadfit_artifact import captures
from steadfit_artifact.captures import OUTCOMES, REQUESTS, part_path
from steadfit_artifact.digest import FileEntry, data_digest
from steadfit_server.capture.capture import Capture
from steadfit_server.model.interface import Output
from steadfit_trainer.data import captured, tables
from steadfit_trainer.failures import DataFailure

from tests.unit.trainer.capturing import NINE, PLACE, put_outcomes, put_requests, recorded, request
from tests.unit.trainer.flights import flights
from tests.unit.trainer.run_pod import RunPod, source


def world_of(tmp_path: Path, *data: dict[str, Any], **evaluation: Any) -> RunPod:
    pod = RunPod(tmp_path / "steadfit", {"data": list(data) or [recorded()]})
    pod.document["evaluation"]["holdout"] = {"by": "Time", "column": "captured_at", "fraction": 0.2}
    pod.document["evaluation"] |= evaluation
    return pod


def hourly(pod: RunPod, count: int = 20, first: int = 0, **columns: Any) -> None:
    """Put a request an hour, each with an outcome a day later."""
    for index in range(first, first + count):
        at = NINE + timedelta(hours=index)
        put_requests(pod, request(f"r{index}", at, wind=[float(index)], **columns), part=f"pod-{index}")
        put_outcomes(pod, (f"r{index}", 0, at + timedelta(days=1), str(index % 2)), part=f"pod-{index}")


def rows_of(pod: RunPod, name: str = "live") -> list[dict[str, Any]]:
    rows = pod.trained(name).to_pylist() + pod.held(name).to_pylist()
    return sorted(rows, key=lambda row: (row["captured_at"], row.get("wind") or 0.0))


def test_what_the_server_captured_is_read_back_with_the_outcomes_as_target(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    target = Capture(PLACE, 1.0, "7", pod.store, "pod")
    target.start()
    for index in range(20):
        columns = {
            "hour": np.array([index, index], np.int32),
            "wind": np.array([index / 2, np.nan]),
            "carrier": np.array(["UA", None], object),
        }
        outputs = [
            Output("label", "INT64", [2], np.array([0, 1])),
            Output("probabilities", "FP32", [2, 2], np.array([0.75, 0.25, 0.5, 0.5], np.float32)),
        ]
        target.request(f"{index:032x}", NINE.timestamp() + index, columns, outputs)
        target.outcome(f"{index:032x}", NINE.timestamp() + 90_000, 1, index % 2, "7")
    target.stop()
    resolved = pod.fetch()
    rows = rows_of(pod)
    assert [row["hour"] for row in rows] == list(range(20)), "a row without an outcome has nothing to teach"
    assert list(rows[3]) == ["hour", "wind", "carrier", "captured_at", "late"]
    assert rows[3] == {
        "hour": 3, "wind": None, "carrier": None, "captured_at": NINE + timedelta(seconds=3), "late": 1,
    }  # fmt: skip
    assert resolved["labels"] == [0, 1]
    assert (resolved["data"][0]["rows"], resolved["data"][0]["holdoutRows"]) == (16, 4)


def test_the_newest_rows_judge_and_are_found_nowhere_else(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    hourly(pod)
    pod.fetch()
    assert [row["wind"] for row in pod.held("live").to_pylist()] == [16.0, 17.0, 18.0, 19.0]
    assert not pod.paths.downloads.exists()
    outside = [path.name for path in pod.root.rglob("*.parquet") if "handover" not in path.parts]
    assert outside == ["part-00000.parquet"]


def test_every_object_that_was_read_is_recorded_and_digested(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    hourly(pod)
    (entry,) = pod.fetch()["data"]
    assert entry["objectCount"] == len(entry["objects"]) == 40
    assert entry["uri"] == PLACE
    objects = [FileEntry(each["path"], each["size"], each["sha256"]) for each in entry["objects"]]
    assert entry["digest"] == data_digest(objects)
    hourly(pod, 1, first=20)
    assert pod.fetch()["data"][0]["digest"] != entry["digest"]


@pytest.mark.parametrize("at_once", [1, 65_536])
def test_the_newest_outcome_of_a_row_counts_and_a_row_counts_once(
    tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", at_once)
    pod = world_of(tmp_path)
    hourly(pod)
    later = NINE + timedelta(days=9, minutes=1)
    put_outcomes(pod, ("r3", 0, later, "0"), ("r4", 0, later, "1"), part="a-replica")
    put_outcomes(pod, ("r3", 0, later - timedelta(seconds=1), "1"), part="b-replica")
    put_requests(pod, request("r3", NINE + timedelta(hours=3), wind=[3.0]), part="the-same-again")
    pod.fetch()
    rows = rows_of(pod)
    assert len(rows) == 20
    assert [rows[index]["late"] for index in (2, 3, 4, 5)] == [0, 0, 1, 1]


def test_outcomes_belong_to_rows_of_a_request_not_to_the_request(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    hourly(pod)
    at = NINE + timedelta(minutes=1)
    put_requests(pod, request("many", at, rows=3), part="many")
    put_outcomes(pod, ("many", 2, at, "1"), ("many", 7, at, "0"), ("unknown", 0, at, "1"), part="many")
    pod.fetch()
    assert [row["wind"] for row in rows_of(pod) if row["captured_at"] == at] == [1.0]


def test_the_window_goes_back_from_the_newest_request_row_by_row(tmp_path: Path) -> None:
    pod = world_of(tmp_path, recorded("100m"))
    at = [NINE + timedelta(minutes=10 * index) for index in range(24)]
    for index, moment in enumerate(at):
        put_requests(pod, request(f"m{index}", moment, wind=[float(index)]), part=f"pod-{index}")
        put_outcomes(pod, (f"m{index}", 0, at[-1] + timedelta(days=40), "1" if index % 2 else "0"), part=f"p-{index}")
    pod.fetch()
    assert [row["wind"] for row in rows_of(pod)] == [float(index) for index in range(14, 24)], (
        "the newest is of 12:50, so 11:10 is outside and 11:20 inside"
    )


@pytest.mark.parametrize("window", ["90m", "1h"])
def test_objects_outside_of_the_window_are_not_read(tmp_path: Path, window: str) -> None:
    pod = world_of(tmp_path, recorded(window))
    hourly(pod)
    objects = captured.resolve(pod.store(), PLACE, captured.length_of(window))
    hours = {
        place.hour for each in objects if (place := captures.parse_part_path(each.path)) and place.kind == REQUESTS
    }
    assert len(hours) == {"90m": 3, "1h": 2}[window]
    assert max(hours) == NINE + timedelta(hours=19)
    assert len(objects) == len(hours) + 20, "an outcome that came a day later may be of the oldest request"


def test_more_objects_than_a_record_can_list_are_cut_to_the_newest_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = world_of(tmp_path)
    for index in range(20):
        put_requests(pod, request(f"r{index}", NINE + timedelta(hours=index)), part="pod")
    monkeypatch.setattr(captured, "MAX_PARTS", 5)
    hours = [captures.parse_part_path(each.path) for each in captured.resolve(pod.store(), PLACE, timedelta(days=30))]
    assert [place.hour.hour for place in hours if place] == [0, 1, 2, 3, 4], "of the second day"


def test_lengths_of_time_are_read_as_the_operator_writes_them() -> None:
    lengths = {"1h30m": 5400.0, "90s": 90.0, "1.5h": 5400.0, "500ms": 0.5, "9" * 30 + "h": 36_500 * 86_400.0}
    assert {text: captured.length_of(text).total_seconds() for text in lengths} == lengths


def test_versions_with_other_inputs_become_one_table(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    hourly(pod)
    at = NINE + timedelta(hours=30)
    columns: dict[str, Any] = {"wind": [1], "gust": [7.5]}
    put_requests(pod, request("new", at, **columns), version="8")
    put_outcomes(pod, ("new", 0, at, "1"), version="8")
    pod.fetch()
    rows = rows_of(pod)
    assert rows[0] == {"wind": 0.0, "gust": None, "captured_at": NINE, "late": 0}
    assert rows[-1] == {"wind": 1.0, "gust": 7.5, "captured_at": at, "late": 1}


def test_versions_with_different_types_of_an_input_fail_and_the_object_is_named(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    hourly(pod)
    put_requests(pod, request("new", NINE, wind=["strong"]), version="8")
    with pytest.raises(DataFailure, match=r"version=8/pod-1\.parquet does not fit the other objects"):
        pod.fetch()


def test_inputs_named_like_columns_of_a_capture_keep_their_names_and_values(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    hourly(pod, row=[5.0], prediction=[6.0], probabilities=[7.0])
    pod.fetch()
    row = rows_of(pod)[1]
    assert (row["row"], row["prediction"], row["probabilities"], row["wind"]) == (5.0, 6.0, 7.0, 1.0)


@pytest.mark.parametrize(("name", "what"), [("late", "the target"), ("captured_at", "the time of the request")])
def test_an_input_that_would_hide_the_target_or_the_time_fails(tmp_path: Path, name: str, what: str) -> None:
    pod = world_of(tmp_path)
    columns: dict[str, Any] = {name: [1.0]}
    hourly(pod, **columns)
    with pytest.raises(DataFailure, match=f"the model takes '{name}' as an input, but that column is {what}"):
        pod.fetch()


def test_nothing_captured_is_said_in_a_sentence(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    with pytest.raises(DataFailure, match=r"ModelDeployment flights has captured nothing .*it needs spec\.capture"):
        pod.fetch()


def test_captured_but_nothing_labelled_is_said_with_the_number_of_rows(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    put_requests(pod, request("r", NINE, rows=3))
    with pytest.raises(DataFailure, match="none of the 3 rows that ModelDeployment flights captured in the last 720h"):
        pod.fetch()


@pytest.mark.parametrize("requests", [0, 3])
def test_beside_labelled_data_a_source_without_outcomes_is_empty_so_that_a_first_model_can_be_trained(
    tmp_path: Path, requests: int
) -> None:
    pod = world_of(tmp_path, recorded(), source(), holdout={"by": "Time", "column": "time", "fraction": 0.2})
    pod.put("s3://lake/flights/p.parquet", flights())
    if requests:
        put_requests(pod, request("r", NINE, rows=requests))
    resolved = pod.fetch()
    empty, whole = resolved["data"]
    assert (empty["name"], empty["rows"], empty["holdoutRows"]) == ("live", 0, 0)
    assert empty["objectCount"] == (1 if requests else 0)
    assert whole["rows"] + whole["holdoutRows"] == 600
    assert pod.trained("live").schema.names == [*flights().column_names, "captured_at"]


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        (pa.int64(), "true", 1), (pa.int64(), "1.0", 1), (pa.int64(), '"1"', 1), (pa.int8(), "0", 0),
        (pa.bool_(), "1", True), (pa.bool_(), "false", False), (pa.bool_(), '"True"', True),
        (pa.string(), "1", "1"), (pa.string(), '"no"', "no"), (pa.float64(), "3", 3.0), (pa.float32(), "0.5", 0.5),
    ],
)  # fmt: skip
def test_outcomes_become_values_of_the_target_as_the_other_data_has_it(
    tmp_path: Path, kind: pa.DataType, text: str, wanted: Any
) -> None:
    pod = world_of(tmp_path, source(), recorded(), holdout={"by": "Time", "column": "time", "fraction": 0.2})
    whole = flights()
    late = whole.column("late").cast(pa.int8()).cast(kind)
    pod.put("s3://lake/flights/p.parquet", whole.set_column(whole.schema.get_field_index("late"), "late", late))
    put_requests(pod, request("r", NINE))
    put_outcomes(pod, ("r", 0, NINE, text))
    pod.fetch()
    live = pa.concat_tables([pod.trained("live"), pod.held("live")]).column("late")
    assert (live.type, live.to_pylist()) == (kind, [wanted])


def test_an_outcome_that_is_no_value_of_the_target_fails_and_is_shown(tmp_path: Path) -> None:
    pod = world_of(tmp_path, source(), recorded(), holdout={"by": "Time", "column": "time", "fraction": 0.2})
    pod.put("s3://lake/flights/p.parquet", flights())
    put_requests(pod, request("r", NINE))
    put_outcomes(pod, ("r", 0, NINE, '"cancelled"'))
    with pytest.raises(DataFailure, match="'live' has the outcome \"cancelled\", but the target 'late' is int64"):
        pod.fetch()


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["0", "1"], pa.int64()), (["true", "false"], pa.bool_()), (["true", "0"], pa.int64()),
        (["0.5", "3"], pa.float64()), (['"yes"', '"no"'], pa.string()),
    ],
)  # fmt: skip
def test_without_other_data_the_target_has_the_type_that_the_outcomes_have(
    tmp_path: Path, texts: list[str], kind: pa.DataType
) -> None:
    pod = world_of(tmp_path)
    for index in range(20):
        at = NINE + timedelta(hours=index)
        put_requests(pod, request(f"r{index}", at))
        put_outcomes(pod, (f"r{index}", 0, at, texts[index % 2]))
    pod.fetch()
    assert pod.trained("live").schema.field("late").type == kind


@pytest.mark.parametrize(
    "kind", [pa.timestamp("us", "UTC"), pa.timestamp("ms"), pa.timestamp("ns", "Europe/Berlin"), pa.date32()]
)
def test_a_split_by_time_takes_the_time_of_the_request_where_the_other_data_has_its_own_time(
    tmp_path: Path, kind: pa.DataType
) -> None:
    pod = world_of(tmp_path, source(), recorded(), holdout={"by": "Time", "column": "time", "fraction": 0.2})
    whole = flights()
    index = whole.schema.get_field_index("time")
    pod.put("s3://lake/flights/p.parquet", whole.set_column(index, "time", whole.column("time").cast(kind, safe=False)))
    at = datetime(2027, 1, 31, 9, tzinfo=UTC)
    put_requests(pod, request("r", at))
    put_outcomes(pod, ("r", 0, at, "1"))
    pod.fetch()
    assert pod.held("live").schema.field("time").type == kind
    assert pod.held("live").column("captured_at").to_pylist() == [at], "the newest row judges"


def test_objects_of_other_tools_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    hourly(pod)
    for name in (
        "requests/_SUCCESS",
        "requests/hour=never/version=7/p.parquet",
        "requests/hour=2026-99-99T99/version=7/p.parquet",
    ):
        pod.store().put(PLACE + name, b"")
    assert pod.fetch()["data"][0]["objectCount"] == 40


def test_an_object_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    hourly(pod)
    pod.store().put(PLACE + part_path(OUTCOMES, NINE.timestamp(), "7", "cut"), b"PAR1")
    with pytest.raises(
        DataFailure, match=r"outcomes/hour=2026-01-31T09/version=7/cut\.parquet can't be read as Parquet"
    ):
        pod.fetch()
