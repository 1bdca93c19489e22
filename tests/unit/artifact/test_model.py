import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import skops.io
from onnx import TensorProto, helper
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from steadfit_artifact.errors import ColumnError, ModelError, SignatureError
from steadfit_artifact.model import load_model

from tests.unit.artifact.models import ROWS, classifier, onnx_of, write_model, write_signature

RNG = np.random.default_rng(1)
X = RNG.random((200, 2)).astype(np.float32)
Y = (X.sum(axis=1) > 1).astype(int)
NUMBERS = [{"name": "a", "datatype": "FP64"}, {"name": "b", "datatype": "FP64"}]
COLUMNS = {"a": X[:5, 0].astype(float), "b": X[:5, 1].astype(float)}


def test_both_formats_predict_what_the_estimator_predicts(tmp_path: Path) -> None:
    estimator = write_model(tmp_path, ("onnx", "skops"))
    stacked = np.array([[0.1, 0], [0.9, 1], [0.5, 0]], np.float32)
    for form in ("onnx", "skops"):
        prediction = load_model(tmp_path, form).predict(ROWS)
        assert prediction.probabilities is not None
        np.testing.assert_allclose(prediction.probabilities, estimator.predict_proba(stacked), atol=1e-6)
        np.testing.assert_array_equal(prediction.labels, estimator.predict(stacked))


def test_onnx_is_preferred_to_skops(tmp_path: Path) -> None:
    write_model(tmp_path, ("onnx", "skops"))
    assert load_model(tmp_path).format == "onnx"
    (tmp_path / "model.onnx").unlink()
    assert load_model(tmp_path).format == "skops"


def test_a_directory_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"There is no model\.onnx or model\.skops\."):
        load_model(tmp_path)


@pytest.mark.parametrize("name", ["model.pkl", "sub/extra.joblib", "m.PICKLE"])
def test_a_pickle_is_refused_even_beside_a_good_model_and_never_opened(tmp_path: Path, name: str) -> None:
    class Payload:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "executed"),)

    write_model(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / name).write_bytes(pickle.dumps(Payload()))
    with pytest.raises(ModelError, match=f"'{name}' is a pickle, which can run any code"):
        load_model(tmp_path)
    assert not (tmp_path / "executed").exists()


def test_a_model_without_signature_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path)
    (tmp_path / "signature.json").unlink()
    with pytest.raises(SignatureError, match=r"There is no signature\.json"):
        load_model(tmp_path)


@pytest.mark.parametrize("document", ["x", "{}", "[]", "[0]", "[0, 0]", "[0, null]", "[[0], [1]]"])
def test_wrong_classes_are_refused(tmp_path: Path, document: str) -> None:
    write_model(tmp_path)
    (tmp_path / "classes.json").write_text(document)
    with pytest.raises(SignatureError, match="at least two different labels"):
        load_model(tmp_path)


# ONNX


def test_an_onnx_model_that_is_damaged_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"garbage")
    with pytest.raises(ModelError, match=r"model\.onnx can't be loaded"):
        load_model(tmp_path)


def test_a_signature_of_another_width_than_the_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(onnx_of(classifier()))
    write_signature(tmp_path, [*NUMBERS, {"name": "c", "datatype": "FP64"}])
    with pytest.raises(SignatureError, match=r"model\.onnx takes 2 features, but signature\.json names 3"):
        load_model(tmp_path)


def test_weights_in_other_files_are_refused_wherever_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.bin").write_bytes(np.ones(2, np.float32).tobytes())
    for location in ("weights.bin", str(tmp_path / "weights.bin"), "../weights.bin"):
        tensor = onnx.TensorProto(
            name="w", dims=[2, 1], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL
        )
        for key, value in (("location", location), ("offset", "0"), ("length", "8")):
            tensor.external_data.add(key=key, value=value)
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
            [tensor],
        )
        _write_graph(tmp_path, graph)
        write_signature(tmp_path, NUMBERS)
        with pytest.raises(ModelError, match="keeps weights in other files"):
            load_model(tmp_path)


