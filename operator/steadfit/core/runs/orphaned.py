"""Whether the TrainingJob of a run is gone without it: deleted with `--cascade=orphan`, or the run was restored.

The uid of a TrainingJob never comes back, so what waits for it would wait for ever. An attempt that is under way goes
on to its result, and to the version of that.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from steadfit.api.run import Cancellation
from steadfit.api.trainingrun import TrainingRunStatus
from steadfit.core.types import ObservedTrainingRun

BY = "steadfit"
DELAY = timedelta(minutes=1)
"""How long after its run a TrainingJob may be seen: the two watches are independent."""


def is_orphaned(status: TrainingRunStatus, observed: ObservedTrainingRun, now: datetime) -> bool:
    """Return whether the TrainingJob with the uid that the run names does not exist, and is not merely seen late."""
    end = due(status, observed)
    return observed.job is None and (end is None or now >= end)


def due(status: TrainingRunStatus, observed: ObservedTrainingRun) -> datetime | None:
    """Return until when a missing TrainingJob is awaited; None if it exists, or was there when an attempt began."""
    created = observed.run.metadata.creation_timestamp
    return created + DELAY if observed.job is None and not status.attempts and created is not None else None


def cancellation(observed: ObservedTrainingRun) -> Cancellation:
    """Return why a run without its TrainingJob ends, and the next step."""
    reference = observed.run.spec.training_job_ref
    return Cancellation(
        by=BY,
        reason=f"TrainingJob {reference.name} with the uid {reference.uid} does not exist: it was deleted, or this run"
        " was restored from a backup; delete this TrainingRun if nothing needs it",
    )
