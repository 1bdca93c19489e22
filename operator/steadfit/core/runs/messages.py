"""The end of a run in a sentence: of purpose Evaluate, of one that trained nothing, and of one that was cancelled."""

from __future__ import annotations

from steadfit.api.run import Cancellation
from steadfit.api.trainingrun import EvaluateInputs, EvaluationOutcome, TrainingRunStatus
from steadfit.core.text import cut, difference_text


def message(inputs: EvaluateInputs, outcome: EvaluationOutcome) -> str:
    """Return how the last good version compares with the one that serves."""
    if outcome.reason or inputs.last_good is None:
        return f"no comparison on {outcome.rows:,} rows: {outcome.reason or 'there is no other version'}"
    live, good = outcome.live or 0.0, outcome.last_good or 0.0
    much, interval = difference_text(outcome.difference or 0.0, outcome.lower or 0.0, outcome.upper or 0.0)
    return (
        f"on {outcome.rows:,} rows {inputs.metric} is {live:.4g} of {inputs.live.version} and {good:.4g} of"
        f" {inputs.last_good.version}, which is {much} ({interval})"
    )


def known(status: TrainingRunStatus) -> str:
    """Return that a run trained nothing, because a version was trained from the same recipe and data."""
    version = status.attempts[-1].known_version if status.attempts else None
    return f"version {version} was trained from the same recipe and data, so nothing was trained"


def cancelled(cancellation: Cancellation | None) -> str:
    """Return who cancelled a run and why."""
    return cut(f"cancelled by {cancellation.by}: {cancellation.reason}") if cancellation else "cancelled"
