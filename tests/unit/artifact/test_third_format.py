"""A third model format, registered here alone: everything that reads, writes, compares or serves models takes it."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import steadfit_sdk as steadfit
from numpy.typing import ArrayLike
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from steadfit_artifact.errors import ModelError
from steadfit_artifact.formats import registry
from steadfit_artifact.model import load_model
from steadfit_artifact.prediction import Label, Model, Prediction
from steadfit_artifact.signature import Feature, Signature
from steadfit_artifact.transfer import download
from steadfit_sdk import converters
from steadfit_sdk.errors import NotConvertibleError
from steadfit_server.model.artifact_model import ArtifactModel
from steadfit_trainer.failures import UserFailure

from tests.unit.server.harness import Caller, tensor
from tests.unit.trainer.flights import flights
from tests.unit.trainer.run_pod import RunPod, operator
from tests.unit.trainer.training import training_container

MODEL = "model.linear.json"


@dataclass(frozen=True)
class LinearModel:
    """A logistic regression by its coefficients."""

    signature: Signature
    classes: tuple[Label, ...] | None
    coefficients: list[float]
    intercept: float
    fill: list[float]
    format: str = "linear"

    @property
    def features(self) -> tuple[Feature, ...]:
        return self.signature.features

    def predict(self, columns: Mapping[str, ArrayLike]) -> Prediction:
        stacked = self.signature.stacked(columns).astype(np.float64)
        rows = np.where(np.isnan(stacked), self.fill, stacked)
        positive = 1 / (1 + np.exp(-(rows @ self.coefficients + self.intercept)))
        probabilities = np.stack([1 - positive, positive], axis=1).astype(np.float32)
        return Prediction(np.asarray(self.classes)[probabilities.argmax(axis=1)], probabilities, self.classes)


class LinearFormat:
    name = "linear"
    file_name = MODEL

    def load(self, path: Path, signature: Signature, classes: tuple[Label, ...] | None) -> Model:
        try:
            document = json.loads(path.read_bytes())
        except ValueError:
            raise ModelError(f"{MODEL} is not JSON.") from None
        return LinearModel(signature, classes, document["coefficients"], document["intercept"], document["fill"])


def linear_bytes(estimator: Any, width: int) -> bytes:
    fill, last = estimator.steps[0][1].statistics_, estimator.steps[-1][1]
    if not isinstance(last, LogisticRegression):
        raise NotConvertibleError(f"{type(last).__name__} is not a linear model.")
    assert last.coef_.shape == (1, width)
    document = {"coefficients": last.coef_[0].tolist(), "intercept": float(last.intercept_[0]), "fill": fill.tolist()}
    return json.dumps(document).encode()


def shifted(raw: bytes) -> bytes:
    """Return another model of the same format."""
    document = json.loads(raw)
    return json.dumps({**document, "intercept": document["intercept"] + 9}).encode()


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Register the format, before or after the two that Steadfit has."""

    def registered(*, first: bool, converter: converters.Converter = linear_bytes) -> None:
        formats = (LinearFormat(), *registry.FORMATS) if first else (*registry.FORMATS, LinearFormat())
        monkeypatch.setattr(registry, "FORMATS", formats)
        monkeypatch.setattr(converters, "CONVERTERS", {**converters.CONVERTERS, "linear": converter})

    return registered


def train(pod: RunPod, last: Any) -> None:
    with training_container(pod):
        table = steadfit.load_data("flights")
        features = steadfit.features(table, exclude=["late", "time", "id"])
        estimator = make_pipeline(SimpleImputer(), last).fit(steadfit.encode(table, features), table["late"])
        steadfit.save(estimator, features, table)


@pytest.fixture
def pod(tmp_path: Path) -> RunPod:
    fetched = RunPod(tmp_path / "steadfit")
    fetched.put("s3://lake/flights/part-0.parquet", flights())
    fetched.fetch()
    return fetched


