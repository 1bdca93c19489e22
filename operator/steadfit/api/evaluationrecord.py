"""EvaluationRecord: what the evaluate step of a run posts. Like a record it comes from a pod, so it is checked."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from .base import Model
from .record import Count, Number, RecordRun
from .trainingrun import EvaluationOutcome


class PostedOutcome(EvaluationOutcome):
    """An outcome of numbers that can be stored: all of a comparison, or the reason why there is none."""

    rows: Count
    """Rows that were judged."""
    live: Number | None = None
    """Value of the version that serves."""
    last_good: Number | None = None
    """Value of the last good version."""
    difference: Number | None = None
    """How much better the last good version is."""
    lower: Number | None = None
    """Lower end of the 95 % interval of the difference."""
    upper: Number | None = None
    """Upper end of it."""

    @model_validator(mode="after")
    def _says_something(self) -> PostedOutcome:
        compared = (self.live, self.last_good, self.difference, self.lower, self.upper)
        if not self.reason and None in compared:
            raise ValueError("an outcome has a reason, or all numbers of a comparison")
        return self


class EvaluationRecord(Model):
    """Who speaks, and what was found."""

    schema_version: Literal[1]
    """Version of this format."""
    run: RecordRun
    """Who speaks."""
    evaluation: PostedOutcome
    """What was found."""
