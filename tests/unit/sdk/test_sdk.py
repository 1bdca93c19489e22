import hashlib
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import steadfit_sdk as steadfit
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from steadfit_artifact.errors import ColumnError, ModelError
from steadfit_artifact.model import load_model

RNG = np.random.default_rng(0)
ROWS = 400
TABLE = pa.table(
    {
        "n": pa.array(RNG.integers(0, 9, ROWS)),
        "x": pa.array([None if row % 9 == 0 else value for row, value in enumerate(RNG.random(ROWS).tolist())]),
        "t": pa.array(RNG.choice(["b", "a", "c"], ROWS).tolist()),
        "flag": pa.array((RNG.random(ROWS) > 0.5).tolist()),
        "y": pa.array(RNG.integers(0, 2, ROWS)),
    }
)
FEATURES = steadfit.features(TABLE, exclude=["y"])
X, Y = steadfit.encode(TABLE, FEATURES), TABLE.column("y").to_numpy()


def test_features_are_the_columns_with_their_datatypes_and_sorted_categories() -> None:
    assert [feature.document() for feature in FEATURES] == [
        {"name": "n", "datatype": "INT64"},
        {"name": "x", "datatype": "FP64"},
        {"name": "t", "datatype": "BYTES", "categories": ["a", "b", "c"]},
        {"name": "flag", "datatype": "BOOL"},
    ]


def test_whole_numbers_with_gaps_may_be_missing_in_requests_too() -> None:
    table = pa.table({"n": pa.array([1, None, 3]), "m": pa.array([1, 2, 3], pa.int32())})
    assert [feature.datatype for feature in steadfit.features(table)] == ["FP64", "INT32"]


def test_names_choose_columns_and_their_order() -> None:
    assert [feature.name for feature in steadfit.features(TABLE, ["x", "n"])] == ["x", "n"]


def test_encode_gives_float32_with_categories_as_index_and_missing_as_nan() -> None:
    assert X.dtype == np.float32
    assert X.shape == (ROWS, 4)
    assert np.isnan(X[0, 1])
    assert X[:, 2].tolist() == [["a", "b", "c"].index(text) for text in TABLE.column("t").to_pylist()]
    assert set(X[:, 3]) == {0, 1}
    unknown = steadfit.encode(pa.table({"t": ["z", None]}), [FEATURES[2]])
    assert np.isnan(unknown).all()


def test_pandas_and_dicts_of_arrays_are_tables_too() -> None:
    frame = TABLE.to_pandas()
    frame["t"] = frame["t"].astype("category")
    columns = {name: TABLE.column(name).to_numpy(zero_copy_only=False) for name in TABLE.column_names}
    for table in (frame, columns):
        assert steadfit.features(table, exclude=["y"]) == FEATURES
        np.testing.assert_array_equal(steadfit.encode(table, FEATURES), X)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: steadfit.features(TABLE, exclude=["z"]), KeyError, "There is no column 'z'"),
        (lambda: steadfit.features(TABLE, ["z"]), KeyError, "There is no column 'z'"),
        (lambda: steadfit.features(pa.table({"d": [[1]]})), TypeError, "'d' is list<.*>; derive numbers"),
        (lambda: steadfit.features({"t": [str(i) for i in range(10_001)]}), ValueError, "'t' has 10001 values"),
        (lambda: steadfit.encode(TABLE.drop_columns(["x"]), FEATURES), ColumnError, "'x' is missing"),
    ],
)
def test_a_table_that_does_not_fit_is_a_sentence(call: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        call()


def _save(estimator: Any, folder: Path, sample: Any = TABLE) -> list[str]:
    steadfit.save(estimator, FEATURES, sample, output=folder)
    return sorted(path.name for path in folder.iterdir())


CONVERTS = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())


def test_what_converts_is_saved_in_both_formats_that_predict_the_same(tmp_path: Path) -> None:
    estimator = CONVERTS.fit(X, Y)
    assert _save(estimator, tmp_path) == [
        "classes.json", "environment.json", "model.onnx", "model.skops", "signature.json",
    ]  # fmt: skip
    columns = {
        "n": TABLE.column("n").to_numpy(),
        "x": TABLE.column("x").to_numpy(),
        "t": np.array(TABLE.column("t").to_pylist(), object),
        "flag": TABLE.column("flag").to_numpy(zero_copy_only=False),
    }
    for form in ("onnx", "skops"):
        prediction = load_model(tmp_path, form).predict(columns)
        assert prediction.probabilities is not None
        np.testing.assert_allclose(prediction.probabilities, estimator.predict_proba(X), atol=1e-5)
        assert prediction.classes == (0, 1)


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [3, 7]])
def test_classes_of_any_kind_of_label_are_written_in_the_estimators_order(tmp_path: Path, labels: list[Any]) -> None:
    _save(LogisticRegression().fit(np.nan_to_num(X), np.array(labels)[Y]), tmp_path, np.nan_to_num(X))
    assert json.loads((tmp_path / "classes.json").read_text()) == labels


def test_what_does_not_convert_is_saved_as_skops_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    assert "model.onnx" not in _save(HistGradientBoostingClassifier(max_iter=3).fit(X, Y), tmp_path)
    assert "There is no model.onnx, model.skops is served instead: HistGradientBoostingClassifier" in caplog.text


