"""Counters of rows by bin, for each input and for the prediction.

The bins are those of the reference and never change, so the counts of all replicas can be added (docs/design/0060).
Numbers, texts and classes are counted many rows at a time (`number_bins.py`).
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from numpy.typing import NDArray
from steadfit_artifact.reference import (
    CategoryFeature,
    ClassPredictions,
    Reference,
    ReferenceFileError,
    count_categories,
    count_classes,
)

from steadfit_server.protocol.inference_request import InputFeature
from steadfit_server.telemetry.number_bins import NumberCounts

# Most rows whose texts wait to be counted.
MAX_WAITING_TEXTS = 1_024


@dataclass
class Tally:
    """The counts of one distribution.

    Attributes
    ----------
    bins : tuple[str, ...]
        Names of the bins, each once.
    reference : tuple[int, ...]
        Number of the reference's rows in each bin.
    counts : list[int]
        Number of answered rows by position; several positions may share a bin.
    bin_of : tuple[int, ...]
        Index of the bin of each position.
    """

    bins: tuple[str, ...]
    reference: tuple[int, ...]
    counts: list[int] = field(repr=False)
    bin_of: tuple[int, ...]

    @classmethod
    def of(cls, positions: Sequence[str], counted: Sequence[int]) -> "Tally":
        """Return a tally with counts of 0 for a distribution of the reference."""
        bins = tuple(dict.fromkeys(positions))
        bin_of = tuple(bins.index(name) for name in positions)
        return cls(bins, tuple(_folded(counted, bin_of, len(bins))), [0] * len(positions), bin_of)

    def by_bin(self) -> list[int]:
        """Return the counts of the bins."""
        return _folded(self.counts, self.bin_of, len(self.bins))

    def ratios(self) -> list[float]:
        """Return the reference's share of each bin, never 0: half a row is added to each (Jeffreys prior)."""
        total = sum(self.reference) + 0.5 * len(self.bins)
        return [(count + 0.5) / total for count in self.reference]


@dataclass
class _Texts:
    """Texts or classes that wait, the function that counts them by position, and the counts."""

    name: str
    counted: Callable[[Sequence[Any]], list[int]]
    counts: list[int]
    waiting: list[Any] = field(default_factory=list)


class BinCounters:
    """Counts of one model's inputs and predictions by bin; thread-safe.

    Parameters
    ----------
    reference : Reference
        Reference of the artifact.
    features : Sequence[InputFeature]
        The model's inputs.

    Raises
    ------
    ReferenceFileError
        The reference has an input that the model does not have, or has with another kind of datatype.
    """

    def __init__(self, reference: Reference, features: Sequence[InputFeature]) -> None:
        self.rows = reference.rows
        self.by_class = isinstance(reference.predictions, ClassPredictions)
        self.importances = {feature.name: feature.importance for feature in reference.features}
        self.features: dict[str, Tally] = {}
        self.predictions = Tally.of(reference.predictions.positions, reference.predictions.counts)
        self._texts: list[_Texts] = []
        datatypes = {feature.name: feature.datatype for feature in features}
        edged: list[tuple[Sequence[float], str, list[int]]] = []
        self._numbers: list[str] = []
        for feature in reference.features:
            datatype = datatypes.get(feature.name)
            if datatype is None or (datatype == "BYTES") != isinstance(feature, CategoryFeature):
                raise ReferenceFileError(
                    f"reference.json counts '{feature.name}' as a {feature.kind}, which the model's inputs don't have."
                )
            tally = self.features[feature.name] = Tally.of(feature.positions, feature.counts)
            if isinstance(feature, CategoryFeature):
                self._texts.append(_Texts(feature.name, partial(count_categories, feature.categories), tally.counts))
            else:
                self._numbers.append(feature.name)
                edged.append((feature.edges, datatype, tally.counts))
        predictions = reference.predictions
        self._classes: _Texts | None = None
        if isinstance(predictions, ClassPredictions):
            self._classes = _Texts("", partial(count_classes, predictions.classes), self.predictions.counts)
        else:
            edged.append((predictions.edges, "FP64", self.predictions.counts))
        self._number_counts = NumberCounts(edged)
        self._waiting_rows = 0
        self._lock = threading.Lock()

    def add(self, columns: Mapping[str, NDArray[Any]], predicted: NDArray[Any]) -> None:
        """Count rows that were answered; `predicted` are their classes if `by_class`, else scores or values."""
        numbers = [columns[name] for name in self._numbers]
        if self._classes is None:
            numbers.append(predicted)
        with self._lock:
            self._number_counts.add(numbers, len(predicted))
            for texts in self._texts:
                texts.waiting.extend(columns[texts.name].tolist())
            if self._classes is not None:
                self._classes.waiting.extend(predicted.tolist())
            self._waiting_rows += len(predicted)
            if self._waiting_rows >= MAX_WAITING_TEXTS:
                self._count_texts()

    def snapshot(self) -> tuple[dict[str, list[int]], list[int]]:
        """Return a snapshot of the counts by bin: of each feature, and of the predictions."""
        with self._lock:
            self._number_counts.count()
            self._count_texts()
            return {name: tally.by_bin() for name, tally in self.features.items()}, self.predictions.by_bin()

    def _count_texts(self) -> None:
        """Count the texts and classes that wait; the caller holds the lock."""
        self._waiting_rows = 0
        for texts in (*self._texts, self._classes):
            if texts is not None:
                _add(texts.counts, texts.counted(texts.waiting))
                texts.waiting.clear()


def _add(counts: list[int], more: Sequence[int]) -> None:
    for position, number in enumerate(more):
        counts[position] += number


def _folded(counts: Sequence[int], bin_of: Sequence[int], bins: int) -> list[int]:
    folded = [0] * bins
    for position, count in enumerate(counts):
        folded[bin_of[position]] += count
    return folded
