"""A version without a cluster: its model, its answers to the whole year, and the drift that its server would count."""

from __future__ import annotations

from functools import cache, cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from steadfit_artifact import reference
from steadfit_artifact.model import Model
from steadfit_trainer.config import Evaluation
from steadfit_trainer.metrics.answers import Answers
from steadfit_trainer.scoring import paired_comparison, permutation_importance, score
from steadfit_trainer.scoring.paired_comparison import Comparison
from steadfit_trainer.scoring.reference_bins import edges_of

from tests.demo.flights import flown, in_celsius
from tests.demo.offline import Learned, learn, recipe

from .traffic import Chosen, Part, traffic

HALF = 0.5
"""Added to every count, as the rules do."""


class Version:
    """What a run would have brought from some parts of the lake, or of the feed with metric units."""

    def __init__(self, learned: Learned) -> None:
        self.learned = learned

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """The answers to all requests of the year."""
        return self.learned.score(traffic().frame)

    @cached_property
    def squared(self) -> NDArray[np.float64]:
        """The squared error of each answer."""
        return np.asarray((self.scores - traffic().late) ** 2)

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether each answer was right."""
        return np.asarray((self.scores >= HALF) == traffic().late)

    def drift(self, chosen: Chosen) -> float:
        """Return the weighted PSI of requests, less what chance alone gives."""
        rows, training = int(chosen.sum()), len(self.learned.training)
        total = 0.0
        for share, before, codes in self._bins:
            bins = len(before)
            ratio = (np.bincount(codes[chosen], minlength=bins) + HALF) / (rows + HALF * bins)
            expected = (before + HALF) / (training + HALF * bins)
            psi = float(((ratio - expected) * np.log(ratio / expected)).sum())
            total += share * (psi - (bins - 1) * (1 / rows + 1 / training))
        return total

    def beside(self, champion: Version) -> Comparison:
        """Return the gate's comparison: both on this version's holdout."""
        frame = self.learned.judging
        new, other = (_judged(version.learned.model, frame) for version in (self, champion))
        rows = paired_comparison.sample(len(frame), 0)
        metric = recipe()["evaluation"]["metrics"][0]["name"]
        return paired_comparison.compare(metric, _rows(new, rows), _rows(other, rows), 0)

    @cached_property
    def _bins(self) -> list[tuple[float, NDArray[np.float64], NDArray[np.int64]]]:
        """Of each feature: its importance, counts of the training rows by bin, and the bin of each request."""
        model, training = self.learned.model, self.learned.training
        judged = _judged(model, self.learned.judging)
        shares = permutation_importance.importances(model, _columns(model, self.learned.judging), judged, (0, 1), 0)
        found = []
        for feature, share in zip(model.features, shares, strict=True):
            values = training[feature.name]
            if feature.datatype == "BYTES":
                known = list(values.value_counts().index[: reference.MAX_COUNTED_CATEGORIES])
                before, codes = (_of_texts(known, each) for each in (values, traffic().frame[feature.name]))
            else:
                edges = np.array(edges_of(values.to_numpy(np.float64)))
                before, codes = (_of_numbers(edges, each) for each in (values, traffic().frame[feature.name]))
            bins = int(max(before.max(), codes.max())) + 1
            found.append((share, np.bincount(before, minlength=bins).astype(np.float64), codes))
        return found


@cache
def version(parts: tuple[Part, ...], *, celsius: bool = False) -> Version:
    """Train on parts of the lake."""
    frame = pd.concat([flown(*part) for part in parts])
    return Version(learn(in_celsius(frame) if celsius else frame))


def _columns(model: Model, frame: pd.DataFrame) -> dict[str, NDArray[np.generic]]:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return {each.name: score.values_of(each, table.column(each.name)) for each in model.features}


def _judged(model: Model, frame: pd.DataFrame) -> Answers:
    prediction = score.predict(model, _columns(model, frame), len(frame))
    asked = Evaluation.model_validate(recipe()["evaluation"])
    return score.judged(asked, prediction, frame["late"].tolist(), prediction.classes)


def _rows(judged: Answers, rows: NDArray[np.int64]) -> Answers:
    assert judged.probabilities is not None
    return Answers(judged.truth[rows], judged.labels[rows], judged.probabilities[rows], judged.positive, judged.classes)


def _of_texts(known: list[str], values: pd.Series) -> NDArray[np.int64]:
    places = {text: place for place, text in enumerate(known)}
    return np.array([places.get(value, len(known)) for value in values], np.int64)


def _of_numbers(edges: NDArray[np.float64], values: pd.Series) -> NDArray[np.int64]:
    numbers = values.to_numpy(np.float64)
    return np.asarray(
        np.where(np.isnan(numbers), len(edges) + 1, np.searchsorted(edges, numbers, side="left")), np.int64
    )
