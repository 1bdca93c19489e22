"""Comparison of labels from tables, ONNX and scikit-learn.

A boolean column comes out of an ONNX graph as 0 and 1, and out of a table with gaps as 0.0 and 1.0; a label in the
YAML of a TrainingJob is always text.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def text_of(label: Any) -> str:
    """Return a label as text: True, 1 and 1.0 are the same."""
    if isinstance(label, bool | np.bool_):
        return str(int(label))
    if isinstance(label, float | np.floating) and float(label).is_integer():
        return str(int(label))
    return str(label)


def indices(values: Iterable[Any], classes: Sequence[Any]) -> NDArray[np.int64]:
    """Return the index of each value's class, -1 for other values."""
    known = {text_of(label): index for index, label in enumerate(classes)}
    return np.array([known.get(text_of(value), -1) for value in values], np.int64)


def positive_index(named: str | None, classes: Sequence[Any]) -> int | None:
    """Return the index of the positive class: the one named, else the greatest; None if there is no such class."""
    if named is None:
        return max(range(len(classes)), key=lambda index: (isinstance(classes[index], str), classes[index]))
    texts = [text_of(label) for label in classes]
    if named not in texts and sorted(texts) == ["0", "1"]:
        named = {"true": "1", "false": "0"}.get(named.lower(), named)
    return texts.index(named) if named in texts else None
