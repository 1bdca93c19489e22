import errno
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from steadfit_artifact.digest import FileEntry, data_digest
from steadfit_artifact.store import Store, StoredObject, StoreUnavailableError
from steadfit_trainer.data.objects import digest_of
from steadfit_trainer.failures import DataFailure, InputsKnown, StoreFailure

from tests.unit.trainer.flights import flights, ids
from tests.unit.trainer.run_pod import RunPod, as_csv, as_parquet, source


def _world(tmp_path: Path, **config: Any) -> RunPod:
    return RunPod(tmp_path / "steadfit", config)


def _entry(path: str, raw: bytes) -> FileEntry:
    return FileEntry(path, len(raw), hashlib.sha256(raw).hexdigest())


def test_training_rows_and_parameters_are_where_the_users_code_reads_them(tmp_path: Path) -> None:
    pod = _world(tmp_path)
    pod.put("s3://lake/flights/part-0.parquet", flights())
    pod.fetch()
    assert [path.name for path in (pod.root / "data" / "flights").iterdir()] == ["part-00000.parquet"]
    assert pod.trained().column_names == flights().column_names
    assert json.loads((pod.root / "params.json").read_text()) == {"trees": 5}
    assert (pod.root / "output").is_dir()


def test_the_newest_fifth_by_time_judges_and_is_found_nowhere_but_in_the_handover(tmp_path: Path) -> None:
    pod = _world(tmp_path)
    table = flights()
    pod.put("s3://lake/flights/part-0.parquet", table)
    resolved = pod.fetch()
    assert ids(pod.held()) == set(range(480, 600))
    assert ids(pod.trained()) == set(range(480))
    assert resolved["holdout"] | {"digest": ""} == {
        "by": "Time", "column": "time", "rows": 120, "digest": "", "boundary": "2026-01-06T00:00:00Z",
    }  # fmt: skip
    assert not pod.paths.downloads.exists(), "the objects as they came hold the holdout"
    outside = [path for path in pod.root.rglob("*.parquet") if "handover" not in path.parts]
    assert outside == [pod.root / "data" / "flights" / "part-00000.parquet"]


def test_rows_of_the_same_time_are_never_divided(tmp_path: Path) -> None:
    pod = _world(tmp_path)
    pod.document["evaluation"]["holdout"]["fraction"] = 0.2 + 1 / 600  # One row more: in the middle of an hour.
    pod.put("s3://lake/flights/part-0.parquet", flights())
    pod.fetch()
    assert ids(pod.held()) == set(range(476, 600))


def test_what_was_read_is_recorded_object_by_object(tmp_path: Path) -> None:
    pod = _world(tmp_path, data=[source(latest={"partitions": 2})])
    raw = [pod.put(f"s3://lake/flights/month={month}/p.parquet", flights(100, month, month * 100)) for month in (1, 2)]
    entry = pod.fetch()["data"][0]
    objects = [_entry(f"month={month}/p.parquet", each) for month, each in zip((1, 2), raw, strict=True)]
    assert entry["objects"] == [each.document() for each in objects]
    assert entry["digest"] == data_digest(objects)
    assert (entry["objectCount"], entry["rows"] + entry["holdoutRows"]) == (2, 200)
    assert (entry["name"], entry["uri"]) == ("flights", "s3://lake/flights/")


def test_latest_takes_the_newest_partitions_by_name_and_numbers_count_as_numbers(tmp_path: Path) -> None:
    pod = _world(tmp_path, data=[source(latest={"partitions": 2})])
    for month in (8, 9, 10):
        pod.put(f"s3://lake/flights/month={month}/p.parquet", flights(100, month, month * 100))
    pod.put("s3://lake/flights/loose.parquet", flights(10))
    pod.store().put("s3://lake/flights/month=11/_SUCCESS", b"")
    resolved = pod.fetch()
    assert [each["path"] for each in resolved["data"][0]["objects"]] == ["month=10/p.parquet", "month=9/p.parquet"]


