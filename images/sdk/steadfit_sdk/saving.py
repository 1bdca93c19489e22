"""Writing a fitted estimator as an artifact: skops always, ONNX where it says the same."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from steadfit_artifact.errors import ArtifactError, ColumnError
from steadfit_artifact.model import CLASSES_NAME, load_model
from steadfit_artifact.onnx_model import ONNX_NAME
from steadfit_artifact.parity import SAMPLE_ROWS, compare
from steadfit_artifact.signature import SIGNATURE_NAME, Feature, Signature
from steadfit_artifact.skops_types import SKOPS_NAME

from steadfit_sdk import table as tables
from steadfit_sdk.environment import environment
from steadfit_sdk.formats import NotConvertibleError, onnx_bytes, skops_bytes
from steadfit_sdk.inputs import root

LOG = logging.getLogger(__name__)


def save(estimator: Any, features: Sequence[Feature], sample: Any, output: Path | str | None = None) -> Path:
    """Write a fitted estimator to where Steadfit's publish step finds it.

    Written are model.skops; model.onnx if the estimator converts and predicts the same on `sample` (it is served
    many times faster); signature.json, classes.json, environment.json. The same estimator gives the same bytes.

    Args:
        estimator: a fitted scikit-learn classifier or regressor (or pipeline) that was fitted on `encode(...)`.
        features: its inputs in order, from `features(...)`.
        sample: some training rows, as a table or as the array that `encode` gives; up to 1,000 are used.
        output: the folder; /steadfit/output by default.

    Returns:
        The folder.

    Raises:
        ArtifactError: the estimator can't be loaded again, e.g. because it holds types that are not allowed.
        ValueError: `sample` does not have the features.
    """
    folder = Path(output) if output is not None else root() / "output"
    folder.mkdir(parents=True, exist_ok=True)
    signature = Signature(tuple(features))
    columns = _sample(signature, sample)
    (folder / SIGNATURE_NAME).write_bytes(signature.dump())
    # A second save must not find the first one's files.
    for name in (ONNX_NAME, CLASSES_NAME):
        (folder / name).unlink(missing_ok=True)
    classes = getattr(estimator, "classes_", None)
    if classes is not None:
        (folder / CLASSES_NAME).write_text(json.dumps(np.asarray(classes).tolist()))
    (folder / SKOPS_NAME).write_bytes(skops_bytes(estimator))
    load_model(folder, "skops").predict(columns)
    _save_onnx(estimator, folder, columns, len(signature.features))
    (folder / "environment.json").write_text(json.dumps(environment(), indent=1, sort_keys=True))
    return folder


def _save_onnx(estimator: Any, folder: Path, columns: dict[str, Any], width: int) -> None:
    """Write model.onnx, or say why there is none: it is only ever the faster copy."""
    path = folder / ONNX_NAME
    try:
        path.write_bytes(onnx_bytes(estimator, width))
        parity = compare(load_model(folder, "onnx").predict(columns), load_model(folder, "skops").predict(columns))
    except (NotConvertibleError, ArtifactError, ColumnError) as error:
        path.unlink(missing_ok=True)
        LOG.warning("There is no %s, %s is served instead: %s", ONNX_NAME, SKOPS_NAME, error)
        return
    if not parity.agrees:
        path.unlink()
        LOG.warning(
            "There is no %s, %s is served instead: ONNX differs in %.1f %% of %d rows, by up to %.3g.",
            ONNX_NAME, SKOPS_NAME, 100 * (1 - parity.agreeing), parity.rows, parity.max_difference,
        )  # fmt: skip


def _sample(signature: Signature, sample: Any) -> dict[str, Any]:
    """Return up to SAMPLE_ROWS rows, spread over the sample, as columns."""
    if isinstance(sample, np.ndarray):
        if sample.ndim != 2 or sample.shape[1] != len(signature.features):
            raise ValueError(
                f"The sample has shape {list(sample.shape)}, but there are {len(signature.features)} features."
            )
        columns = {feature.name: _decoded(feature, sample[:, i]) for i, feature in enumerate(signature.features)}
    else:
        columns = tables.columns(sample, signature.features)
        for feature in signature.features:
            if feature.name not in columns:
                raise ValueError(f"The sample has no column '{feature.name}'.")
    rows = len(next(iter(columns.values())))
    if not rows:
        raise ValueError("The sample has no rows.")
    chosen = np.unique(np.linspace(0, rows - 1, min(rows, SAMPLE_ROWS)).astype(int))
    return {name: column[chosen] for name, column in columns.items()}


def _decoded(feature: Feature, values: Any) -> Any:
    """Return an encoded column as the request would give it."""
    if feature.categories is None:
        return values
    texts = [None if np.isnan(value) else feature.categories[int(value)] for value in values]
    return np.array([*texts, None], object)[:-1]