def test_a_regression_gives_one_value_for_each_row(tmp_path: Path) -> None:
    estimator = LinearRegression().fit(X, X[:, 0] * 2)
    (tmp_path / "model.onnx").write_bytes(onnx_of(estimator))
    skops.io.dump(estimator, tmp_path / "model.skops")
    write_signature(tmp_path, NUMBERS)
    for form in ("onnx", "skops"):
        prediction = load_model(tmp_path, form).predict(COLUMNS)
        assert (prediction.probabilities, prediction.classes) == (None, None)
        np.testing.assert_allclose(prediction.labels, X[:5, 0] * 2, atol=1e-5)


def test_a_graph_with_probabilities_alone_is_a_classification_if_classes_are_named(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Softmax", ["x"], ["p"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 2])],
    )
    _write_graph(tmp_path, graph)
    write_signature(tmp_path, NUMBERS)
    columns = {"a": np.array([0.0, 9.0]), "b": np.array([9.0, 0.0])}
    with pytest.raises(ModelError, match=r"Output 'p' has shape \[2, 2\] for 2 rows: .* classes\.json"):
        load_model(tmp_path).predict(columns)
    (tmp_path / "classes.json").write_text('["no", "yes"]')
    assert load_model(tmp_path).predict(columns).labels.tolist() == ["yes", "no"]
    (tmp_path / "classes.json").write_text('["no", "yes", "perhaps"]')
    with pytest.raises(ModelError, match=r"has shape \[2, 2\] for 2 rows instead of \[2, 3\]"):
        load_model(tmp_path).predict(columns)


def test_probabilities_as_a_sequence_of_maps_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(onnx_of(classifier(), zipmap=True))
    write_signature(tmp_path, NUMBERS)
    prediction = load_model(tmp_path).predict(COLUMNS)
    assert prediction.probabilities is None
    assert prediction.labels.shape == (5,)


def _named_graph() -> onnx.GraphProto:
    nodes = [
        helper.make_node("Cast", ["n"], ["nf"], to=TensorProto.FLOAT),
        helper.make_node("Identity", ["t"], ["label"]),
        helper.make_node("Add", ["a", "nf"], ["sum"]),
    ]
    inputs = [
        helper.make_tensor_value_info("a", TensorProto.FLOAT, [None, 1]),
        helper.make_tensor_value_info("n", TensorProto.INT64, [None, 1]),
        helper.make_tensor_value_info("t", TensorProto.STRING, [None]),
    ]
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.STRING, [None]),
        helper.make_tensor_value_info("sum", TensorProto.FLOAT, [None, 1]),
    ]
    return helper.make_graph(nodes, "g", inputs, outputs)


NAMED = [
    {"name": "t", "datatype": "BYTES"},
    {"name": "n", "datatype": "INT64"},
    {"name": "a", "datatype": "FP32"},
]


def test_named_inputs_get_each_feature_in_the_type_of_the_graph(tmp_path: Path) -> None:
    _write_graph(tmp_path, _named_graph())
    write_signature(tmp_path, NAMED)
    columns = {"a": np.array([0.5, 1]), "n": np.array([2, 3]), "t": np.array(["x", "y"], object)}
    prediction = load_model(tmp_path).predict(columns)
    assert prediction.labels.tolist() == ["x", "y"]
    assert prediction.probabilities is not None
    assert prediction.probabilities.tolist() == [[2.5], [4.0]]


def test_a_missing_whole_number_is_named_where_the_graph_can_take_none(tmp_path: Path) -> None:
    _write_graph(tmp_path, _named_graph())
    write_signature(tmp_path, NAMED)
    columns = {"a": np.ones(2), "n": np.array([2, np.nan]), "t": np.array(["x", "y"], object)}
    with pytest.raises(ColumnError, match="'n' is missing in row 1, and this model takes whole numbers"):
        load_model(tmp_path).predict(columns)


def test_named_inputs_must_be_the_features(tmp_path: Path) -> None:
    _write_graph(tmp_path, _named_graph())
    write_signature(tmp_path, NAMED[1:])
    with pytest.raises(SignatureError, match=r"differ at 't': signature\.json has no such feature"):
        load_model(tmp_path)
    write_signature(tmp_path, [*NAMED, {"name": "z", "datatype": "FP32"}])
    with pytest.raises(SignatureError, match=r"differ at 'z': model\.onnx has no such input"):
        load_model(tmp_path)
    write_signature(tmp_path, [{"name": "a", "datatype": "BYTES"}, *NAMED[:2]])
    with pytest.raises(SignatureError, match=r"'a' is text, but model\.onnx takes tensor\(float\)"):
        load_model(tmp_path)


