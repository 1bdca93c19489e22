"""What an outcome says about the prediction that a token holds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from steadfit_artifact.prediction import Label
from steadfit_artifact.reference import MAX_COUNTED_CLASSES, OTHER, ClassPredictions, Reference, Task, label_text

from steadfit_server.feedback.token import SCORE_STEPS, Token
from steadfit_server.model.output_semantics import OutputSemantics, identity
from steadfit_server.protocol.errors import quoted

# Equal-width parts of the score from 0 to 1: enough for calibration, and for the area under the ROC curve.
SCORE_BINS = 20
OUTCOMES: Mapping[Task, tuple[str, ...]] = {
    "binary": ("positive", "negative"),
    "multiclass": ("correct", "wrong"),
    "regression": ("observed",),
}
MAX_TEXT = 256


class OutcomeError(Exception):
    """An outcome that can't be one of this prediction; the message is the rest of a sentence."""


@dataclass(frozen=True)
class ScoredOutcome:
    """One outcome beside its prediction, as it is counted."""

    bin: str
    outcome: str
    squared_error: float = 0.0
    absolute_error: float = 0.0


class OutcomeScorer:
    """Judges outcomes of the served model's predictions, and of other versions'.

    Parameters
    ----------
    semantics : OutputSemantics | None
        Of the served model's outputs; None if nobody names its classes.
    reference : Reference | None
        Of its artifact, which names the classes that are counted by name.
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
        """Return the bins that `score` gives for a task."""
        if task == "binary":
            return tuple(map(str, range(SCORE_BINS)))
        return ("value",) if task == "regression" else tuple(dict.fromkeys([*self._names.values(), OTHER]))

    def score(self, token: Token, row: int, outcome: object, served: bool) -> ScoredOutcome:
        """Compare an outcome with what was predicted for a row of the token.

        Parameters
        ----------
        token : Token
            Verified, and it has the row.
        row : int
            Of the request that was answered.
        outcome : object
            As posted.
        served : bool
            The token is of the very model that is served, so that its classes are known.

        Raises
        ------
        OutcomeError
            It has the wrong type, or is no class of the model.
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
    except OverflowError:  # a whole number of more digits than a float has room for
        squared = math.inf
    # One infinite addend would stay in the sum for ever.
    if not math.isfinite(squared):
        raise OutcomeError("is too large.")
    return ScoredOutcome("value", "observed", squared, error)
