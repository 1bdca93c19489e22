"""The reference: distributions of the training rows in fixed bins (`reference.json`), and how values are binned.

`publish` writes the file and the server reads it with the same classes and functions. So both agree on every border,
and the counters of all replicas and versions can be added and compared.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from steadfit_artifact.errors import ArtifactError
from steadfit_artifact.prediction import Label

REFERENCE_NAME = "reference.json"
MAX_REFERENCE_BYTES = 1024 * 1024
MAX_COUNTED_FEATURES = 64
MAX_EDGES = 9
MAX_COUNTED_CATEGORIES = 10
MAX_COUNTED_CLASSES = 11
MAX_BIN_NAME = 64
# Names of the bins that hold several values; a category or class with such a name counts as other.
OTHER, MISSING = "other", "missing"

# Whole-number inputs keep all their digits; these are as short as the training data may have been (see `numbers`).
_SHORT_FLOATS = ("FP16", "FP32")

Task = Literal["binary", "multiclass", "regression"]
Counts = tuple[Annotated[int, Field(ge=0)], ...]
Edges = Annotated[tuple[Annotated[float, Field(allow_inf_nan=False)], ...], Field(max_length=MAX_EDGES)]


class ReferenceFileError(ArtifactError):
    """`reference.json` can't be read."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel, populate_by_name=True)


class _Binned(_Document):
    """A distribution: one count for each position."""

    counts: Counts

    @property
    def positions(self) -> tuple[str, ...]:
        """Name of the bin of each count; a name may occur twice."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if len(self.counts) != len(self.positions):
            raise ValueError(f"{len(self.counts)} counts for {len(self.positions)} bins")
        return self


class _Edged(_Binned):
    edges: Edges

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if any(low >= high for low, high in pairwise(self.edges)):
            raise ValueError("the edges do not rise")
        return self


class NumberFeature(_Edged):
    """The distribution of a number or boolean.

    Attributes
    ----------
    edges : tuple[float, ...]
        Strictly rising; x lies in the first bin whose edge is not below it.
    counts : tuple[int, ...]
        Counts of the training rows: one for each bin, then the missing values.
    importance : float
        Share of this feature in the permutation importance of all features.
    """

    name: str
    kind: Literal["number"] = "number"
    importance: Annotated[float, Field(ge=0, allow_inf_nan=False)]

    @property
    def positions(self) -> tuple[str, ...]:
        """The bins' numbers and "missing"."""
        return (*_numbered(self.edges), MISSING)


class CategoryFeature(_Binned):
    """The distribution of a text.

    Attributes
    ----------
    categories : tuple[str, ...]
        The most frequent categories of the training rows.
    counts : tuple[int, ...]
        One for each category, then all other values, then the missing values.
    importance : float
        Share of this feature in the permutation importance of all features.
    """

    name: str
    kind: Literal["category"] = "category"
    categories: Annotated[tuple[str, ...], Field(max_length=MAX_COUNTED_CATEGORIES)]
    importance: Annotated[float, Field(ge=0, allow_inf_nan=False)]

    @property
    def positions(self) -> tuple[str, ...]:
        """The categories' texts, "other" and "missing"."""
        return (*_named(self.categories), OTHER, MISSING)


class ScorePredictions(_Edged):
    """The distribution of a binary classifier's probability of the positive class."""

    kind: Literal["score"] = "score"

    @property
    def positions(self) -> tuple[str, ...]:
        """The bins' numbers."""
        return _numbered(self.edges)


class ValuePredictions(_Edged):
    """The distribution of a regression's value."""

    kind: Literal["value"] = "value"

    @property
    def positions(self) -> tuple[str, ...]:
        """The bins' numbers."""
        return _numbered(self.edges)


class ClassPredictions(_Binned):
    """The distribution of the predicted class, where there is no single score.

    Attributes
    ----------
    classes : tuple[Label, ...]
        The most frequent classes of the predictions.
    counts : tuple[int, ...]
        One for each class, then all others.
    """

    kind: Literal["class"] = "class"
    classes: Annotated[tuple[Label, ...], Field(max_length=MAX_COUNTED_CLASSES)]

    @property
    def positions(self) -> tuple[str, ...]:
        """The classes' texts and "other"."""
        return (*_named(label_text(label) for label in self.classes), OTHER)


ReferenceFeature = Annotated[NumberFeature | CategoryFeature, Field(discriminator="kind")]
ReferencePredictions = Annotated[ScorePredictions | ClassPredictions | ValuePredictions, Field(discriminator="kind")]


