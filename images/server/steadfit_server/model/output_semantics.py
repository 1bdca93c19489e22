"""The semantics of a model's outputs for counters and prediction tokens: task, classes, positive class."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from steadfit_artifact.prediction import Label
from steadfit_artifact.reference import Reference, ReferenceFileError, Task, label_text

from steadfit_server.model.interface import Output


@dataclass(frozen=True)
class OutputSemantics:
    """The semantics of one model's outputs.

    Attributes
    ----------
    task : Task
        Task of the model.
    classes : tuple[Label, ...], default ()
        Classes in the order of the probabilities, in a classification.
    positive : int, default 0
        Index of the class whose probability is the score, in a binary classification.
    """

    task: Task
    classes: tuple[Label, ...] = ()
    positive: int = 0

    def predicted(self, outputs: Sequence[Output]) -> NDArray[Any]:
        """Return for each row the score (binary), the class (multiclass; objects) or the value (regression).

        A binary classifier without probabilities has the scores 0 and 1.
        """
        first, last = outputs[0], outputs[-1]
        if self.task == "regression":
            return np.asarray(first.data, np.float64)
        if self.task == "binary" and last.name == "probabilities" and last.shape[1:] == [len(self.classes)]:
            return np.asarray(last.data)[self.positive :: len(self.classes)]
        labels = self.labels(outputs)
        return labels if self.task == "multiclass" else (labels == self.classes[self.positive]).astype(np.float64)

    def labels(self, outputs: Sequence[Output]) -> NDArray[Any]:
        """Return the class of each row, as objects."""
        return np.asarray(outputs[0].data, object)


def semantics_of(
    reference: Reference | None, classes: Sequence[Label] | None, outputs: Sequence[Mapping[str, Any]]
) -> OutputSemantics | None:
    """Derive the semantics of a model's outputs.

    Parameters
    ----------
    reference : Reference | None
        Reference of the artifact; artifacts of older releases have none.
    classes : Sequence[Label] | None
        Classes in the order of the probabilities, if the model has them.
    outputs : Sequence[Mapping[str, Any]]
        Names, types and shapes of the outputs.

    Returns
    -------
    OutputSemantics | None
        None for a classification whose classes are unknown.

    Raises
    ------
    ReferenceFileError
        The reference is of another kind of model.
    """
    regression = outputs[0]["name"] == "prediction"
    if reference is not None and (reference.task == "regression") != regression:
        raise ReferenceFileError(f"reference.json is of a {reference.task} model, and this one is none.")
    if regression:
        return OutputSemantics("regression")
    named = tuple(classes) if classes is not None else reference.classes if reference is not None else None
    if named is None or len(named) < 2:
        return None
    if len(named) > 2:
        return OutputSemantics("multiclass", named)
    if reference is not None and reference.positive in named:
        return OutputSemantics("binary", named, named.index(reference.positive))
    return OutputSemantics("binary", named, _greater(named))


def identity(label: Label) -> int:
    """Return the four bytes of a class in a token, which are the same for every version that has the class.

    True, 1 and 1.0 are one class, as they are in training: a boolean column comes out of an ONNX graph as 0 and 1.
    """
    canonical = f"text {label}" if isinstance(label, str) else f"number {label_text(_number(label))}"
    return int.from_bytes(hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).digest()[:4], "little")


def _number(label: float) -> float:
    return int(label) if isinstance(label, bool) else label


def _greater(classes: tuple[Label, ...]) -> int:
    """Return the index of the default positive class, the same as in evaluation."""
    return max(range(len(classes)), key=lambda index: (isinstance(classes[index], str), classes[index]))
