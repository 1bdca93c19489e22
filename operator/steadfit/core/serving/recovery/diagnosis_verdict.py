"""What an evaluation of two versions on the same rows says: whose fault it is that a monitor of quality fires.

The last good version is better when the 95 % interval of the difference lies above 0 and the difference is at least
the margin. For a new version that is to replace a good one the whole interval has to speak; here one of two must serve,
both were good enough once, and the fall is a fact. A difference of at least the margin that may be chance decides
nothing: more rows will come. Anything less is not worth going back for.
"""

from __future__ import annotations

from steadfit.api.rollout import DiagnosisVerdict
from steadfit.api.trainingrun import TrainingRun

VerdictMessage = tuple[DiagnosisVerdict, str]
"""A verdict and its sentence."""


def of_run(run: TrainingRun) -> VerdictMessage | None:
    """Return what a run of purpose Evaluate leads to, or None while it is at work."""
    phase, outcome = run.status.phase, run.status.evaluation
    if phase == "Failed":
        failure = run.status.failure
        why = f" ({failure.failure_class}): {failure.message}" if failure else ""
        return "Undecided", f"undecided: run {run.name} failed{why}"
    if phase == "Superseded":
        return "Undecided", f"undecided: run {run.name} was superseded"
    if phase != "Succeeded":
        return None
    inputs = run.spec.evaluate
    if inputs is None or inputs.last_good is None or outcome is None:
        return "Undecided", f"undecided: run {run.name} has brought no comparison"
    if outcome.reason:
        return "Undecided", f"undecided: {outcome.reason}"
    live, good, difference, lower = outcome.live, outcome.last_good, outcome.difference, outcome.lower
    if live is None or good is None or difference is None or lower is None:
        return "Undecided", f"undecided: run {run.name} has brought no comparison"
    captured = run.spec.data[0].captured
    rows = f"on {outcome.rows:,} labelled rows" + (f" of the last {captured.window}" if captured else "")
    is_now = f"{rows} {inputs.metric} is {live:.4g}"
    number, margin = inputs.last_good.number, inputs.margin.text(live)
    if difference < inputs.margin.of(live) or difference <= 0:
        beyond = f"not better than {live:.4g}" if difference <= 0 else "not better beyond the margin"
        return (
            "ConceptDrift",
            f"the world moved: {is_now}, version {number} would have {good:.4g}, {beyond} (margin {margin})",
        )
    if lower <= 0:
        return (
            "Undecided",
            f"undecided: {is_now}, version {number} would have {good:.4g}, which may be chance (the 95 % interval of"
            f" the difference begins at {lower:.4g})",
        )
    return (
        "ModelWorse",
        f"version {inputs.live.number} is worse: {is_now}, version {number} has {good:.4g} (margin {margin})",
    )
