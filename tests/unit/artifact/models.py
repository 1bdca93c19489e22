"""Small fitted models as artifacts on the disk."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

FEATURES = [
    {"name": "distance", "datatype": "FP64"},
    {"name": "carrier", "datatype": "BYTES", "categories": ["AA", "UA"]},
]
ROWS: dict[str, NDArray[Any]] = {
    "distance": np.array([0.1, 0.9, 0.5]),
    "carrier": np.array(["AA", "UA", "AA"], object),
}


def classifier(classes: tuple[Any, Any] = (0, 1)) -> Any:
    rng = np.random.default_rng(0)
    rows = rng.random((200, 2)).astype(np.float32)
    return LogisticRegression().fit(rows, np.array(classes)[(rows.sum(axis=1) > 1).astype(int)])


def onnx_of(estimator: Any, width: int = 2, zipmap: bool = False) -> bytes:
    from skl2onnx import to_onnx

    options = {id(estimator): {"zipmap": zipmap}} if hasattr(estimator, "classes_") else None
    return bytes(to_onnx(estimator, np.zeros((1, width), np.float32), options=options).SerializeToString())


def write_signature(directory: Path, features: Any = FEATURES) -> None:
    (directory / "signature.json").write_text(json.dumps(features))


def write_model(directory: Path, formats: tuple[str, ...] = ("onnx",), classes: tuple[Any, Any] = (0, 1)) -> Any:
    directory.mkdir(parents=True, exist_ok=True)
    estimator = classifier(classes)
    if "onnx" in formats:
        (directory / "model.onnx").write_bytes(onnx_of(estimator))
    if "skops" in formats:
        skops.io.dump(estimator, directory / "model.skops")
    write_signature(directory)
    return estimator
