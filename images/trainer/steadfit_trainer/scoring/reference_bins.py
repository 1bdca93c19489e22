"""Bins of the training data for `reference.json`, frozen with the version.

Inputs are counted over the training rows, predictions over the holdout: a model is more certain of rows that it was
trained on than of any other, so that predictions on those would make every day in service look like drift.
"""

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
from numpy.typing import NDArray
from steadfit_artifact import reference
from steadfit_artifact.model import Label, Model, Prediction
from steadfit_artifact.reference import (
    CategoryFeature,
    ClassPredictions,
    NumberFeature,
    Reference,
    ReferenceFeature,
    ReferencePredictions,
    ScorePredictions,
    ValuePredictions,
)
from steadfit_artifact.signature import Feature

from steadfit_trainer.metrics.answers import Answers
from steadfit_trainer.paths import Paths
from steadfit_trainer.scoring import score

LOG = logging.getLogger(__name__)

# Six digits tell features apart, and hide what the last bits of a sum say about the machine.
_DIGITS = 6


def describe(
    model: Model,
    paths: Paths,
    prediction: Prediction,
    answers: Answers,
    classes: tuple[Label, ...] | None,
    shares: list[float],
) -> Reference | None:
    """Return the reference of a result; None where there is nothing to count against.

    Parameters
    ----------
    model : Model
        The result.
    paths : Paths
        Of the pod.
    prediction : Prediction
        The model's answers to the holdout.
    answers : Answers
        The same beside the truth.
    classes : tuple[Label, ...] | None
        In the order of the probabilities; None for a regression.
    shares : list[float]
        Importance of each feature, in the signature's order.
    """
    if classes is not None and len(classes) < 2:
        LOG.warning("the model knows one class only: nothing is counted while it serves")
        return None
    sources = _sources(paths)
    features = [
        _feature(feature, share, _training(feature, sources)) for feature, share in _listed(model.features, shares)
    ]
    rows = sum(features[0].counts)
    if rows == 0:
        LOG.warning("there are no training rows: nothing is counted while the model serves")
        return None
    binary = classes is not None and len(classes) == 2
    return Reference(
        task="regression" if classes is None else "binary" if binary else "multiclass",
        rows=rows,
        features=tuple(features),
        predictions=_predictions(prediction, answers, classes),
        positive=classes[answers.positive] if classes is not None and binary else None,
        classes=classes,
    )


def edges_of(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Return the edges of at most ten bins that hold about the same number of values each.

    A value lies in the first bin whose edge is not below it, so edges are values of the data and no value is divided.
    Up to ten different values have a bin each. One that never changes has one to both of its sides too: the day it
    changes is the day one wants to know of.
    """
    finite = values[np.isfinite(values)]
    different = np.unique(finite)
    if len(different) == 0:
        return ()
    if len(different) == 1:
        only = float(different[0])
        return (float(np.nextafter(only, -np.inf)), only)
    if len(different) <= reference.MAX_EDGES + 1:
        return tuple(different[:-1].tolist())
    quantiles = np.quantile(finite, np.arange(1, 10) / 10, method="inverted_cdf")
    return tuple(edge for edge in np.unique(quantiles).tolist() if edge < different[-1])


def _listed(features: tuple[Feature, ...], shares: list[float]) -> list[tuple[Feature, float]]:
    """Return the features that are counted, in the signature's order, with shares that sum to 1."""
    order = sorted(range(len(features)), key=lambda index: (-shares[index], index))
    kept = sorted(order[: reference.MAX_COUNTED_FEATURES])
    total = sum(shares[index] for index in kept)
    return [(features[index], round(shares[index] / total, _DIGITS)) for index in kept]


def _feature(feature: Feature, share: float, values: NDArray[Any]) -> ReferenceFeature:
    if feature.datatype == "BYTES":
        found = Counter(value for value in values.tolist() if isinstance(value, str))
        often = sorted(found, key=lambda text: (-found[text], text))[: reference.MAX_COUNTED_CATEGORIES]
        counts = reference.count_categories(often, values.tolist())
        return CategoryFeature(name=feature.name, categories=tuple(often), counts=tuple(counts), importance=share)
    numbers = reference.numbers(values, feature.datatype)
    edges = edges_of(numbers)
    counts = reference.count_numbers(edges, numbers)
    return NumberFeature(name=feature.name, edges=edges, counts=tuple(counts), importance=share)


def _predictions(prediction: Prediction, answers: Answers, classes: tuple[Label, ...] | None) -> ReferencePredictions:
    if classes is None:
        values = prediction.labels.astype(np.float64)
        edges = edges_of(values)
        return ValuePredictions(edges=edges, counts=tuple(reference.count_scores(edges, values)))
    if len(classes) == 2 and prediction.probabilities is not None:
        # As the server will see them: not yet divided by their sum.
        scores = prediction.probabilities[:, answers.positive].astype(np.float64)
        edges = edges_of(scores)
        return ScorePredictions(edges=edges, counts=tuple(reference.count_scores(edges, scores)))
    predicted = prediction.labels.tolist()
    counted = classes
    if len(classes) > reference.MAX_COUNTED_CLASSES:
        found = Counter(answers.labels.tolist())
        often = sorted(range(len(classes)), key=lambda index: (-found[index], index))
        counted = tuple(classes[index] for index in sorted(often[: reference.MAX_COUNTED_CLASSES]))
    return ClassPredictions(classes=counted, counts=tuple(reference.count_classes(counted, predicted)))


def _sources(paths: Paths) -> list[ds.Dataset]:
    """Return the training rows of the sources that have labels: those that a holdout was split off from."""
    names = sorted(path.stem for path in paths.holdout.glob("*.parquet"))
    files: list[list[Path]] = [sorted((paths.data / name).glob("*.parquet")) for name in names]
    return [ds.dataset([str(path) for path in each], format="parquet") for each in files if each]


def _training(feature: Feature, sources: list[ds.Dataset]) -> NDArray[Any]:
    """Return the column of one feature over the training rows. All columns at once may not fit in memory."""
    arrays = [
        score.values_of(feature, source.to_table(columns=[feature.name]).column(feature.name)) for source in sources
    ]
    return np.concatenate(arrays) if arrays else np.empty(0)