def test_nested_partitions_count_by_their_innermost_folder(tmp_path: Path) -> None:
    pod = _world(tmp_path, data=[source(latest={"partitions": 2})])
    for year, month in ((2025, 11), (2025, 12), (2026, 1)):
        pod.put(f"s3://lake/flights/year={year}/month={month:02d}/p.parquet", flights(100, month, year * 12 + month))
    paths = [each["path"] for each in pod.fetch()["data"][0]["objects"]]
    assert paths == ["year=2025/month=12/p.parquet", "year=2026/month=01/p.parquet"]


def test_fewer_partitions_than_asked_for_are_all_taken(tmp_path: Path) -> None:
    pod = _world(tmp_path, data=[source(latest={"partitions": 9})])
    pod.put("s3://lake/flights/month=1/p.parquet", flights())
    assert pod.fetch()["data"][0]["objectCount"] == 1


@pytest.mark.parametrize("name", ["f.csv", "f.csv.gz"])
def test_csv_is_read_like_parquet(tmp_path: Path, name: str) -> None:
    pod = _world(tmp_path, data=[source(uri=f"s3://lake/{name}", format="CSV")])
    raw = as_csv(flights())
    pod.store().put(f"s3://lake/{name}", gzip.compress(raw) if name.endswith("gz") else raw)
    pod.fetch()
    assert ids(pod.held()) == set(range(480, 600))
    assert pod.trained().schema.field("wind").type == pa.float64()
    assert pod.trained().column("wind").null_count == 10


def test_objects_with_other_widths_of_numbers_or_absent_columns_become_one_table(tmp_path: Path) -> None:
    pod = _world(tmp_path)
    pod.put("s3://lake/flights/1.parquet", flights(100).drop_columns(["wind"]))
    narrow = flights(100, first=100)
    narrow = narrow.set_column(0, "id", narrow.column("id").cast(pa.int32()))
    narrow = narrow.set_column(3, "carrier", narrow.column("carrier").dictionary_encode())
    pod.put("s3://lake/flights/2.parquet", narrow)
    pod.fetch()
    assert ids(pod.trained()) | ids(pod.held()) == set(range(200))
    assert pod.trained().schema.field("carrier").type == pa.string()
    assert pod.trained().column("wind").null_count == 100 + 2 - pod.held().column("wind").null_count


def test_a_source_without_the_target_is_handed_over_whole(tmp_path: Path) -> None:
    pod = _world(tmp_path, data=[source(), source("planes")])
    pod.put("s3://lake/flights/p.parquet", flights())
    pod.put("s3://lake/planes/p.parquet", pa.table({"tail": ["N1", "N2"], "seats": [100, 200]}))
    resolved = pod.fetch()
    assert pod.trained("planes").num_rows == 2
    assert not (pod.paths.holdout / "planes.parquet").exists()
    assert (resolved["data"][1]["rows"], resolved["data"][1]["holdoutRows"]) == (2, 0)


def test_two_sources_with_the_target_are_split_at_one_boundary(tmp_path: Path) -> None:
    pod = _world(tmp_path, data=[source("old"), source("new")])
    pod.put("s3://lake/old/p.parquet", flights(400))
    pod.put("s3://lake/new/p.parquet", flights(200, first=400))
    pod.fetch()
    assert ids(pod.held("old")) == set()
    assert ids(pod.held("new")) == set(range(480, 600))
    assert ids(pod.trained("new")) == set(range(400, 480))


def test_a_row_that_was_delivered_again_later_is_known_by_its_key_and_not_trained_on(tmp_path: Path) -> None:
    pod = _world(tmp_path, data=[source(keyColumn="id")])
    table = flights()
    again = table.slice(0, 4).set_column(1, "time", table.slice(596, 4).column("time"))
    pod.put("s3://lake/flights/1.parquet", table)
    pod.put("s3://lake/flights/2.parquet", again)
    resolved = pod.fetch()
    assert {0, 1, 2, 3} <= ids(pod.held())
    assert not ids(pod.held()) & ids(pod.trained())
    assert resolved["data"][0]["droppedRows"] == 4


def test_rows_without_a_key_are_kept(tmp_path: Path) -> None:
    pod = _world(tmp_path, data=[source(keyColumn="id")])
    table = flights()
    pod.put("s3://lake/flights/1.parquet", table.set_column(0, "id", pa.nulls(600, pa.int64())))
    assert pod.fetch()["data"][0]["rows"] == 480


