"""A change of the first metric: the newest version is held, because a run in flight compared it by the former one.

One run compares by the new metric, and no further one follows: it has the name of that version in its key.
"""

from __future__ import annotations

from collections.abc import Sequence

from steadfit.api.modelversion import ModelVersion
from steadfit.api.run import Cause
from steadfit.api.trainingjob import TrainingJob
from steadfit.api.trainingrun import TrainingRun
from steadfit.core import former_metric


def causes(job: TrainingJob, runs: Sequence[TrainingRun], versions: Sequence[ModelVersion]) -> list[Cause]:
    """Return the cause of the run that compares by the new metric; none if the newest version needs no such run."""
    newest = max(versions, key=lambda item: item.spec.number, default=None)
    if newest is None or newest.status.phase != "Held" or newest.spec.training_job_ref.uid not in (None, job.uid):
        return []
    compared, metric = newest.spec.evaluation.champion, job.spec.evaluation.metrics[0].name
    if compared is None or not former_metric.is_compared_by_it(newest, job.spec.evaluation):
        return []
    key = f"{newest.name}/{newest.uid}/{metric}"
    if any(run.spec.cause.key == key for run in runs):
        return []
    message = f"the first metric is {metric} by now, and version {newest.spec.number} was compared by {compared.metric}"
    return [Cause(type="SpecChange", key=key, message=message)]
