"""The verdict of a diagnosis, from the evaluation of the live and the last good version on the same rows.

ModelWorse: the last good version is better by at least the margin, and the 95 % interval of the difference is above 0.
This is weaker than the gate for a new version, whose whole interval counts: here one of two versions must serve, both
have passed the gate, and quality has fallen. Inconclusive: the difference is at least the margin but may be chance;
more rows will follow. ConceptDrift: the difference is smaller, so a rollback does not help.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.rollout import DiagnosisVerdict
from steadfit.api.trainingrun import EvaluationOutcome, TrainingRun
from steadfit.core.text import time_text

VerdictMessage = tuple[DiagnosisVerdict, str]
"""A verdict and its message."""


def of_run(run: TrainingRun) -> VerdictMessage | None:
    """Return the verdict of a TrainingRun of purpose Evaluate; None while it is running."""
    phase, outcome = run.status.phase, run.status.evaluation
    if phase == "Failed":
        failure = run.status.failure
        why = f" ({failure.failure_class}): {failure.message}" if failure else ""
        return "Inconclusive", f"inconclusive: run {run.name} failed{why}"
    if phase in ("Superseded", "Cancelled"):
        return "Inconclusive", f"inconclusive: run {run.name} was {phase.lower()}"
    if phase != "Succeeded":
        return None
    inputs = run.spec.evaluate
    if inputs is None or inputs.last_good is None or outcome is None:
        return "Inconclusive", f"inconclusive: run {run.name} has no comparison"
    if outcome.reason:
        return "Inconclusive", f"inconclusive: {outcome.reason}"
    live, good, difference, lower = outcome.live, outcome.last_good, outcome.difference, outcome.lower
    if live is None or good is None or difference is None or lower is None:
        return "Inconclusive", f"inconclusive: run {run.name} has no comparison"
    rows = f"on {outcome.rows:,} labelled rows{_span(outcome, run.status.finished_at)}"
    margin = inputs.margin.text(live)
    scores = f"{rows} {inputs.metric} is {live:.4g}, version {inputs.last_good.number} scores {good:.4g}"
    if difference < inputs.margin.of(live) or difference <= 0:
        beyond = f"not better than {live:.4g}" if difference <= 0 else "not better beyond the margin"
        return "ConceptDrift", f"concept drift: {scores}, {beyond} (margin {margin})"
    if lower <= 0:
        return (
            "Inconclusive",
            f"inconclusive: {scores}, which may be chance (the 95 % interval of the difference begins at {lower:.4g})",
        )
    return "ModelWorse", f"version {inputs.live.number} is worse: {scores} (margin {margin})"


def _span(outcome: EvaluationOutcome, evaluated_at: datetime | None) -> str:
    """Return when the outcomes of the rows came and how old they were, as the end of a noun phrase."""
    first, last = outcome.first_outcome_at, outcome.last_outcome_at
    if first is None or last is None:
        return ""
    seconds = max(0.0, (evaluated_at - last).total_seconds()) if evaluated_at else 0.0
    age = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    return f" whose outcomes came from {time_text(first)} to {time_text(last)}, {age} before the end of the run,"
