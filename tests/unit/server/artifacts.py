"""Small real models, written as a training container would, and put into a store."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC
from steadfit_artifact.digest import MANIFEST_NAME, manifest_of

from tests.unit.server.s3 import S3

FEATURES = [
    {"name": "hour", "datatype": "INT64"},
    {"name": "wind", "datatype": "FP64"},
    {"name": "holiday", "datatype": "BOOL"},
    {"name": "carrier", "datatype": "BYTES", "categories": ["UA", "DL", "AA"]},
]
# What publish would have written beside the classifier: 200 rows, half of them late.
REFERENCE = {
    "schemaVersion": 1,
    "task": "binary",
    "rows": 200,
    "features": [
        {"name": "hour", "kind": "number", "edges": [6.0, 12.0], "counts": [60, 50, 90, 0], "importance": 0.9},
        {
            "name": "carrier",
            "kind": "category",
            "categories": ["UA", "DL"],
            "counts": [70, 70, 60, 0],
            "importance": 0.1,
        },
    ],
    "predictions": {"kind": "score", "edges": [0.5], "counts": [110, 90]},
}
URI = "s3://bucket/prefix/artifacts"
KINDS: dict[str, Any] = {"classifier": LogisticRegression, "regressor": LinearRegression, "margin": LinearSVC}


def write(directory: Path, model_format: str = "onnx", kind: str = "classifier", text_labels: bool = False) -> Path:
    """Write a model of the four features above; late when the hour is late."""
    directory.mkdir(parents=True)
    generator = np.random.default_rng(0)
    columns = [generator.integers(0, high, 200) for high in (24, 40, 2, 3)]
    inputs = np.stack(columns, axis=1).astype(np.float32)
    target = inputs[:, 0] > 12
    labels = np.where(target, "late", "early") if text_labels else target.astype(np.int64)
    estimator = KINDS[kind]().fit(inputs, inputs[:, 0] * 2.0 if kind == "regressor" else labels)
    if model_format == "onnx":
        options = {"zipmap": False} if kind == "classifier" else {}
        (directory / "model.onnx").write_bytes(to_onnx(estimator, inputs[:1], options=options).SerializeToString())
    else:
        skops.io.dump(estimator, directory / "model.skops")
    (directory / "signature.json").write_text(json.dumps(FEATURES))
    if kind == "classifier":
        classes = [label.item() for label in estimator.classes_]
        (directory / "classes.json").write_text(json.dumps(classes))
        reference = REFERENCE | {"classes": classes, "positive": classes[1]}
        (directory / "reference.json").write_text(json.dumps(reference))
    return directory


def put(s3: S3, directory: Path) -> str:
    """Put an artifact into the store; return its digest."""
    manifest = manifest_of(directory)
    contents = {entry.path: (directory / entry.path).read_bytes() for entry in manifest.files}
    for path, content in {**contents, MANIFEST_NAME: manifest.canonical()}.items():
        s3.objects[f"/bucket/prefix/artifacts/{path}"] = content
    return manifest.digest


def reference(s3: S3, digest: str, directory: Path) -> str:
    """Return STEADFIT_ARTIFACT for an artifact in the store."""
    credentials = directory / "credentials"
    credentials.mkdir(exist_ok=True)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        (credentials / name).write_text("key")
    store = {"uriPrefix": "s3://bucket/prefix", "s3": {"endpoint": s3.endpoint}, "credentials": str(credentials)}
    return json.dumps({"uri": URI, "digest": digest, "store": store})
