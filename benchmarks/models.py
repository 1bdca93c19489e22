"""The artifacts of the benchmark: small, generated, the same on every machine."""

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
from steadfit_artifact.reference import NumberFeature, Reference, ScorePredictions, count_numbers, numbers

FEATURES = 10


def rows(count: int) -> NDArray[np.float32]:
    """Return rows of normal numbers, shape [count, FEATURES]."""
    return np.random.default_rng(0).standard_normal((count, FEATURES)).astype(np.float32)


def estimators() -> dict[str, BaseEstimator]:
    """Return the fitted models by name: a linear one and a forest, the cheapest and the most expensive row."""
    inputs = rows(2000)
    labels = (inputs[:, 0] + inputs[:, 1] ** 2 > 1).astype(np.int64)
    linear = make_pipeline(StandardScaler(), LogisticRegression())
    forest = RandomForestClassifier(100, max_depth=10, random_state=0)
    return {"linear": linear.fit(inputs, labels), "forest": forest.fit(inputs, labels)}


def write_artifact(directory: Path, estimator: BaseEstimator, model_format: str) -> None:
    """Write the files of an artifact: the model, its signature and the reference."""
    directory.mkdir(parents=True)
    if model_format == "onnx":
        graph = to_onnx(estimator, rows(1), options={"zipmap": False})
        (directory / "model.onnx").write_bytes(graph.SerializeToString())
    else:
        skops_io.dump(estimator, directory / "model.skops")
    signature = [{"name": f"x{index}", "datatype": "FP32"} for index in range(FEATURES)]
    (directory / "signature.json").write_text(json.dumps(signature))
    (directory / "environment.json").write_text("{}")
    (directory / "reference.json").write_bytes(_reference(estimator).dump())


def _reference(estimator: BaseEstimator) -> Reference:
    """Return ten bins of each feature and of the score."""
    inputs = rows(2000)
    scores = estimator.predict_proba(inputs)[:, 1].astype(np.float64)
    features = []
    for index in range(FEATURES):
        column = numbers(inputs[:, index], "FP32")
        edges = _deciles(column)
        counts = tuple(count_numbers(edges, column))
        features.append(NumberFeature(name=f"x{index}", edges=edges, counts=counts, importance=1 / FEATURES))
    edges = _deciles(scores)
    predictions = ScorePredictions(edges=edges, counts=tuple(count_numbers(edges, scores)[:-1]))
    return Reference(
        task="binary",
        rows=len(inputs),
        features=tuple(features),
        predictions=predictions,
        positive=1,
        classes=(0, 1),
    )


def _deciles(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(np.unique(np.quantile(values, np.arange(1, 10) / 10)).tolist())