class Reference(_Document):
    """The contents of `reference.json`: distributions of training rows and predictions.

    Attributes
    ----------
    task : Task
        What the model predicts.
    rows : int
        Training rows that were counted.
    features : tuple[ReferenceFeature, ...]
        The features with the largest importance; the counts of each add up to `rows`.
    predictions : ReferencePredictions
        Predictions of the model for rows like the training rows.
    positive : Label, optional
        The class whose probability is the score, in a binary classification.
    classes : tuple[Label, ...], optional
        Classes in the order of the probabilities, in a classification.
    """

    schema_version: Literal[1] = 1
    task: Task
    rows: Annotated[int, Field(ge=1)]
    features: Annotated[tuple[ReferenceFeature, ...], Field(max_length=MAX_COUNTED_FEATURES)]
    predictions: ReferencePredictions
    positive: Label | None = None
    classes: tuple[Label, ...] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [feature.name for feature in self.features]
        if len(set(names)) < len(names):
            raise ValueError("a feature is there twice")
        for feature in self.features:
            if sum(feature.counts) != self.rows:
                raise ValueError(f"'{feature.name}' counts {sum(feature.counts)} of {self.rows} rows")
        if self.features and abs(sum(feature.importance for feature in self.features) - 1) > 0.01:
            raise ValueError("the importances do not sum to 1")
        if (self.task == "regression") != (self.classes is None):
            raise ValueError("a classification has classes, and a regression has none")
        if self.classes is not None and (len(self.classes) < 2 or len(set(self.classes)) < len(self.classes)):
            raise ValueError("'classes' must be at least two different labels")
        if (self.task == "binary") != (self.positive is not None):
            raise ValueError("a binary classification has a positive class, and nothing else has one")
        if self.task == "binary" and (self.classes is None or self.positive not in self.classes):
            raise ValueError("the positive class is none of the classes")
        return self

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read `reference.json`.

        Raises
        ------
        ReferenceFileError
            The bytes do not fit the schema; the message names the field.
        """
        if len(raw) > MAX_REFERENCE_BYTES:
            raise ReferenceFileError(f"{REFERENCE_NAME} is larger than {MAX_REFERENCE_BYTES} bytes.")
        try:
            return cls.model_validate_json(raw)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ReferenceFileError(
                f"{REFERENCE_NAME} is wrong{f' at {where}' if where else ''}: {first['msg']}."
            ) from None

    def dump(self) -> bytes:
        """Return `reference.json`; the same reference gives the same bytes."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


def read_reference(directory: Path) -> Reference | None:
    """Return the reference of an artifact, or None if it has none, as artifacts of older releases.

    Raises
    ------
    ReferenceFileError
        The file can't be read.
    """
    try:
        raw = (directory / REFERENCE_NAME).read_bytes()
    except FileNotFoundError:
        return None
    return Reference.parse(raw)


def numbers(values: ArrayLike, datatype: str) -> NDArray[np.float64]:
    """Return a column of numbers or booleans as float64 for binning, with NaN for a missing value.

    A 32-bit input is rounded to 32 bits first. Otherwise 0.7 of a caller's JSON would lie beyond the edge that the
    same 0.7 made in a file of 32-bit numbers.
    """
    array = np.asarray(values)
    if datatype in _SHORT_FLOATS:
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
    return array.astype(np.float64, copy=False)


def count_numbers(edges: Sequence[float], values: NDArray[np.float64]) -> list[int]:
    """Count the values in each bin, then the missing values."""
    # A few comparisons of whole columns take a third of the time of a binary search per value. NaN is above no edge.
    missing = int(np.count_nonzero(np.isnan(values)))
    above = [len(values) - missing, *(int(np.count_nonzero(values > edge)) for edge in edges), 0]
    return [*(low - high for low, high in pairwise(above)), missing]


def count_categories(categories: Sequence[str], values: Iterable[Any]) -> list[int]:
    """Count the values of each category, then the other texts, then the missing values (None or NaN)."""
    positions = {category: position for position, category in enumerate(categories)}
    counts = [0] * (len(categories) + 2)
    for value, times in Counter(values).items():
        counts[positions.get(value, -2) if isinstance(value, str) else -1] += times
    return counts


def count_scores(edges: Sequence[float], values: NDArray[np.float64]) -> list[int]:
    """Count the predictions in each bin; a prediction is never missing."""
    return count_numbers(edges, values)[:-1]


def count_classes(classes: Sequence[Label], labels: Iterable[Label]) -> list[int]:
    """Count the predictions of each class, then those of other classes."""
    positions = {label: position for position, label in enumerate(classes)}
    counts = [0] * (len(classes) + 1)
    for label, times in Counter(labels).items():
        counts[positions.get(label, -1)] += times
    return counts


def label_text(label: Label) -> str:
    """Return the name of the bin of a class: 3, 2.5, true, late."""
    if isinstance(label, bool):
        return "true" if label else "false"
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)


def _numbered(edges: Sequence[float]) -> tuple[str, ...]:
    return tuple(str(position) for position in range(len(edges) + 1))


def _named(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names of bins for texts; texts that are equal after truncation share a bin."""
    return tuple(OTHER if text in (OTHER, MISSING) else text[:MAX_BIN_NAME] for text in texts)
