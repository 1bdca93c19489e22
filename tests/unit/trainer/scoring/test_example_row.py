"""The example of a result: a whole training row, which every format of the result answers before it is published."""

import json
from pathlib import Path
from typing import Any

import pytest
from steadfit_artifact.errors import ModelError
from steadfit_artifact.transfer import download
from steadfit_trainer.failures import UserFailure
from steadfit_trainer.scoring import example_row

from tests.unit.trainer.run_pod import RunPod, operator


def test_the_example_is_the_first_training_row_without_a_gap(pod: RunPod, tmp_path: Path) -> None:
    with operator(tmp_path) as intake:
        pod.publish(intake)
    artifact = intake.bodies()[0]["artifact"]
    download(pod.store("s3://models"), artifact["uri"], artifact["digest"], tmp_path / "served")
    inputs = json.loads((tmp_path / "served" / "example.json").read_text())["inputs"]
    rows = pod.trained().select(["wind", "carrier"]).to_pylist()
    assert {tensor["name"]: tensor["data"][0] for tensor in inputs} == next(
        row for row in rows if None not in row.values()
    )
    assert [tensor["shape"] for tensor in inputs] == [[1], [1]]


def test_a_result_that_does_not_answer_a_training_row_is_never_published(
    pod: RunPod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unready:
        format = "onnx"

        def predict(self, columns: Any) -> Any:
            raise ModelError("The model failed to predict: no such month.")

    monkeypatch.setattr(example_row, "load_model", lambda *_: Unready())
    with operator(tmp_path) as intake, pytest.raises(UserFailure, match="no such month"):
        pod.publish(intake)
    assert intake.bodies() == []