def test_rows_without_a_label_never_judge_and_do_not_move_the_boundary(tmp_path: Path) -> None:
    pod = _world(tmp_path)
    late = flights(600).column("late").to_pylist()
    table = flights(600).set_column(4, "late", pa.array([*late[:500], *[None] * 100]))
    pod.put("s3://lake/flights/1.parquet", table)
    pod.fetch()
    assert ids(pod.held()) == set(range(400, 500))
    assert ids(pod.trained()) == set(range(400)) | set(range(500, 600))


def test_a_second_start_of_the_container_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    pod = _world(tmp_path)
    pod.put("s3://lake/flights/1.parquet", flights())
    pod.put("s3://lake/flights/2.parquet", flights(100, first=600))
    first = pod.fetch()
    for folder in (pod.paths.data / "old", pod.paths.holdout, pod.paths.output):
        folder.mkdir(exist_ok=True)
        (folder / "left.parquet").write_text("x")
    assert pod.fetch() == first
    assert not list(pod.root.rglob("left.parquet"))


# What is wrong with the data


def _fails(pod: RunPod, sentence: str) -> None:
    with pytest.raises(DataFailure, match=sentence) as caught:
        pod.fetch()
    assert caught.value.exit_code == 10
    assert str(caught.value).endswith(".")


def test_the_declared_digest_is_the_data_digest_or_a_single_objects_own(tmp_path: Path) -> None:
    raw = as_parquet(flights())
    own, ours = hashlib.sha256(raw).hexdigest(), data_digest([_entry("f.parquet", raw)])
    for digest in (f"sha256:{own}", ours):
        pod = _world(tmp_path, data=[source(uri="s3://lake/f.parquet", digest=digest)])
        pod.store().put("s3://lake/f.parquet", raw)
        assert pod.fetch()["data"][0]["digest"] == ours


def test_other_data_than_its_digest_says_is_refused_with_both_digests(tmp_path: Path) -> None:
    wrong = "sha256:" + "0" * 64
    raw = as_parquet(flights())
    pod = _world(tmp_path, data=[source(uri="s3://lake/f.parquet", digest=wrong)])
    pod.store().put("s3://lake/f.parquet", raw)
    _fails(pod, f"has digest sha256:{hashlib.sha256(raw).hexdigest()}, but {wrong} is declared")
    assert not pod.paths.data.exists() or not list(pod.paths.data.iterdir())
    pod = _world(tmp_path / "two", data=[source(digest=wrong)])
    for part in (1, 2):
        pod.store().put(f"s3://lake/flights/{part}.parquet", raw)
    objects = [_entry(f"{part}.parquet", raw) for part in (1, 2)]
    _fails(pod, f"has digest {data_digest(objects)}, but {wrong}")


def test_data_that_is_not_there_is_named(tmp_path: Path) -> None:
    _fails(_world(tmp_path), r"There is nothing at s3://lake/flights/\.")
    _fails(_world(tmp_path, data=[source(uri="s3://lake/f.parquet")]), r"There is nothing at s3://lake/f\.parquet\.")
    pod = _world(tmp_path, data=[source(latest={"partitions": 2})])
    pod.put("s3://lake/flights/loose.parquet", flights())
    _fails(pod, "There is no partition below s3://lake/flights/")


@pytest.mark.parametrize(
    ("form", "raw"),
    [
        ("Parquet", b"garbage"),
        ("Parquet", as_parquet(flights())[:-100]),
        ("Parquet", b""),
        ("CSV", b""),
        ("CSV", b"a,b\n1,2,3\n"),
        ("CSV", b"\xff\xfe\x00"),
        ("CSV", b"id,id,late,time\n1,2,3,4\n"),
    ],
)
def test_a_file_that_can_not_be_read_is_named_with_its_format(tmp_path: Path, form: str, raw: bytes) -> None:
    pod = _world(tmp_path, data=[source(format=form)])
    pod.store().put("s3://lake/flights/f", raw)
    _fails(pod, f"s3://lake/flights/f can't be read as {form}: ")


