"""The TrainingRun of a decision: a copy of the recipe as it is now, and the cause."""

from __future__ import annotations

from typing import Any

from steadfit.api.base import API_VERSION
from steadfit.api.runinputs import RunInputs
from steadfit.api.trainingjob import ActiveRun, TrainingJob
from steadfit.api.trainingrun import OwnerRef, TrainingRunSpec
from steadfit.core import names


def render(job: TrainingJob, active: ActiveRun) -> dict[str, Any]:
    """Return the TrainingRun that was decided on."""
    revision = job.metadata.annotations.get(names.GIT_REVISION_ANNOTATION)
    spec = TrainingRunSpec(
        **{name: getattr(job.spec, name) for name in RunInputs.model_fields},
        training_job_ref=OwnerRef(name=job.name, uid=job.uid),
        cause=active.cause,
        input_hash=active.input_hash,
        git_revision=revision[:256] if revision else None,
    )
    return {
        "apiVersion": API_VERSION,
        "kind": "TrainingRun",
        "metadata": {
            "name": active.name,
            "namespace": job.metadata.namespace,
            "labels": {names.MANAGED_BY: names.MANAGER, names.TRAINING_JOB: job.name, **names.queue_labels(job)},
            "ownerReferences": [names.owner_reference(job)],
        },
        "spec": spec.dump(),
    }
