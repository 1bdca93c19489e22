"""Real models of each format and kind behind the protocol, in process."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from steadfit_artifact.errors import ColumnError, ModelError
from steadfit_artifact.model import load_model
from steadfit_artifact.prediction import Prediction
from steadfit_server.model.artifact_model import ArtifactModel

from tests.unit.server import artifacts
from tests.unit.server.harness import MIXED, Caller, mixed, replaced

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


def test_a_model_that_refuses_the_example_row_is_refused() -> None:
    class Picky(NotFinite):
        def predict(self, columns: Any) -> Prediction:
            raise ColumnError("hour", "must not be 0.")

    with pytest.raises(ModelError, match="refuses an example row of zeros and first categories: Input 'hour' must"):
        ArtifactModel(Picky())  # type: ignore[arg-type]