def test_a_damaged_page_in_the_middle_of_a_file_is_a_failure_of_the_data(tmp_path: Path) -> None:
    pod = _world(tmp_path)
    raw = bytearray(as_parquet(flights()))
    raw[20:400] = b"\xff" * 380
    pod.store().put("s3://lake/flights/f", bytes(raw))
    _fails(pod, "s3://lake/flights/f can't be read as Parquet: ")


def test_csv_whose_later_rows_have_another_type_is_a_failure_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steadfit_trainer.data.tables.CSV_BLOCK_BYTES", 1024)
    pod = _world(tmp_path, data=[source(format="CSV")])
    pod.store().put("s3://lake/flights/f", as_csv(flights()) + b'"x","x","x","x","x"\n')
    _fails(pod, "s3://lake/flights/f can't be read as CSV: ")


def test_objects_that_disagree_on_a_type_are_named(tmp_path: Path) -> None:
    pod = _world(tmp_path)
    pod.put("s3://lake/flights/1.parquet", flights())
    pod.put("s3://lake/flights/2.parquet", flights().set_column(2, "wind", pa.array(["x"] * 600)))
    _fails(pod, r"s3://lake/flights/2\.parquet does not fit the other objects .* wind .* double vs string")


def test_no_source_with_the_target_is_a_failure_that_lists_the_columns(tmp_path: Path) -> None:
    pod = _world(tmp_path)
    pod.put("s3://lake/flights/1.parquet", flights().drop_columns(["late"]))
    _fails(pod, "No data source has the target column 'late'; there are 'carrier', 'id', 'time', 'wind'")


def test_a_source_with_the_target_but_without_the_holdouts_column_is_a_failure(tmp_path: Path) -> None:
    pod = _world(tmp_path, data=[source(), source("more")])
    pod.put("s3://lake/flights/1.parquet", flights())
    pod.put("s3://lake/more/1.parquet", flights().drop_columns(["time"]))
    _fails(pod, "'more' has no column 'time', by which the holdout is split off; it has 'id', 'wind'")


@pytest.mark.parametrize("field", ["timeColumn", "keyColumn"])
def test_a_declared_column_that_is_absent_is_named(tmp_path: Path, field: str) -> None:
    pod = _world(tmp_path, data=[source(**{field: "nope"})])
    pod.put("s3://lake/flights/1.parquet", flights())
    _fails(pod, f"'flights' has no column 'nope', its {field}; it has 'id'")


def test_empty_values_to_split_by_are_counted(tmp_path: Path) -> None:
    pod = _world(tmp_path)
    times = [*flights().column("time").to_pylist()[:-2], None, None]
    pod.put("s3://lake/flights/1.parquet", flights().set_column(1, "time", pa.array(times)))
    _fails(pod, "'time' of 'flights' is empty in 2 rows")


def test_a_column_without_an_order_can_not_split(tmp_path: Path) -> None:
    pod = _world(tmp_path)
    pod.put("s3://lake/flights/1.parquet", flights().set_column(1, "time", pa.array([[1]] * 600)))
    _fails(pod, "'time' of 'flights' is list<.*>, by which rows can't be split")


def test_a_target_that_is_no_label_is_refused(tmp_path: Path) -> None:
    pod = _world(tmp_path)
    pod.put("s3://lake/flights/1.parquet", flights().set_column(4, "late", pa.array([[1]] * 600)))
    _fails(pod, "The target 'late' of 'flights' is list<.*>; it must be a label or a number")


@pytest.mark.parametrize("infinite", [float("inf"), float("-inf")])
def test_an_infinite_target_is_a_failure_of_the_data_that_counts_the_rows(tmp_path: Path, infinite: float) -> None:
    table = flights()
    labels = [0.5] * 598 + [infinite, None]
    table = table.set_column(table.schema.get_field_index("late"), "late", pa.array(labels, pa.float64()))
    pod = _world(tmp_path)
    pod.put("s3://lake/flights/part-0.parquet", table)
    with pytest.raises(DataFailure, match="The target 'late' of 'flights' is infinite in 1 rows of a part"):
        pod.fetch()


