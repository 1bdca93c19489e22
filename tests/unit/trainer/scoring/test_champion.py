"""The comparison with what serves: on the same rows, or with the reason why not."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score
from steadfit.api.record import Record
from steadfit_artifact.model import Prediction, load_model
from steadfit_artifact.store import ObjectMissingError, Store, StoreUnavailableError
from steadfit_artifact.transfer import download
from steadfit_trainer.failures import StoreFailure
from steadfit_trainer.scoring import older_versions, paired_comparison, unseen_rows

from tests.unit.trainer.flights import flights
from tests.unit.trainer.run_pod import MODELS, RunPod, operator
from tests.unit.trainer.training import train, trained, write

JSON = dict[str, Any]
NIGHT = datetime.fromisoformat("2026-01-06T00:00:00")


def publish(pod: RunPod, folder: Path) -> JSON:
    """Publish, and return what was posted."""
    with operator(folder) as intake:
        pod.publish(intake)
    posted: JSON = intake.bodies()[0]
    return posted


def against(posted: JSON, **changes: Any) -> JSON:
    """Return the configuration's champion for a version of this record."""
    held = {key: posted["evaluation"].get(key) for key in ("by", "column", "boundary", "fraction")}
    artifact = {"uri": posted["artifact"]["uri"], "digest": posted["artifact"]["digest"]}
    found = {"version": "flights-v1", "artifact": artifact, "store": MODELS, **held, **changes}
    return {key: value for key, value in found.items() if value is not None}


