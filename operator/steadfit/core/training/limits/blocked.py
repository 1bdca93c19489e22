"""What a run waits for, and which wait is shown if there are several.

Some waits apply to every cause: a run in flight, a suspended recipe, an invalid one. Others apply to alerts and
monitors alone: an open rollout, the cooldown, the budget, the breaker. A Retrain action, a change of the recipe and a
schedule are the decision of a person and are not limited.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from steadfit.api.trainingjob import TrainingJob, TrainingJobStatus, WaitReason
from steadfit.core.problem import Problem


@dataclass(frozen=True, slots=True)
class Hold:
    """A reason to wait.

    Attributes
    ----------
    reason
        The reason for tools.
    message
        The reason in a sentence that begins with `waits until`.
    until
        When the wait ends, if that is known.
    """

    reason: WaitReason
    message: str
    until: datetime | None = None


def of_every_cause(status: TrainingJobStatus, problem: Problem | None, job: TrainingJob) -> Hold | None:
    """Return what every cause waits for, or None if a run may start."""
    if status.active_run is not None:
        return Hold("RunInFlight", f"waits until run {status.active_run.name} has ended")
    if job.spec.suspend:
        return Hold("Suspended", "waits until spec.suspend is false")
    return Hold("NotReady", f"waits until the recipe is valid: {problem.message}") if problem else None


def shown(timed: Sequence[Hold | None], untimed: Hold | None) -> Hold | None:
    """Return the hold to show: of those with an end the longest one, so that the reason changes seldom."""
    holds = [(hold.until, hold) for hold in timed if hold is not None and hold.until is not None]
    return max(holds, key=lambda pair: pair[0])[1] if holds else untimed