def test_split_columns_of_different_types_in_two_sources_are_refused(tmp_path: Path) -> None:
    pod = _world(tmp_path, data=[source(), source("more")])
    pod.put("s3://lake/flights/1.parquet", flights())
    pod.put("s3://lake/more/1.parquet", flights().set_column(1, "time", pa.array(["2026"] * 600)))
    _fails(pod, "'time' has different types in the data sources")


def test_too_few_rows_are_a_failure(tmp_path: Path) -> None:
    pod = _world(tmp_path)
    pod.put("s3://lake/flights/1.parquet", flights(9))
    _fails(pod, "There are 9 rows with a label; at least 10 are needed")


def test_rows_of_one_time_can_not_be_split(tmp_path: Path) -> None:
    pod = _world(tmp_path)
    pod.put("s3://lake/flights/1.parquet", flights().set_column(1, "time", pa.array(["2026"] * 600)))
    _fails(pod, "All rows have the same value in the holdout's column")


def test_a_hash_that_leaves_one_side_empty_is_a_failure(tmp_path: Path) -> None:
    pod = _world(tmp_path)
    pod.document["evaluation"]["holdout"] = {"by": "Hash", "column": "carrier", "fraction": 0.2}
    pod.put("s3://lake/flights/1.parquet", flights().set_column(3, "carrier", pa.array(["AA"] * 600)))
    _fails(pod, r"The split leaves \d+ training rows and \d+ holdout rows; both need at least one")


def test_an_object_that_vanishes_while_it_is_read_is_a_failure_of_the_data(tmp_path: Path) -> None:
    class Vanishing(Store):
        def list(self, uri: str) -> list[StoredObject]:
            return [*super().list(uri), StoredObject(uri + "gone", "gone", 1)]

    pod = _world(tmp_path)
    pod.put("s3://lake/flights/1.parquet", flights())
    pod.wrap = lambda store: Vanishing(store.uri_prefix, store._bucket)
    _fails(pod, "s3://lake/flights/gone vanished while it was read")


def test_a_store_that_does_not_answer_is_a_failure_of_the_store(tmp_path: Path) -> None:
    class Gone(Store):
        def list(self, uri: str) -> list[StoredObject]:
            raise StoreUnavailableError("The store failed at s3://lake: no answer.")

    pod = _world(tmp_path)
    pod.wrap = lambda store: Gone(store.uri_prefix, store._bucket)
    with pytest.raises(StoreFailure, match="no answer") as caught:
        pod.fetch()
    assert caught.value.exit_code == 11


def test_data_outside_of_its_store_is_not_read(tmp_path: Path) -> None:
    pod = _world(tmp_path, data=[source(uri="s3://other/flights/")])
    with pytest.raises(StoreFailure, match="is not below s3://lake"):
        pod.fetch()


def test_a_full_workspace_is_a_sentence_that_says_what_to_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    pod = _world(tmp_path)
    pod.put("s3://lake/flights/1.parquet", flights())
    monkeypatch.setattr("steadfit_trainer.data.tables.Writer.write", full)
    _fails(pod, r"does not fit into the pod's workspace.*raise limits\.workspace")


def test_data_that_a_version_of_the_recipe_learned_from_ends_the_run_before_anything_is_written(tmp_path: Path) -> None:
    world = _world(tmp_path)
    world.put("s3://lake/flights/part-0.parquet", flights(100))
    digest = world.fetch()["data"][0]["digest"]
    versions = [("flights-v3", "0" * 64), ("flights-v2", digest_of([("flights", digest)]))]
    known = [{"version": name, "data": data} for name, data in versions]
    again = _world(tmp_path / "again", known=known)
    again.buckets = world.buckets
    with pytest.raises(InputsKnown) as known_by:
        again.fetch()
    assert str(known_by.value) == "flights-v2"
    assert not again.paths.resolved.exists()
    assert not list(again.paths.data.rglob("*.parquet"))
    world.put("s3://lake/flights/part-1.parquet", flights(10))
    assert again.fetch()["data"][0]["objectCount"] == 2
