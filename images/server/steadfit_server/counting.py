"""Counts, for each input and for the answer, in which of the reference's bins the rows fall.

Every request pays for this, so it only leaves its columns here; they are counted together when there are enough of
them that numpy's fixed costs do not matter, or when somebody scrapes. The bins are the reference's and never move, so
the counts of all replicas can be added (docs/design/0060).
"""

import threading
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
    count_categories,
    count_classes,
    count_numbers,
    count_scores,
    numbers,
)

from steadfit_server.protocol import Feature

# Values (rows times features) and arrays (requests times features) that may wait to be counted. Both bound the time
# that counting takes, a value 10 ns and an array 400 ns, to about a millisecond, and what waits to some caches' size.
MAX_WAITING_VALUES = 16_384
MAX_WAITING_ARRAYS = 2_048


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
        self.by_class = isinstance(reference.predictions, ClassPredictions)
        self.importances = {feature.name: feature.importance for feature in reference.features}
        self.features: dict[str, Tally] = {}
        self.predictions = Tally.of(reference.predictions.positions, reference.predictions.counts)
        self._counters: list[tuple[str, Callable[[NDArray[Any]], list[int]], list[int]]] = []
        self._waiting: list[tuple[Mapping[str, NDArray[Any]], NDArray[Any]]] = []
        self._waiting_rows = 0
        self._max_rows = MAX_WAITING_VALUES // max(len(reference.features), 1)
        self._max_requests = MAX_WAITING_ARRAYS // max(len(reference.features), 1)
        datatypes = {feature.name: feature.datatype for feature in features}
        for feature in reference.features:
            datatype = datatypes.get(feature.name)
            if datatype is None or (datatype == "BYTES") != isinstance(feature, CategoryFeature):
                raise ReferenceFileError(
                    f"reference.json counts '{feature.name}' as a {feature.kind}, which the model's inputs don't have."
                )
            tally = self.features[feature.name] = Tally.of(feature.positions, feature.counts)
            self._counters.append((feature.name, _feature_counter(feature, datatype), tally.counts))
        self._count_predictions = _prediction_counter(reference.predictions)
        self._lock = threading.Lock()

    def add(self, columns: Mapping[str, NDArray[Any]], predicted: NDArray[Any]) -> None:
        """Count rows that were answered; `predicted` are their classes if `by_class`, else scores or values."""
        with self._lock:
            self._waiting.append((columns, predicted))
            self._waiting_rows += len(predicted)
            if self._waiting_rows >= self._max_rows or len(self._waiting) >= self._max_requests:
                self._count()

    def snapshot(self) -> tuple[dict[str, list[int]], list[int]]:
        """Return the counts by bin of one moment: of each feature, and of the answers."""
        with self._lock:
            self._count()
            return {name: tally.by_bin() for name, tally in self.features.items()}, self.predictions.by_bin()

    def _count(self) -> None:
        """Count what waits; the lock is held."""
        waiting, self._waiting, self._waiting_rows = self._waiting, [], 0
        if not waiting:
            return
        for name, counted, counts in self._counters:
            _add(counts, counted(np.concatenate([columns[name] for columns, _ in waiting])))
        _add(self.predictions.counts, self._count_predictions(np.concatenate([predicted for _, predicted in waiting])))


def _feature_counter(feature: NumberFeature | CategoryFeature, datatype: str) -> Callable[[NDArray[Any]], list[int]]:
    """Return what counts a column by position."""
    if isinstance(feature, NumberFeature):
        edges = feature.edges
        return lambda column: count_numbers(edges, numbers(column, datatype))
    categories = feature.categories
    return lambda column: count_categories(categories, column.tolist())


def _prediction_counter(predictions: ReferencePredictions) -> Callable[[NDArray[Any]], list[int]]:
    """Return what counts predictions by position."""
    if isinstance(predictions, ClassPredictions):
        classes = predictions.classes
        return lambda predicted: count_classes(classes, predicted.tolist())
    edges = predictions.edges
    return lambda predicted: count_scores(edges, predicted.astype(np.float64, copy=False))


def _add(counts: list[int], more: Sequence[int]) -> None:
    for position, number in enumerate(more):
        counts[position] += number


def _folded(counts: Sequence[int], bin_of: Sequence[int], bins: int) -> list[int]:
    folded = [0] * bins
    for position, count in enumerate(counts):
        folded[bin_of[position]] += count
    return folded