def test_a_missing_value_is_named_when_a_model_can_do_nothing_with_it(tmp_path: Path) -> None:
    write_model(tmp_path, ("onnx", "skops"))
    rows = ROWS | {"carrier": np.array(["AA", "??", "AA"], object)}
    for form in ("onnx", "skops"):
        with pytest.raises(ColumnError, match="'carrier' is missing or no known category in row 1"):
            load_model(tmp_path, form).predict(rows)


# skops


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(3, random_state=0),
        GradientBoostingClassifier(n_estimators=3),
        HistGradientBoostingClassifier(max_iter=3, categorical_features=[1]),
        HistGradientBoostingRegressor(max_iter=3, loss="absolute_error"),
        KNeighborsClassifier(),
        make_pipeline(SimpleImputer(), LogisticRegression()),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_the_usual_estimators_load_from_skops(tmp_path: Path, estimator: Any) -> None:
    rows = X.round()
    skops.io.dump(estimator.fit(rows, Y), tmp_path / "model.skops")
    write_signature(tmp_path, NUMBERS)
    labels = load_model(tmp_path).predict({"a": rows[:, 0], "b": rows[:, 1]}).labels
    np.testing.assert_allclose(labels, estimator.predict(rows))


def test_a_type_that_is_not_listed_is_refused_by_name_and_not_built(tmp_path: Path) -> None:
    estimator = make_pipeline(FunctionTransformer(os.getenv), LogisticRegression())
    estimator.steps[1][1].fit(X, Y)
    skops.io.dump(estimator, tmp_path / "model.skops")
    write_signature(tmp_path, NUMBERS)
    with pytest.raises(ModelError, match=r"holds types that are not allowed: os\.getenv\."):
        load_model(tmp_path)


def test_another_scikit_learn_is_refused_with_both_versions(tmp_path: Path) -> None:
    write_model(tmp_path, ("skops",))
    _edit_schema(tmp_path / "model.skops", lambda schema: schema.replace("1.9.1", "1.8.0"))
    with pytest.raises(ModelError, match=r"saved with scikit-learn 1\.8\.0, but this image has 1\.9\.1"):
        load_model(tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x05\x06" + b"\0" * 18])
def test_a_damaged_skops_file_is_refused(tmp_path: Path, content: bytes) -> None:
    write_model(tmp_path, ("skops",))
    (tmp_path / "model.skops").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.skops (is not a skops file|can't be loaded)"):
        load_model(tmp_path)


def test_a_skops_file_that_unpacks_to_too_much_is_refused_before_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path, ("skops",))
    monkeypatch.setattr("steadfit_artifact.formats.skops_model.MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(ModelError, match=r"unpacks to \d+ bytes; at most 1000"):
        load_model(tmp_path)


def test_classes_and_width_must_be_the_estimators(tmp_path: Path) -> None:
    write_model(tmp_path, ("skops",))
    (tmp_path / "classes.json").write_text("[1, 0]")
    with pytest.raises(ModelError, match=r"classes\.json says \[1, 0\], but model\.skops says \[0, 1\]"):
        load_model(tmp_path)
    (tmp_path / "classes.json").write_text("[0, 1]")
    write_signature(tmp_path, NUMBERS[:1])
    with pytest.raises(ModelError, match=r"takes 2 features, but the signature names 1"):
        load_model(tmp_path)


def _edit_schema(path: Path, edit: Any) -> None:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["schema.json"] = edit(files["schema.json"].decode()).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    path.write_bytes(target.getvalue())


def _write_graph(directory: Path, graph: onnx.GraphProto) -> None:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (directory / "model.onnx").write_bytes(model.SerializeToString())


def test_the_signature_document_of_a_model_is_what_was_written(tmp_path: Path) -> None:
    write_model(tmp_path)
    assert [feature.document() for feature in load_model(tmp_path).features] == json.loads(
        (tmp_path / "signature.json").read_text()
    )
