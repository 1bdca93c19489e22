"""Which finished runs are deleted: all but the newest. Versions are never deleted."""

from __future__ import annotations

from collections.abc import Sequence

from steadfit.api.run import FINISHED
from steadfit.api.trainingrun import TrainingRun


def beyond(runs: Sequence[TrainingRun], keep: int, active: str | None) -> list[TrainingRun]:
    """Return the finished runs to delete, oldest first.

    The run in flight is never among them. A run whose record has no version yet is not finished, so no result is
    lost.
    """
    finished = [run for run in runs if run.status.phase in FINISHED and run.name != active]
    finished.sort(key=lambda run: (str(run.status.finished_at), run.name))
    surplus = finished[: max(0, len(finished) - keep)]
    return [run for run in surplus if run.metadata.deletion_timestamp is None]
