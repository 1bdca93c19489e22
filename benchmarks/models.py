"""The artifacts that are served in the benchmark: small, made here, the same on every machine."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skl2onnx import to_onnx
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io as skops_io

FEATURES = 10


def rows(count: int) -> NDArray[np.float32]:
    """Return rows of normal numbers, shape [count, FEATURES]."""
    return np.random.default_rng(0).standard_normal((count, FEATURES)).astype(np.float32)


def estimators() -> dict[str, BaseEstimator]:
    """Return the fitted models by name: a linear one and a forest, the two ends of what a row costs."""
    inputs = rows(2000)
    labels = (inputs[:, 0] + inputs[:, 1] ** 2 > 1).astype(np.int64)
    linear = make_pipeline(StandardScaler(), LogisticRegression())
    forest = RandomForestClassifier(100, max_depth=10, random_state=0)
    return {"linear": linear.fit(inputs, labels), "forest": forest.fit(inputs, labels)}


def write_artifact(directory: Path, estimator: BaseEstimator, model_format: str) -> None:
    """Write what a training container leaves: the model and its signature."""
    directory.mkdir(parents=True)
    if model_format == "onnx":
        graph = to_onnx(estimator, rows(1), options={"zipmap": False})
        (directory / "model.onnx").write_bytes(graph.SerializeToString())
    else:
        skops_io.dump(estimator, directory / "model.skops")
    signature = [{"name": f"x{index}", "datatype": "FP32"} for index in range(FEATURES)]
    (directory / "signature.json").write_text(json.dumps(signature))
    (directory / "environment.json").write_text("{}")
