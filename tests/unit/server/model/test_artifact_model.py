"""Real models of each format and kind behind the protocol, in process."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PowerTransformer
from steadfit_artifact import example
from steadfit_artifact.errors import ColumnError, ModelError
from steadfit_artifact.example import EXAMPLE_NAME
from steadfit_artifact.model import load_model
from steadfit_artifact.prediction import Prediction
from steadfit_server.model import odd_input
from steadfit_server.model.artifact_model import ArtifactModel
from steadfit_server.model.interface import zeros

from tests.unit.server import artifacts
from tests.unit.server.harness import MIXED, Caller, mixed, replaced, tensor

ROWS = replaced("hour", data=[2, 22])


def caller(directory: Path) -> Caller:
    return Caller(ArtifactModel(load_model(directory)))


@pytest.mark.parametrize("model_format", ["onnx", "skops"])
def test_a_classifier_answers_label_and_probabilities_with_its_classes(tmp_path: Path, model_format: str) -> None:
    label, probabilities = caller(artifacts.write(tmp_path / "a", model_format)).infer(*ROWS).body["outputs"]
    assert label == {"name": "label", "datatype": "INT64", "shape": [2], "data": [0, 1]}
    assert (probabilities["datatype"], probabilities["shape"]) == ("FP32", [2, 2])
    assert probabilities["parameters"] == {"classes": [0, 1]}
    early, late = np.reshape(probabilities["data"], (2, 2))
    assert early[0] > 0.5
    assert late[1] > 0.5


@pytest.mark.parametrize("model_format", ["onnx", "skops"])
def test_text_labels_are_answered_as_text(tmp_path: Path, model_format: str) -> None:
    directory = artifacts.write(tmp_path / "a", model_format, text_labels=True)
    label, probabilities = caller(directory).infer(*ROWS).body["outputs"]
    assert (label["datatype"], label["data"]) == ("BYTES", ["early", "late"])
    assert probabilities["parameters"] == {"classes": ["early", "late"]}


@pytest.mark.parametrize("model_format", ["onnx", "skops"])
def test_a_regressor_answers_prediction(tmp_path: Path, model_format: str) -> None:
    (output,) = caller(artifacts.write(tmp_path / "a", model_format, "regressor")).infer(*ROWS).body["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("prediction", "FP64", [2])
    assert output["data"] == pytest.approx([4.0, 44.0], abs=1e-3)


def test_a_classifier_without_probabilities_answers_label_alone(tmp_path: Path) -> None:
    (output,) = caller(artifacts.write(tmp_path / "a", "skops", "margin")).infer(*ROWS).body["outputs"]
    assert (output["name"], output["data"]) == ("label", [0, 1])


def test_metadata_names_outputs_and_format_of_the_loaded_model(tmp_path: Path) -> None:
    body = caller(artifacts.write(tmp_path / "a", "skops")).get("/v2/models/flights").body
    assert body["platform"] == "skops"
    assert body["outputs"] == [
        {"name": "label", "datatype": "INT64", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
    ]


def test_a_number_too_large_for_the_model_gets_400_with_its_input(tmp_path: Path) -> None:
    refused = caller(artifacts.write(tmp_path / "a")).infer(*replaced("wind", data=[1.0, 1e300]))
    assert refused.status == 400
    assert refused.error.startswith("Input 'wind' is infinite or too large")


@pytest.mark.parametrize(("name", "values"), [("wind", [1.0, None]), ("carrier", ["UA", "ZZ"])])
def test_a_missing_value_that_the_model_needs_gets_400_with_its_input_and_row(
    tmp_path: Path, name: str, values: list[Any]
) -> None:
    refused = caller(artifacts.write(tmp_path / "a")).infer(*replaced(name, data=values))
    assert refused.status == 400
    assert refused.error.startswith(f"Input '{name}' is missing")
    assert "row 1" in refused.error


class NotFinite:
    """A model whose answer is no number, whatever it is asked."""

    format = "onnx"
    classes = (0, 1)
    features = MIXED

    def __init__(self) -> None:
        self.value = 0.5

    def predict(self, columns: Any) -> Prediction:
        rows = len(columns["hour"])
        return Prediction(np.zeros(rows, np.int64), np.full((rows, 2), self.value, np.float32), (0, 1))


def test_an_answer_that_is_no_number_is_a_failure_and_not_null() -> None:
    model = NotFinite()
    caller = Caller(ArtifactModel(model))  # type: ignore[arg-type]
    assert caller.infer(*mixed()).status == 200
    model.value = float("nan")
    assert caller.infer(*mixed()).status == 500


MONTHS = [{"name": "month", "datatype": "INT64"}, {"name": "wind", "datatype": "FP64"}]


def months(directory: Path) -> Caller:
    """A model that knows the months 1 to 12, and takes the logarithm of the wind; with its example."""
    directory.mkdir()
    generator = np.random.default_rng(0)
    rows = np.stack([generator.integers(1, 13, 300), generator.uniform(1, 40, 300)], axis=1).astype(np.float32)
    columns = ColumnTransformer([("month", OneHotEncoder(), [0]), ("wind", PowerTransformer("box-cox"), [1])])
    skops.io.dump(make_pipeline(columns, LogisticRegression()).fit(rows, rows[:, 0] > 6), directory / "model.skops")
    (directory / "signature.json").write_text(json.dumps(MONTHS))
    loaded = load_model(directory)
    (directory / EXAMPLE_NAME).write_bytes(example.dump(loaded.features, [7, 3.5]))
    return Caller(ArtifactModel(loaded, example.read(directory, loaded.features)))


def test_a_model_that_cannot_predict_zeros_serves_with_its_example(tmp_path: Path) -> None:
    asked = tensor("month", "INT64", [1, 12]), tensor("wind", "FP64", [2.0, 30.0])
    assert months(tmp_path / "a").infer(*asked).status == 200


@pytest.mark.parametrize(
    ("month", "wind", "sentence"),
    [
        ([1, 13, 2], [1.0, 2.0, 3.0], "Input 'month': the model has no answer for the value in row 1."),
        ([1, 2, 3], [1.0, 2.0, -3.0], "Input 'wind': the model has no answer for the value in row 2."),
        ([1, 2, 0], [1.0, 2.0, -3.0], "The model has no answer for the values of row 2 together."),
    ],
)
def test_an_odd_value_is_the_callers_whatever_the_estimator_raises(
    tmp_path: Path, month: list[int], wind: list[float], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine is.
    monkeypatch.setattr(odd_input, "SEARCH_SECONDS", 60.0)
    caller = months(tmp_path / "a")
    refused = caller.infer(tensor("month", "INT64", month), tensor("wind", "FP64", wind))
    assert (refused.status, refused.error) == (400, sentence)
    assert caller.value("steadfit_server_requests_total", code="500") in (None, 0)


def test_a_model_that_fails_on_everything_is_a_failure_of_the_server(tmp_path: Path) -> None:
    model = NotFinite()
    caller = Caller(ArtifactModel(model, zeros(MIXED, 1)))  # type: ignore[arg-type]
    model.value = float("inf")
    assert caller.infer(*mixed()).status == 500


def test_the_search_for_an_odd_value_ends_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(odd_input, "SEARCH_SECONDS", -1.0)
    columns = zeros(MIXED, 8)
    columns["wind"][5] = 13
    refused = odd_input.blame(lambda some: not (some["wind"] == 13).any(), columns, zeros(MIXED, 1))
    assert str(refused) == "The model has no answer for the values of a row."


def test_a_model_that_refuses_the_example_row_is_refused() -> None:
    class Picky(NotFinite):
        def predict(self, columns: Any) -> Prediction:
            raise ColumnError("hour", "must not be 0.")

    with pytest.raises(ModelError, match="fails on an example row of zeros and first categories: 'hour' must"):
        ArtifactModel(Picky())  # type: ignore[arg-type]
