"""The newest rows that production answered, as a run that evaluates fetches them."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from steadfit_artifact import captures
from steadfit_artifact.captures import CapturedRequest, part_path
from steadfit_artifact.store import Store, StoreUnavailableError
from steadfit_trainer.data import captured
from steadfit_trainer.failures import DataFailure, StoreFailure
from steadfit_trainer.steps import recent_rows

from tests.unit.trainer.capturing import NINE, PLACE, put_outcomes, put_requests, recorded, request
from tests.unit.trainer.run_pod import RunPod

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def world_of(tmp_path: Path, window: str = "1h", least: int = 1, most: int = 100) -> RunPod:
    named = {"version": "flights-v2", "artifact": {"digest": "sha256:" + "0" * 64}, "problem": "not asked here"}
    asked = {"metric": "accuracy", "minRows": least, "maxRows": most, "live": named}
    return RunPod(tmp_path / "steadfit", {"data": [recorded(window)], "evaluate": asked})


def answered(pod: RunPod, index: int, at: Any, came: Any, version: str = "7", outcome: str | None = None) -> None:
    """Put a request that was answered at a time, and its outcome that came at another."""
    put_requests(pod, request(f"r{index}", at, wind=[float(index)]), version=version, part=f"p-{index}")
    text = outcome if outcome is not None else str(index % 2)
    put_outcomes(pod, (f"r{index}", 0, came, text), version=version, part=f"p-{index}")


def fetched(pod: RunPod) -> list[float]:
    """Fetch; return the input `wind` of the rows that are to judge."""
    pod.fetch()
    rows = [row for file in sorted(pod.paths.holdout.glob("*.parquet")) for row in pq.read_table(file).to_pylist()]
    assert all(set(row) >= {"wind", "late"} for row in rows)
    return sorted(row["wind"] for row in rows)


def test_every_labelled_row_of_the_window_judges_and_none_is_left_for_training(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    for index in range(10):
        answered(pod, index, NINE + index * MINUTE, NINE + (index + 20) * MINUTE)
    put_requests(pod, request("unlabelled", NINE + MINUTE), part="more")
    assert fetched(pod) == [float(index) for index in range(10)]
    assert list(pod.paths.data.iterdir()) == []
    assert json.loads(pod.paths.resolved.read_text()) == {
        "rows": 10,
        "outcomes": 10,
        "window": "1h",
        "received": {"live-000.parquet": [int((NINE + minutes * MINUTE).timestamp() * 1e6) for minutes in (20, 29)]},
    }
    assert not pod.paths.downloads.exists()


def test_a_row_counts_whatever_version_answered_it(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    for index, version in enumerate(("5", "6", "7", "6")):
        answered(pod, index, NINE + index * MINUTE, NINE + 20 * MINUTE, version)
    assert fetched(pod) == [0, 1, 2, 3]


def test_the_window_holds_the_outcomes_that_came_in_it_however_old_their_requests_are(tmp_path: Path) -> None:
    pod = world_of(tmp_path, "1h", least=3)
    answered(pod, 0, NINE - 20 * DAY, NINE + 59 * MINUTE)
    answered(pod, 1, NINE, NINE + MINUTE)
    answered(pod, 2, NINE - 3 * DAY, NINE)
    answered(pod, 3, NINE + 50 * MINUTE, NINE + HOUR)
    answered(pod, 4, NINE + 2 * HOUR, NINE - HOUR)
    assert fetched(pod) == [0, 1, 3]


def test_the_window_is_the_one_that_fired_and_not_that_of_the_newest_outcome(tmp_path: Path) -> None:
    # A day of outcomes came between the alert and the run; they had judged, as those "of the last 1h".
    pod = world_of(tmp_path, "1h", least=2)
    for index, minutes in enumerate((-61, -60, -59, 0, 1, 24 * 60)):
        answered(pod, index, NINE - DAY, NINE + minutes * MINUTE)
    pod.document["evaluate"]["until"] = "2026-01-31T09:00:00Z"
    assert fetched(pod) == [2, 3]


@pytest.mark.parametrize(("seconds_later", "expected"), [(-3600, 65), (0, 65), (10, 55), (64, 1), (65, 0), (90_000, 0)])
def test_rows_are_waited_for_until_they_are_written_and_no_longer_whatever_the_clocks_say(
    seconds_later: float, expected: float
) -> None:
    assert recent_rows.unwritten_seconds(NINE, 60, NINE + timedelta(seconds=seconds_later)) == expected


def test_rows_that_are_written_after_the_decision_judge_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pod = world_of(tmp_path, "1h")
    until = datetime.now(UTC)
    pod.document["evaluate"] |= {"until": until.isoformat(), "flushSeconds": 60.0}
    slept: list[float] = []

    def flush(seconds: float) -> None:
        slept.append(seconds)
        answered(pod, 1, until - 2 * MINUTE, until - MINUTE)

    monkeypatch.setattr(time, "sleep", flush)
    assert fetched(pod) == [1]
    assert 60 < slept[0] <= 65


def test_of_too_many_rows_those_that_were_answered_last_are_taken(tmp_path: Path) -> None:
    pod = world_of(tmp_path, most=5)
    order = np.random.default_rng(0).permutation(40).tolist()
    for index in order:
        answered(pod, index, NINE + index * MINUTE, NINE + 45 * MINUTE)
    assert fetched(pod) == [35, 36, 37, 38, 39]


def test_the_search_goes_back_hour_by_hour_until_there_are_rows_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = world_of(tmp_path, most=3)
    for index in range(30):
        answered(pod, index, NINE - index * HOUR, NINE + MINUTE)
    put_requests(pod, request("newer than any outcome", NINE + 5 * HOUR))
    read: list[str] = []
    download = captured.download

    def noted(store: Any, found: Any, folder: Any) -> Any:
        read.extend(each.path for each in found)
        return download(store, found, folder)

    monkeypatch.setattr(captured, "download", noted)
    assert fetched(pod) == [0, 1, 2]
    requests = [path for path in read if path.startswith("requests/")]
    assert len(requests) == 3


def test_once_something_can_be_decided_a_day_without_the_missing_requests_ends_the_search(tmp_path: Path) -> None:
    pod = world_of(tmp_path, least=2)
    for index in range(2):
        answered(pod, index, NINE - index * MINUTE, NINE + MINUTE)
    put_outcomes(pod, ("lost", 0, NINE, "1"), part="lost")
    for hours in range(1, 60):
        put_requests(pod, request(f"other{hours}", NINE - hours * HOUR), part="other")
    answered(pod, 9, NINE - 70 * HOUR, NINE + MINUTE)
    assert fetched(pod) == [0, 1]
    pod.document["evaluate"]["minRows"] = 3
    assert fetched(pod) == [0, 1, 9]


def test_the_search_ends_after_as_many_parts_as_a_pod_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(captured, "MAX_PARTS", 4)
    pod = world_of(tmp_path)
    for index in range(4):
        answered(pod, index, NINE - 2 * index * HOUR, NINE + MINUTE)
        put_requests(pod, request(f"unlabelled{index}", NINE - 2 * index * HOUR), part="another")
    assert fetched(pod) == [0, 1]
    assert "4 parts were searched, older ones are left out" in caplog.text


def test_the_newest_outcome_of_a_row_counts_and_a_row_counts_once(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    answered(pod, 1, NINE, NINE + MINUTE, outcome="0")
    put_outcomes(pod, ("r1", 0, NINE + 2 * MINUTE, "1"), part="corrected")
    put_requests(pod, request("r1", NINE, wind=[1.0]), part="the-same-again")
    assert fetched(pod) == [1]
    (file,) = pod.paths.holdout.glob("*.parquet")
    assert pq.read_table(file)["late"].to_pylist() == [1]


def test_rows_of_other_inputs_go_to_another_file(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    answered(pod, 0, NINE, NINE + MINUTE, "6")
    put_requests(pod, request("new", NINE, wind=[7.0], gusts=[1.0]), part="new")
    put_outcomes(pod, ("new", 0, NINE + MINUTE, "1"), part="new")
    assert fetched(pod) == [0, 7]
    columns = {tuple(pq.read_schema(file).names) for file in pod.paths.holdout.glob("*.parquet")}
    assert columns == {("wind", "late"), ("wind", "gusts", "late")}


def test_an_input_called_like_a_column_of_ours_keeps_its_name(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    put_requests(pod, request("r", NINE, wind=[1.0], row=[5.0]), part="r")
    put_outcomes(pod, ("r", 0, NINE + MINUTE, "1"), part="r")
    fetched(pod)
    (file,) = pod.paths.holdout.glob("*.parquet")
    assert pq.read_table(file).to_pylist() == [{"wind": 1.0, "row": 5.0, "late": 1}]


@pytest.mark.parametrize("what", ["nothing", "requests", "outcomes"])
def test_no_labelled_row_is_no_failure(tmp_path: Path, what: str) -> None:
    pod = world_of(tmp_path)
    if what == "requests":
        put_requests(pod, request("r", NINE))
    if what == "outcomes":
        put_outcomes(pod, ("r", 0, NINE, "1"))
    assert fetched(pod) == []
    assert json.loads(pod.paths.resolved.read_text())["rows"] == 0


def test_a_part_that_cannot_be_read_fails_with_its_name(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    answered(pod, 0, NINE, NINE + MINUTE)
    uri = PLACE + part_path(captures.REQUESTS, NINE.timestamp(), "7", "damaged")
    pod.store().put(uri, b"garbage")
    with pytest.raises(DataFailure, match=r"damaged\.parquet can't be read as Parquet"):
        pod.fetch()


def test_a_model_that_takes_its_target_as_an_input_is_no_fair_judge(tmp_path: Path) -> None:
    pod = world_of(tmp_path)
    columns = {"late": np.array([1.0])}
    put_requests(pod, CapturedRequest("r", NINE.timestamp(), columns, np.ones(1, np.int64), None))
    put_outcomes(pod, ("r", 0, NINE, "1"))
    with pytest.raises(DataFailure, match="takes 'late' as an input"):
        pod.fetch()


def test_a_store_that_does_not_answer_fails_so_that_it_is_tried_again(tmp_path: Path) -> None:
    pod = world_of(tmp_path)

    class Away(Store):
        def list(self, uri: str) -> Any:
            raise StoreUnavailableError("the store does not answer")

    pod.wrap = lambda store: Away(store.uri_prefix, store._bucket)
    with pytest.raises(StoreFailure, match="does not answer"):
        pod.fetch()