def test_a_third_format_is_saved_published_loaded_and_served_once_it_is_registered(
    register: Callable[..., None], pod: RunPod, tmp_path: Path
) -> None:
    register(first=True)
    train(pod, LogisticRegression())
    with operator(tmp_path) as intake:
        pod.publish(intake)
    posted = intake.bodies()[0]
    assert MODEL in [file["path"] for file in posted["artifact"]["files"]]
    assert (posted["parity"]["rows"], posted["parity"]["agreeing"]) == (120, 1.0)
    download(pod.store("s3://models"), posted["artifact"]["uri"], posted["artifact"]["digest"], tmp_path / "served")
    caller = Caller(ArtifactModel(load_model(tmp_path / "served")))
    assert caller.get("/v2/models/flights").body["platform"] == "linear"
    label, probabilities = caller.infer(
        tensor("wind", "FP64", [1.0, 30.0]), tensor("carrier", "BYTES", ["AA", "UA"])
    ).body["outputs"]
    expected = load_model(tmp_path / "served", "skops").predict({"wind": [1.0, 30.0], "carrier": ["AA", "UA"]})
    assert expected.probabilities is not None
    assert label["data"] == expected.labels.tolist()
    np.testing.assert_allclose(probabilities["data"], expected.probabilities.ravel(), atol=1e-5)


def test_a_third_format_that_predicts_something_else_is_not_saved(
    register: Callable[..., None], pod: RunPod, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(estimator: Any, width: int) -> bytes:
        return shifted(linear_bytes(estimator, width))

    register(first=True, converter=wrong)
    train(pod, LogisticRegression())
    assert not (pod.paths.output / MODEL).exists()
    assert f"There is no {MODEL}, model.onnx is served instead: {MODEL} differs from model.skops in" in caplog.text


def test_a_third_format_names_the_estimators_that_it_cannot_express(
    register: Callable[..., None], pod: RunPod, caplog: pytest.LogCaptureFixture
) -> None:
    register(first=False)
    train(pod, GradientBoostingClassifier(n_estimators=3))
    assert not (pod.paths.output / MODEL).exists()
    reason = "GradientBoostingClassifier is not a linear model."
    assert f"There is no {MODEL}, model.onnx is served instead: {reason}" in caplog.text


def test_publish_refuses_a_third_format_that_is_not_the_same_model(register: Callable[..., None], pod: RunPod) -> None:
    register(first=False)
    train(pod, LogisticRegression())
    path = pod.paths.output / MODEL
    path.write_bytes(shifted(path.read_bytes()))
    with pytest.raises(UserFailure, match=rf"model\.onnx and {MODEL} are not the same model: they differ in"):
        pod.publish()
    path.write_text("garbage")
    with pytest.raises(UserFailure, match=f"{MODEL} is not JSON"):
        pod.publish()


def test_a_second_save_leaves_no_file_of_a_third_format(register: Callable[..., None], pod: RunPod) -> None:
    register(first=False)
    train(pod, LogisticRegression())
    assert (pod.paths.output / MODEL).exists()
    train(pod, GradientBoostingClassifier(n_estimators=3))
    assert not (pod.paths.output / MODEL).exists()


def test_messages_name_the_files_of_every_registered_format(register: Callable[..., None], tmp_path: Path) -> None:
    register(first=False)
    with pytest.raises(ModelError, match=r"There is no model\.onnx, model\.skops or model\.linear\.json\."):
        load_model(tmp_path)


def test_a_model_of_a_format_that_is_not_registered_is_named(tmp_path: Path) -> None:
    (tmp_path / MODEL).write_text("{}")
    with pytest.raises(ModelError, match=rf"There is no model\.onnx or model\.skops\. '{MODEL}' is in no format"):
        load_model(tmp_path)
    with pytest.raises(ModelError, match="There is no model format 'linear'; this release has onnx, skops"):
        load_model(tmp_path, "linear")


def test_no_runtime_is_imported_before_a_model_of_its_format_is_loaded() -> None:
    script = "import sys, steadfit_artifact.model; print(*{'onnxruntime', 'sklearn', 'skops'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=100)
    assert done.stdout.strip() == ""