@pytest.fixture(scope="session")
def bettered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the output of the run of fifty trees is kept: training is the same each time, and slow."""
    return tmp_path_factory.mktemp("bettered") / "output"


@pytest.fixture
def served(pod: RunPod, tmp_path: Path, bettered: Path) -> JSON:
    """The record of a version that serves: five trees; the run in `world` then brings one of fifty."""
    posted = publish(pod, tmp_path / "served")
    pod.document["run"] |= {"uid": "uid-2", "name": "flights-9876543210"}
    pod.document["params"] = {"trees": 50}
    (pod.root / "params.json").write_text(json.dumps({"trees": 50}))
    if not bettered.exists():
        train(pod)
        shutil.copytree(pod.paths.output, bettered)
    shutil.rmtree(pod.paths.output)
    shutil.copytree(bettered, pod.paths.output)
    return posted


def compared(pod: RunPod, folder: Path, named: JSON | None) -> JSON:
    pod.document["champion"] = named
    found: JSON = publish(pod, folder)["evaluation"]["champion"]
    return found


def test_both_are_judged_on_the_same_rows_of_the_holdout(pod: RunPod, served: JSON, tmp_path: Path) -> None:
    found = compared(pod, tmp_path, against(served))
    store = pod.store("s3://models")
    held, scores = pod.held(), {}
    for name, posted in (("old", served), ("new", pod.record("uid-2"))):
        download(store, posted["artifact"]["uri"], posted["artifact"]["digest"], tmp_path / name)
        columns = {"wind": held["wind"].to_numpy(), "carrier": np.array(held["carrier"].to_pylist(), object)}
        answer = load_model(tmp_path / name).predict(columns).probabilities
        assert answer is not None
        scores[name] = roc_auc_score(held["late"].to_numpy(), answer[:, 1])
    assert found["value"] == pytest.approx(scores["old"], abs=1e-5)
    assert found["difference"] == pytest.approx(scores["new"] - scores["old"], abs=1e-5)
    assert found["lower"] < found["difference"] < found["upper"]
    assert (found["rows"], found["metric"], found["method"]) == (120, "roc_auc", "paired bootstrap")
    assert (found["version"], found["digest"]) == ("flights-v1", served["artifact"]["digest"])
    assert not pod.paths.champion.exists()


def test_the_operator_takes_a_comparison_as_it_is_posted(pod: RunPod, served: JSON, tmp_path: Path) -> None:
    pod.document["champion"] = against(served)
    posted = publish(pod, tmp_path)
    assert Record.model_validate(posted).dump() == posted


def test_the_same_run_compares_alike_again(pod: RunPod, served: JSON, tmp_path: Path) -> None:
    first = compared(pod, tmp_path / "1", against(served))
    assert compared(pod, tmp_path / "2", against(served)) == first


@pytest.mark.parametrize("metric", ["accuracy", "brier_score", "log_loss"])
def test_they_are_compared_by_the_recipes_first_metric(pod: RunPod, served: JSON, tmp_path: Path, metric: str) -> None:
    pod.document["evaluation"]["metrics"] = [{"name": metric}, {"name": "roc_auc"}]
    found = compared(pod, tmp_path, against(served))
    assert found["metric"] == metric
    assert found["reason"] == ""


def test_of_a_large_holdout_the_same_sample_is_answered_by_both(
    pod: RunPod, served: JSON, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paired_comparison, "MAX_ROWS", 100)
    found = compared(pod, tmp_path, against(served))
    assert found["rows"] == 100
    assert found["reason"] == ""


# No comparison, and no failure of the run either.


def reason(pod: RunPod, folder: Path, named: JSON) -> str:
    found = compared(pod, folder, named)
    assert {"value", "difference", "lower", "upper"}.isdisjoint(found), "what is not known is not invented"
    assert found["version"] == "flights-v1"
    return str(found["reason"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"problem": "the ModelVersion flights-v1 is gone"}, "the ModelVersion flights-v1 is gone"),
        ({"store": None}, "the place of its artifact is not known"),
        (
            {"by": "Hash", "fraction": 0.001},
            "held out from it too (Hash of 'time', 0.001 of the rows), and 10 are needed",
        ),
        ({"column": "id"}, "its holdout begins at 2026-01-06T00:00:00Z, which is no value of 'id' in this data"),
        ({"column": "account"}, "split off by 'account', which the data source 'flights' does not have"),
        ({"by": None, "column": None}, "how its holdout was split off is not recorded"),
        ({"boundary": "2027-01-06T00:00:00Z"}, "of the 120 rows of the holdout, 0 were held out from it too"),
        ({"boundary": None}, "its holdout begins at None, which is no value of 'time'"),
        ({"boundary": "yesterday"}, "its holdout begins at yesterday, which is no value of 'time'"),
        ({"artifact": {"uri": "s3://models/team/none/", "digest": "sha256:" + "0" * 64}}, "its artifact is gone"),
    ],
)
def test_what_cannot_be_compared_is_recorded_with_the_reason_and_the_version_is_published(
    pod: RunPod, served: JSON, tmp_path: Path, changes: JSON, words: str
) -> None:
    assert words in reason(pod, tmp_path, against(served, **changes))


def test_an_earlier_boundary_of_the_champion_is_fair(pod: RunPod, served: JSON, tmp_path: Path) -> None:
    found = compared(pod, tmp_path, against(served, boundary="2026-01-05T23:59:59.5Z"))
    assert found["reason"] == ""


@pytest.mark.parametrize(
    ("values", "boundary", "expected"),
    [
        (pa.array([99, 100, None]), "100", [False, True, False]),
        (pa.array([99, 100, 101]), "99.5", [False, True, True]),
        (pa.array([999.5, 1000.0]), "1e3", [False, True]),
        (pa.array(["100", "99"]), "99", [False, True]),
        (pa.array([Decimal("1.5"), Decimal("1.6")]), "1.6", [False, True]),
        (pa.array([date(2026, 1, 6), date(2026, 2, 1)]), "2026-02-01", [False, True]),
        (pa.array([NIGHT, NIGHT + timedelta(days=1)]), "2026-01-06T00:00:00.5", [False, True]),
        (pa.array([NIGHT]), "2026-01-06T00:00:00Z", None),
        (pa.array([NIGHT], pa.timestamp("ns", "UTC")), "2026-01-06T01:00:00+01:00", [True]),
        (pa.array([NIGHT]), "yesterday", None),
        (pa.array([99]), "yesterday", None),
        (pa.array([99]), None, None),
    ],
)
def test_a_recorded_boundary_is_read_as_a_value_of_its_column(
    values: pa.Array, boundary: str | None, expected: list[bool] | None
) -> None:
    found = unseen_rows._not_before(pa.chunked_array([values]), boundary)
    assert (None if found is None else found.tolist()) == expected


def hashed_below(values: list[Any], fraction: float) -> int:
    """Return how many values a holdout by hash takes."""
    return sum(
        int.from_bytes(hashlib.sha256(str(one).encode()).digest()[:8], "big") < fraction * 2**64 for one in values
    )


def test_after_a_change_of_the_holdout_the_rows_held_out_from_both_are_compared_on(
    pod: RunPod, served: JSON, tmp_path: Path
) -> None:
    # Also of a holdout by time that begins earlier than that of the version that serves, as with a larger fraction.
    both: dict[str, tuple[JSON, float | None]] = {
        "hash": ({"by": "Hash", "column": "id", "fraction": 0.3, "boundary": None}, 0.3),
        "later": ({"boundary": "2026-01-06T12:00:00Z"}, None),
    }
    ids = pod.held()["id"].to_pylist()
    later = sum(moment.hour >= 12 or moment.day > 6 for moment in pod.held()["time"].to_pylist())
    for name, (changes, fraction) in both.items():
        found = compared(pod, tmp_path / name, against(served, **changes))
        shared = later if fraction is None else hashed_below(ids, fraction)
        assert found["reason"] == ""
        assert 10 <= shared < 120
        assert (found["rows"], found["sharedRows"]) == (shared, shared)


def test_after_that_comparison_all_rows_count_again(pod: RunPod, served: JSON, tmp_path: Path) -> None:
    pod.document["champion"] = against(served, by="Hash", column="id", fraction=0.3, boundary=None)
    bridged = publish(pod, tmp_path / "bridged")
    assert "sharedRows" in bridged["evaluation"]["champion"]
    pod.document["run"]["uid"] = "uid-3"
    again = compared(pod, tmp_path / "again", against(bridged))
    assert (again["rows"], again["reason"], "sharedRows" in again) == (120, "", False)


def test_by_hash_a_larger_holdout_is_compared_on_the_rows_of_the_smaller_one(tmp_path: Path) -> None:
    pod = RunPod(tmp_path / "steadfit")
    pod.document["evaluation"]["holdout"] = {"by": "Hash", "column": "id", "fraction": 0.2}
    pod.put("s3://lake/flights/part-0.parquet", flights())
    pod.fetch()
    train(pod)
    first = publish(pod, tmp_path / "first")
    ids, shared = pod.held()["id"].to_pylist(), {}
    for fraction in (0.1, 0.2, 0.3):
        found = compared(pod, tmp_path / str(fraction), against(first, fraction=fraction))
        assert found["reason"] == ""
        shared[fraction] = found.get("sharedRows")
    assert shared == {0.1: hashed_below(ids, 0.1), 0.2: None, 0.3: None}
    lost = compared(pod, tmp_path / "lost", {**against(first), "fraction": None})
    assert "how much was held out from it is not recorded" in lost["reason"]


def test_the_champion_is_asked_for_the_compared_metric_alone(
    pod: RunPod, served: JSON, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod.document["evaluation"]["metrics"] = [{"name": "accuracy"}, {"name": "roc_auc"}]
    load = older_versions.load
    monkeypatch.setattr(older_versions, "load", lambda *each: _LabelsOnly(load(*each)))
    assert compared(pod, tmp_path / "1", against(served))["reason"] == ""
    pod.document["evaluation"]["metrics"].reverse()
    assert "needs probabilities" in reason(pod, tmp_path / "2", against(served))


class _LabelsOnly:
    """A version that was trained when the recipe needed no probabilities."""

    def __init__(self, model: Any) -> None:
        self._model, self.format = model, model.format
        self.features, self.classes = model.features, model.classes

    def predict(self, columns: JSON) -> Prediction:
        found = self._model.predict(columns)
        return Prediction(found.labels, None, None)


def test_an_artifact_that_was_changed_in_the_store_is_not_compared_with(
    pod: RunPod, served: JSON, tmp_path: Path
) -> None:
    pod.store("s3://models").put(served["artifact"]["uri"] + "model.onnx", b"other bytes")
    assert "it can't be loaded: 'model.onnx'" in reason(pod, tmp_path, against(served))


def test_a_champion_whose_inputs_are_not_in_the_data_any_more_is_not_compared_with(tmp_path: Path) -> None:
    old, new = RunPod(tmp_path / "old"), RunPod(tmp_path / "new")
    new.buckets = old.buckets
    for pod, name in ((old, "gusts"), (new, "wind")):
        table = flights()
        pod.put("s3://lake/flights/part-0.parquet", table.rename_columns(["id", "time", name, "carrier", "late"]))
        pod.fetch()
        train(pod)
    new.document["run"]["uid"] = "uid-2"
    served = publish(old, tmp_path / "a")
    assert reason(new, tmp_path / "b", against(served)).startswith(
        "it can't be judged on the holdout: signature.json names 'gusts', which the data source 'flights' does not"
    )


def test_a_champion_that_does_not_know_a_new_class_has_no_value(
    pod: RunPod, served: JSON, tmp_path: Path, template: Path
) -> None:
    shutil.copytree(pod.root / "output", tmp_path / "output")
    other = trained(tmp_path / "other", template)
    other.buckets = pod.buckets
    table = flights()
    labels = table.column("late").to_pylist()
    labels[::7] = [2] * len(labels[::7])
    other.put("s3://lake/flights/part-0.parquet", table.set_column(4, "late", [labels]))
    other.fetch()
    train(other)
    other.document["run"]["uid"] = "uid-2"
    assert "The rows have labels that the model does not know" in reason(other, tmp_path / "x", against(served))


def test_a_difference_that_overflows_is_not_compared_by(
    pod: RunPod, served: JSON, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = paired_comparison.Comparison(np.inf, np.inf, 0.0, np.inf, 100, "Bootstrap")
    monkeypatch.setattr(paired_comparison, "compare", lambda *_: huge)
    assert "is too large on the compared rows to have a difference" in reason(pod, tmp_path, against(served))


def test_a_fault_of_the_comparison_itself_is_a_reason_too(
    pod: RunPod, served: JSON, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(paired_comparison, "compare", broken)
    assert reason(pod, tmp_path, against(served)) == "comparing failed with MemoryError: no room"


# The store.


class _Flaky(Store):
    failures = 0
    tries = 0
    error: Exception = StoreUnavailableError("The store failed at s3://models: no answer.")

    def get(self, uri: str, max_bytes: int = 1 << 24) -> bytes:
        if "manifest.json" in uri:
            type(self).tries += 1
            if type(self).failures > 0:
                type(self).failures -= 1
                raise self.error
        return super().get(uri, max_bytes)


def flaky(pod: RunPod, failures: int, error: Exception | None = None) -> type[_Flaky]:
    found = type("Flaky", (_Flaky,), {"failures": failures, "tries": 0, "error": error or _Flaky.error})
    pod.wrap = lambda store: found(store.uri_prefix, store._bucket)
    return found


def test_a_store_that_comes_back_is_waited_for(pod: RunPod, served: JSON, tmp_path: Path) -> None:
    flaky(pod, 3)
    assert compared(pod, tmp_path, against(served))["reason"] == ""


def test_a_store_that_stays_away_takes_half_of_the_time_and_the_rest_is_for_publishing(
    pod: RunPod, served: JSON, tmp_path: Path
) -> None:
    flaky(pod, 10**6)
    assert reason(pod, tmp_path, against(served)).startswith("it can't be loaded: It was not loaded within 30 s. ")
    assert pod.record("uid-2")["artifact"]["digest"] != served["artifact"]["digest"]


def test_an_object_that_is_missing_is_not_waited_for(pod: RunPod, served: JSON, tmp_path: Path) -> None:
    found = flaky(pod, 10**6, ObjectMissingError("There is no s3://models/x."))
    assert "its artifact is gone: There is no s3://models/x" in reason(pod, tmp_path, against(served))
    assert found.tries == 1


def test_a_failure_to_publish_is_still_a_failure_of_the_store(pod: RunPod, served: JSON) -> None:
    pod.document["champion"] = against(served)
    with pytest.raises(StoreFailure, match="The result was not published within 60 s"):
        pod.publish()


def test_the_users_own_files_of_these_names_are_nothing(pod: RunPod, tmp_path: Path) -> None:
    write(pod, "reference.json", {"schemaVersion": 1, "rows": 10**9})
    posted = publish(pod, tmp_path)
    raw = pod.store("s3://models").get(posted["artifact"]["uri"] + "reference.json")
    assert json.loads(raw)["rows"] == 480
