"""Scores a model, loaded as the server loads it, on rows that it was not trained on."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from steadfit_artifact.errors import ArtifactError, ColumnError
from steadfit_artifact.model import Label, Model, Prediction
from steadfit_artifact.prediction import PROBABILITY_TOLERANCE
from steadfit_artifact.signature import Feature

from steadfit_trainer.config import Evaluation
from steadfit_trainer.data import labels
from steadfit_trainer.failures import UserFailure
from steadfit_trainer.metrics.answers import Answers, UndefinedMetricError
from steadfit_trainer.metrics.registry import METRICS

LOG = logging.getLogger(__name__)

BATCH_ROWS = 8192


def load_holdout(folder: Path, features: tuple[Feature, ...], target: str) -> tuple[dict[str, NDArray[Any]], list[Any]]:
    """Return the holdout rows of all sources: the features' columns of shape [rows], and the labels.

    Raises
    ------
    UserFailure
        The signature names a column that the data does not have, or of another type.
    """
    return load(sorted(folder.glob("*.parquet")), features, target)


def load(files: list[Path], features: tuple[Feature, ...], target: str) -> tuple[dict[str, NDArray[Any]], list[Any]]:
    """Return the rows of files as `load_holdout` does."""
    columns: dict[str, list[NDArray[Any]]] = {feature.name: [] for feature in features}
    truth: list[Any] = []
    for path in files:
        present = pq.read_schema(path).names
        for feature in features:
            if feature.name not in present:
                raise UserFailure(
                    f"signature.json names '{feature.name}', which the data source '{path.stem}' does not have; a "
                    "model is judged on the columns of the data, so what it derives from them belongs into the model."
                )
        table = pq.read_table(path, columns=list(dict.fromkeys([*columns, target])))
        for feature in features:
            columns[feature.name].append(values_of(feature, table.column(feature.name)))
        truth += table.column(target).to_pylist()
    return {name: np.concatenate(arrays) for name, arrays in columns.items()}, truth


def values_of(feature: Feature, column: pa.ChunkedArray) -> NDArray[Any]:
    """Return a column as the model's encoding takes it: text as objects, numbers as numbers, missing as NaN or None.

    Raises
    ------
    UserFailure
        Its type is not the signature's.
    """
    try:
        if feature.datatype == "BYTES":
            texts = column.cast(pa.string()).to_pylist()
            return np.array([*texts, None], object)[:-1]  # Never a fixed-width array of text.
        if column.null_count == 0 and pa.types.is_integer(column.type):
            return np.asarray(column.to_numpy())
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.uint8())
        elif pa.types.is_temporal(column.type):
            column = column.cast(pa.int64())
        elif pa.types.is_string(column.type):
            raise pa.ArrowInvalid("text")
        return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UserFailure(
            f"signature.json says that '{feature.name}' is {feature.datatype}, but it is {column.type} in the data."
        ) from None


def predict(model: Model, columns: Mapping[str, NDArray[Any]], rows: int, where: str = "the holdout") -> Prediction:
    """Predict all rows, a few thousand at a time, and check that the answers can be answers.

    Parameters
    ----------
    model : Model
        Loaded.
    columns : Mapping[str, NDArray[Any]]
        Its inputs.
    rows : int
        How many.
    where : str, default 'the holdout'
        The rows come from, for sentences.

    Raises
    ------
    UserFailure
        The model fails, or answers NaN or something that is no probability.
    """
    parts = []
    try:
        for start in range(0, rows, BATCH_ROWS):
            parts.append(model.predict({name: column[start : start + BATCH_ROWS] for name, column in columns.items()}))
    except ColumnError as error:
        raise UserFailure(f"model.{model.format} cannot predict {where}: {error}") from None
    except ArtifactError as error:
        raise UserFailure(str(error)) from None
    first = parts[0]
    probabilities = None
    if first.probabilities is not None:
        probabilities = np.concatenate([part.probabilities for part in parts if part.probabilities is not None])
        _check_probabilities(model.format, probabilities, where)
    answers = np.concatenate([part.labels for part in parts])
    if answers.dtype.kind == "f" and not np.isfinite(answers).all():
        row = int((~np.isfinite(answers)).argmax())
        raise UserFailure(f"model.{model.format} predicts {answers[row]} in row {row} of {where}.")
    return Prediction(answers, probabilities, first.classes)


def judge(
    evaluation: Evaluation, prediction: Prediction, truth: list[Any], classes: tuple[Label, ...] | None
) -> dict[str, float]:
    """Return the metrics that have a value on these rows; see `judged` for the arguments."""
    return measure(evaluation, judged(evaluation, prediction, truth, classes))


def measure(evaluation: Evaluation, answers: Answers) -> dict[str, float]:
    """Return the metrics that have a value on these rows."""
    values: dict[str, float] = {}
    for name in (metric.name for metric in evaluation.metrics):
        try:
            value = METRICS[name].value(answers)
            if not np.isfinite(value):  # The square of a number above 1e154.
                raise UndefinedMetricError(f"it is {value} on these rows.")
            values[name] = value
        except UndefinedMetricError as error:
            LOG.warning("%s has no value: %s", name, error)
    return values


def judged(
    evaluation: Evaluation, prediction: Prediction, truth: list[Any], classes: tuple[Label, ...] | None
) -> Answers:
    """Return a model's answers beside the truth, as the metrics take them.

    Parameters
    ----------
    evaluation : Evaluation
        What is asked.
    prediction : Prediction
        The model's answers.
    truth : list[Any]
        The labels.
    classes : tuple[Label, ...] | None
        Of the columns of the probabilities; None for a regression.

    Raises
    ------
    UserFailure
        The model gives something else than the metrics need.
    """
    task = "regression" if classes is None else "classification"
    for name in (metric.name for metric in evaluation.metrics):
        if METRICS[name].task != task:
            kind, other = ("value", "classes") if classes is None else ("class", "a value")
            raise UserFailure(f"The metric {name} needs {other}, but the model predicts a {kind}.")
        if METRICS[name].needs_probabilities and prediction.probabilities is None:
            raise UserFailure(
                f"The metric {name} needs probabilities, which the model does not give as a tensor [rows, classes]."
            )
    return _beside(evaluation, prediction, truth, classes)


def _beside(
    evaluation: Evaluation, prediction: Prediction, truth: list[Any], classes: tuple[Label, ...] | None
) -> Answers:
    if classes is None:
        try:
            return Answers(np.array(truth, np.float64), prediction.labels, None, 0, 0)
        except (TypeError, ValueError):
            raise UserFailure(f"The model predicts a value, but '{evaluation.target}' is no number.") from None
    positive = labels.positive_index(evaluation.positive_class, classes)
    if positive is None:
        raise UserFailure(f"The positive class '{evaluation.positive_class}' is none of the model's: {list(classes)}.")
    probabilities = None
    if prediction.probabilities is not None:
        # In float32 they add up to 1 only nearly, which some metrics refuse.
        probabilities = prediction.probabilities.astype(np.float64)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Answers(
        labels.indices(truth, classes),
        labels.indices(prediction.labels.tolist(), classes),
        probabilities,
        positive,
        len(classes),
    )


def _check_probabilities(form: str, probabilities: NDArray[np.float32], where: str) -> None:
    sums = probabilities.sum(axis=1, dtype=np.float64)
    # NaN fails both comparisons, so they test what is right.
    right = (np.abs(sums - 1) <= PROBABILITY_TOLERANCE) & ((probabilities >= 0) & (probabilities <= 1)).all(axis=1)
    if not right.all():
        row = int((~right).argmax())
        shown = [round(float(value), 4) for value in probabilities[row, :5]]
        raise UserFailure(f"model.{form} gives {shown} in row {row} of {where}, which are no probabilities.")
