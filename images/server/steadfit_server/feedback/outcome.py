"""Scoring of an outcome against the prediction that its token holds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from steadfit_artifact.prediction import Label
from steadfit_artifact.reference import MAX_COUNTED_CLASSES, OTHER, ClassPredictions, Reference, Task, label_text

from steadfit_server.feedback.token import SCORE_STEPS, Token
from steadfit_server.model.output_semantics import OutputSemantics, identity
from steadfit_server.protocol.errors import quoted

# Bins of equal width for scores from 0 to 1: enough for calibration and for the area under the ROC curve.
SCORE_BINS = 20
OUTCOMES: Mapping[Task, tuple[str, ...]] = {
    "binary": ("positive", "negative"),
    "multiclass": ("correct", "wrong"),
    "regression": ("observed",),
}
MAX_TEXT = 256


class OutcomeError(Exception):
    """The outcome does not fit the prediction; the message is the rest of a sentence."""


@dataclass(frozen=True)
class ScoredOutcome:
    """An outcome and its prediction as they are counted."""

    bin: str
    outcome: str
    squared_error: float = 0.0
    absolute_error: float = 0.0


class OutcomeScorer:
    """Scores outcomes of predictions of the served model and of other versions.

    Parameters
    ----------
    semantics : OutputSemantics | None
        Semantics of the served model's outputs; None if its classes are unknown.
    reference : Reference | None
        Reference of its artifact, which lists the classes that are counted by name.
    """

    def __init__(self, semantics: OutputSemantics | None, reference: Reference | None) -> None:
        self._semantics = semantics
        classes = semantics.classes if semantics is not None else ()
        self._identities = frozenset(map(identity, classes))
        counted = classes[:MAX_COUNTED_CLASSES]
        texts = [label_text(label) for label in counted]
        if reference is not None and isinstance(reference.predictions, ClassPredictions):
            counted, texts = reference.predictions.classes, list(reference.predictions.positions)
        self._names = dict(zip(map(identity, counted), texts, strict=False))

    def bins(self, task: Task) -> tuple[str, ...]:
        """Return the bins that `score` uses for a task."""
        if task == "binary":
            return tuple(map(str, range(SCORE_BINS)))
        return ("value",) if task == "regression" else tuple(dict.fromkeys([*self._names.values(), OTHER]))

    def score(self, token: Token, row: int, outcome: object, served: bool) -> ScoredOutcome:
        """Compare an outcome with the prediction for a row of the token.

        Parameters
        ----------
        token : Token
            Verified token, which has the row.
        row : int
            Row of the answered request.
        outcome : object
            Outcome as posted.
        served : bool
            Whether the token is from the served version, whose classes are known.

        Raises
        ------
        OutcomeError
            The outcome has the wrong type, or is not a class of the model.
        """
        if token.task == "regression":
            return _value(float(token.predicted[row]), outcome)
        if not isinstance(outcome, str | int | float) or (isinstance(outcome, str) and len(outcome) > MAX_TEXT):
            raise OutcomeError("must be a class of the model: a string, a number, or true or false.")
        label = identity(outcome)
        if token.task == "binary":
            if label not in (token.positive, token.negative):
                raise OutcomeError(self._no_class(outcome, served))
            return _score(int(token.predicted[row]), label == token.positive)
        if served and label not in self._identities:
            raise OutcomeError(self._no_class(outcome, served))
        predicted = int(token.predicted[row])
        return ScoredOutcome(self._names.get(predicted, OTHER), "correct" if label == predicted else "wrong")

    def _no_class(self, outcome: Label, served: bool) -> str:
        if not served or self._semantics is None:
            return f"is {quoted(outcome)}, which is no class of the version that predicted."
        known = ", ".join(quoted(label_text(label)) for label in self._semantics.classes[:20])
        return f"is {quoted(outcome)}; the model's classes are {known}."


def _score(steps: int, positive: bool) -> ScoredOutcome:
    score = steps / SCORE_STEPS
    part = min(steps * SCORE_BINS // SCORE_STEPS, SCORE_BINS - 1)
    return ScoredOutcome(str(part), "positive" if positive else "negative", (score - positive) ** 2)


def _value(predicted: float, outcome: object) -> ScoredOutcome:
    if isinstance(outcome, bool) or not isinstance(outcome, int | float):
        raise OutcomeError("must be a number.")
    try:
        error = abs(predicted - outcome)
        squared = error * error
    except OverflowError:  # an integer too large for a float
        squared = math.inf
    # One infinite value would make the sum infinite for ever.
    if not math.isfinite(squared):
        raise OutcomeError("is too large.")
    return ScoredOutcome("value", "observed", squared, error)
