"""Writing a fitted estimator as an artifact: as skops, and in every other format that predicts the same."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from steadfit_artifact.errors import ArtifactError, ColumnError
from steadfit_artifact.formats import registry
from steadfit_artifact.formats.names import SKOPS, SKOPS_NAME
from steadfit_artifact.model import CLASSES_NAME, load_model
from steadfit_artifact.parity import SAMPLE_ROWS, compare
from steadfit_artifact.prediction import Prediction
from steadfit_artifact.signature import SIGNATURE_NAME, Feature, Signature

from steadfit_sdk import converters
from steadfit_sdk import table as tables
from steadfit_sdk.environment import environment
from steadfit_sdk.errors import NotConvertibleError
from steadfit_sdk.inputs import root
from steadfit_sdk.skops_export import skops_bytes

LOG = logging.getLogger(__name__)


def save(estimator: Any, features: Sequence[Feature], sample: Any, output: Path | str | None = None) -> Path:
    """Write a fitted estimator to the folder that Steadfit's publish step reads.

    The files are model.skops; model.onnx, if the estimator converts and predicts the same on `sample` (ONNX is served
    many times faster); signature.json, classes.json and environment.json. The same estimator gives the same bytes.

    Parameters
    ----------
    estimator : Any
        A fitted scikit-learn classifier or regressor (or pipeline) that was fitted on `encode(...)`.
    features : Sequence[Feature]
        Its inputs in order, from `features(...)`.
    sample : Any
        Some training rows, as a table or as the array that `encode` gives; up to 1,000 are used.
    output : Path | str, optional
        The folder; /steadfit/output by default.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ArtifactError
        The estimator can't be loaded again, e.g. because it holds types that are not allowed.
    ValueError
        `sample` does not have the features.
    """
    folder = Path(output) if output is not None else root() / "output"
    folder.mkdir(parents=True, exist_ok=True)
    signature = Signature(tuple(features))
    columns = _sample(signature, sample)
    (folder / SIGNATURE_NAME).write_bytes(signature.dump())
    # Files of an earlier save must not stay.
    for name in (*(each.file_name for each in registry.formats()), CLASSES_NAME):
        (folder / name).unlink(missing_ok=True)
    classes = getattr(estimator, "classes_", None)
    if classes is not None:
        (folder / CLASSES_NAME).write_text(json.dumps(np.asarray(classes).tolist()))
    (folder / SKOPS_NAME).write_bytes(skops_bytes(estimator))
    expected = load_model(folder, SKOPS).predict(columns)
    absent = {name: _convert(estimator, name, folder, columns, expected) for name in converters.CONVERTERS}
    for name, reason in absent.items():
        if reason is not None:
            served = registry.present(folder)[0].file_name
            LOG.warning("There is no %s, %s is served instead: %s", registry.named(name).file_name, served, reason)
    (folder / "environment.json").write_text(json.dumps(environment(), indent=1, sort_keys=True))
    return folder


def _convert(estimator: Any, name: str, folder: Path, columns: dict[str, Any], expected: Prediction) -> str | None:
    """Write the estimator in another format; return None, or the reason why there is no such file."""
    path = folder / registry.named(name).file_name
    try:
        path.write_bytes(converters.CONVERTERS[name](estimator, len(columns)))
        parity = compare(load_model(folder, name).predict(columns), expected)
    except (NotConvertibleError, ArtifactError, ColumnError) as error:
        path.unlink(missing_ok=True)
        return str(error)
    if parity.agrees:
        return None
    path.unlink()
    return (
        f"{path.name} differs from {SKOPS_NAME} in {1 - parity.agreeing:.1%} of {parity.rows} rows, "
        f"by up to {parity.max_difference:.3g}."
    )


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
    """Return an encoded column as a request has it."""
    if feature.categories is None:
        return values
    texts = [None if np.isnan(value) else feature.categories[int(value)] for value in values]
    return np.array([*texts, None], object)[:-1]
