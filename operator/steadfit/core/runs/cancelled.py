"""Whether a run is cancelled: its TrainingJob says so in the entry of the run in flight."""

from __future__ import annotations

from steadfit.api.run import Cancellation
from steadfit.core.types import ObservedTrainingRun


def cancellation_of(observed: ObservedTrainingRun) -> Cancellation | None:
    """Return who cancels the run and why; None if nobody does."""
    active = observed.job.status.active_run if observed.job is not None else None
    return active.cancelled if active is not None and active.name == observed.run.name else None