def test_what_converts_to_something_else_is_saved_as_skops_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A forest sends missing values where ONNX does not; only a sample with missing values can tell."""
    forest = RandomForestClassifier(5, random_state=0).fit(X, Y)
    assert "model.onnx" not in _save(forest, tmp_path)
    assert "model.onnx differs from model.skops in" in caplog.text


def test_a_second_save_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    _save(CONVERTS.fit(X, Y), tmp_path)
    regression = RandomForestRegressor(3, random_state=0).fit(X, Y)
    assert _save(regression, tmp_path) == ["environment.json", "model.skops", "signature.json"]


def test_an_estimator_that_could_not_be_loaded_again_is_refused_at_once(tmp_path: Path) -> None:
    estimator = make_pipeline(FunctionTransformer(np.nan_to_num), LogisticRegression()).fit(X, Y)
    with pytest.raises(ModelError, match=r"holds types that are not allowed: numpy\.nan_to_num"):
        _save(estimator, tmp_path)


@pytest.mark.parametrize(
    ("sample", "sentence"),
    [
        (X[:, :2], "but there are 4 features"),
        (TABLE.drop_columns(["x"]), "The sample has no column 'x'"),
        (TABLE.slice(0, 0), "The sample has no rows"),
    ],
)
def test_a_sample_that_does_not_fit_is_a_sentence(tmp_path: Path, sample: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        _save(CONVERTS.fit(X, Y), tmp_path, sample)


def test_an_encoded_array_is_a_sample_too(tmp_path: Path) -> None:
    assert "model.onnx" in _save(CONVERTS.fit(X, Y), tmp_path, X)


SCRIPT = """
import sys, numpy as np, steadfit_sdk as steadfit
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
rng = np.random.default_rng(0)
table = {"a": rng.random(300), "b": rng.random(300)}
features = steadfit.features(table)
y = (table["a"] > table["b"]).astype(int)
for index, model in enumerate((GradientBoostingClassifier(n_estimators=3), RandomForestClassifier(3))):
    estimator = make_pipeline(SimpleImputer(), model.set_params(random_state=1))
    estimator.fit(steadfit.encode(table, features), y)
    steadfit.save(estimator, features, table, output=f"{sys.argv[1]}/{index}")
"""


def test_the_same_training_in_two_processes_writes_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(folder)], env={"PYTHONHASHSEED": seed}, check=True, timeout=100
        )
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        found.append({path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest() for path in files})
    assert found[0] == found[1]
    assert len(found[0]) == 10


def test_data_params_and_seed_are_read_where_steadfit_puts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADFIT_ROOT", str(tmp_path))
    monkeypatch.delenv("STEADFIT_SEED", raising=False)
    assert (steadfit.params(), steadfit.seed()) == ({}, 0)
    (tmp_path / "data" / "flights").mkdir(parents=True)
    for part in (0, 1):
        pq.write_table(TABLE.slice(part * 200, 200), tmp_path / "data" / "flights" / f"part-0000{part}.parquet")
    (tmp_path / "params.json").write_text('{"trees": 5}')
    monkeypatch.setenv("STEADFIT_SEED", "7")
    assert steadfit.load_data("flights").equals(TABLE.combine_chunks())
    assert steadfit.load_data("flights", ["n"]).column_names == ["n"]
    assert (steadfit.params(), steadfit.seed()) == ({"trees": 5}, 7)
    with pytest.raises(FileNotFoundError, match=r"There is no data source 'fights'; the run has \['flights'\]"):
        steadfit.load_data("fights")


def test_the_environment_has_python_packages_and_the_source_where_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimator = CONVERTS.fit(X, Y)
    _save(estimator, tmp_path)
    found = json.loads((tmp_path / "environment.json").read_text())
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["packages"]["pandas"] == pd.__version__
    assert "source" not in found
    for name, value in (("COMMIT", "c0ffee"), ("DIRTY", "true"), ("URL", "https://git.example.com/x")):
        monkeypatch.setenv(f"STEADFIT_SOURCE_{name}", value)
    _save(estimator, tmp_path)
    source = json.loads((tmp_path / "environment.json").read_text())["source"]
    assert source == {"commit": "c0ffee", "dirty": True, "url": "https://git.example.com/x"}


NO_PANDAS = """
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] == "pandas":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
"""


def test_pandas_is_not_needed(tmp_path: Path) -> None:
    blocked = NO_PANDAS + SCRIPT
    subprocess.run([sys.executable, "-c", blocked, str(tmp_path)], check=True, timeout=100)
    assert (tmp_path / "0" / "model.onnx").exists()


def test_a_gradient_boosting_of_several_classes_keeps_its_order_in_onnx(tmp_path: Path) -> None:
    names = np.array(["z", "a", "m"])[RNG.integers(0, 3, ROWS)]
    estimator = make_pipeline(SimpleImputer(), GradientBoostingClassifier(n_estimators=3)).fit(X, names)
    assert "model.onnx" in _save(estimator, tmp_path)
    assert load_model(tmp_path).classes == ("a", "m", "z")
