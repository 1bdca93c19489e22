"""Whether a run is cancelled: its TrainingJob says so in the entry of the run in flight."""

from __future__ import annotations

from steadfit.core.types import ObservedTrainingRun


def why_cancelled(observed: ObservedTrainingRun) -> str:
    """Return who cancels the run and why; empty if nobody does."""
    active = observed.job.status.active_run if observed.job is not None else None
    return active.cancelled if active is not None and active.name == observed.run.name else ""
