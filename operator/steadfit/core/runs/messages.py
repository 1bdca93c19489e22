"""What a run of purpose Evaluate found, in a sentence."""

from __future__ import annotations

from steadfit.api.trainingrun import EvaluateInputs, EvaluationOutcome
from steadfit.core.text import difference_text


def words(inputs: EvaluateInputs, found: EvaluationOutcome) -> str:
    """Return the outcome of comparing the last good version with the one that serves."""
    if found.reason or inputs.last_good is None:
        return f"no comparison on {found.rows:,} rows: {found.reason or 'there is no other version'}"
    live, good = found.live or 0.0, found.last_good or 0.0
    much, interval = difference_text(found.difference or 0.0, found.lower or 0.0, found.upper or 0.0)
    return (
        f"on {found.rows:,} rows {inputs.metric} is {live:.4g} of {inputs.live.version} and {good:.4g} of"
        f" {inputs.last_good.version}, which is {much} ({interval})"
    )
