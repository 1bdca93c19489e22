"""Counts, for each input and for the answer, in which of the reference's bins the rows fall.

This is paid by every request, so a row costs one bisection and one addition for each feature, into plain lists; the
series are made of them only when somebody scrapes (exposition.py). The bins are the reference's and never move, so the
counts of all replicas can be added (docs/design/0060).
"""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from steadfit_artifact.reference import (
    CategoryFeature,
    ClassPredictions,
    NumberFeature,
    Reference,
    ReferenceFileError,
    ReferencePredictions,
    category_position,
    count_numbers,
    thresholds,
)

from steadfit_server.protocol import Feature

# With more rows than this the arrays' fixed costs are less than the cost of one row after the other.
FEW_ROWS = 24


@dataclass
class Tally:
    """The counts of one distribution.

    Attributes:
        bins: the bins' names, each once.
        reference: how many of the reference's rows are in each.
        counts: how many of the answered ones, by position; several positions may share a bin.
        bin_of: which bin each position belongs to.
    """

    bins: tuple[str, ...]
    reference: tuple[int, ...]
    counts: list[int] = field(repr=False)
    bin_of: tuple[int, ...]

    @classmethod
    def of(cls, positions: Sequence[str], counted: Sequence[int]) -> "Tally":
        """Begin at 0, beside what the reference counted by position."""
        bins = tuple(dict.fromkeys(positions))
        bin_of = tuple(bins.index(name) for name in positions)
        return cls(bins, tuple(_folded(counted, bin_of, len(bins))), [0] * len(positions), bin_of)

    def by_bin(self) -> list[int]:
        """Return the counts of the bins."""
        return _folded(self.counts, self.bin_of, len(self.bins))

    def ratios(self) -> list[float]:
        """Return the reference's share of each bin, never 0: half a row is added to each (Jeffreys)."""
        total = sum(self.reference) + 0.5 * len(self.bins)
        return [(count + 0.5) / total for count in self.reference]


class Counting:
    """The counts of one model's inputs and answers; several threads may add and read.

    Args:
        reference: the artifact's.
        features: the model's inputs.

    Raises:
        ReferenceFileError: the reference counts an input that the model does not have, or another kind of it.
    """

    def __init__(self, reference: Reference, features: Sequence[Feature]) -> None:
        self.rows = reference.rows
        self.importances = {feature.name: feature.importance for feature in reference.features}
        self.features: dict[str, Tally] = {}
        self.predictions = Tally.of(reference.predictions.positions, reference.predictions.counts)
        self._numbers: list[tuple[str, tuple[float, ...], list[int]]] = []
        self._categories: list[tuple[str, dict[str, int], list[int]]] = []
        datatypes = {feature.name: feature.datatype for feature in features}
        for feature in reference.features:
            datatype = datatypes.get(feature.name)
            if datatype is None or (datatype == "BYTES") != isinstance(feature, CategoryFeature):
                raise ReferenceFileError(
                    f"reference.json counts '{feature.name}' as a {feature.kind}, which the model's inputs don't have."
                )
            self._add(feature, datatype)
        self._count_predictions = _counter(reference.predictions, self.predictions.counts)
        self._lock = threading.Lock()

    def add(self, columns: Mapping[str, NDArray[Any]], predicted: list[Any]) -> None:
        """Count rows that were answered; `predicted` is what `Meaning.predicted` returns."""
        few = len(predicted) <= FEW_ROWS
        with self._lock:
            for name, edges, counts in self._numbers:
                if few:
                    for value in columns[name].tolist():
                        number = float(value)
                        # NaN is the one number that differs from itself.
                        counts[bisect_left(edges, number) if number == number else -1] += 1
                else:
                    _add(counts, count_numbers(edges, columns[name].astype(np.float64, copy=False)))
            for name, positions, counts in self._categories:
                for text, times in Counter(columns[name].tolist()).items():
                    counts[category_position(positions, text)] += times
            self._count_predictions(predicted)

    def snapshot(self) -> tuple[dict[str, list[int]], list[int]]:
        """Return the counts by bin of one moment: of each feature, and of the answers."""
        with self._lock:
            return {name: tally.by_bin() for name, tally in self.features.items()}, self.predictions.by_bin()

    def _add(self, feature: NumberFeature | CategoryFeature, datatype: str) -> None:
        tally = self.features[feature.name] = Tally.of(feature.positions, feature.counts)
        if isinstance(feature, NumberFeature):
            self._numbers.append((feature.name, thresholds(feature.edges, datatype), tally.counts))
        else:
            positions = {category: position for position, category in enumerate(feature.categories)}
            self._categories.append((feature.name, positions, tally.counts))


def _counter(predictions: ReferencePredictions, counts: list[int]) -> Callable[[list[Any]], None]:
    """Return what counts a list of predictions into `counts`."""
    if isinstance(predictions, ClassPredictions):
        positions = {label: position for position, label in enumerate(predictions.classes)}

        def count_classes(predicted: list[Any]) -> None:
            for label, times in Counter(predicted).items():
                counts[positions.get(label, -1)] += times

        return count_classes
    edges = predictions.edges

    def count_numbers_(predicted: list[Any]) -> None:
        if len(predicted) <= FEW_ROWS:
            for number in predicted:
                counts[bisect_left(edges, number)] += 1
        else:
            _add(counts, count_numbers(edges, np.array(predicted, np.float64))[:-1])

    return count_numbers_


def _add(counts: list[int], more: Sequence[int]) -> None:
    for position, number in enumerate(more):
        counts[position] += number


def _folded(counts: Sequence[int], bin_of: Sequence[int], bins: int) -> list[int]:
    folded = [0] * bins
    for position, count in enumerate(counts):
        folded[bin_of[position]] += count
    return folded
