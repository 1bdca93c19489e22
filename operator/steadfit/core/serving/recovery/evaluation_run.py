"""The TrainingRun of purpose Evaluate: scores the live and the last good version on the captured rows of a window.

It is the monitor's window, which ends when the diagnosis was decided on: the rows by which the monitor fired.

The TrainingJob owns it, as its spec defines the target and the store. The ModelDeployment finds it by a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from steadfit.api.base import API_VERSION
from steadfit.api.data import Captured, DataSource
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.modelversion import ModelVersion
from steadfit.api.monitor import Monitor
from steadfit.api.rollout import Diagnosis
from steadfit.api.run import FINISHED, Cause
from steadfit.api.trainingjob import TrainingJob
from steadfit.api.trainingrun import EvaluatedVersion, EvaluateInputs, OwnerRef, TrainingRun, TrainingRunSpec
from steadfit.core import names
from steadfit.core.input_hash import input_hash
from steadfit.core.monitors.registry import recover_metric
from steadfit.core.monitors.thresholds import min_samples
from steadfit.core.text import time_text
from steadfit.core.types import Platform

PURPOSE = "Evaluate"
SOURCE = "captured"
"""Name of the data set."""
KEPT = 3
"""Number of finished runs to keep per ModelDeployment."""


def key(deployment: ModelDeployment, monitor: str, decided_at: datetime) -> str:
    """Return the unique key of the run's cause."""
    return f"{deployment.name}/{monitor}@{time_text(decided_at)}"


def name(job: TrainingJob, deployment: ModelDeployment, monitor: str, decided_at: datetime) -> str:
    """Return the name of the run of a diagnosis."""
    return names.run_name(job.name, job.uid, PURPOSE, "Monitor", key(deployment, monitor, decided_at))


def render(
    entry: Diagnosis,
    monitor: Monitor,
    deployment: ModelDeployment,
    job: TrainingJob,
    live: ModelVersion,
    last_good: ModelVersion,
    platform: Platform,
) -> dict[str, Any]:
    """Return the run of a diagnosis."""
    recipe, capture = job.spec, deployment.spec.capture
    spec = TrainingRunSpec(
        training_job_ref=OwnerRef(name=job.name, uid=job.uid),
        purpose="Evaluate",
        evaluate=EvaluateInputs(
            deployment=deployment.name,
            metric=recover_metric(monitor),
            margin=recipe.evaluation.champion.margin,
            live=_evaluated(live),
            last_good=_evaluated(last_good),
            until=entry.decided_at,
            flush_interval=capture.flush_interval if capture else None,
            min_rows=min_samples(monitor),
        ),
        cause=Cause(
            type="Monitor",
            key=key(deployment, monitor.name, entry.decided_at),
            monitor=f"{deployment.name}/{monitor.name}",
            message=f"monitor {deployment.name}/{monitor.name} fires: is version {entry.compared_number} better than"
            f" version {entry.number} now?",
        ),
        input_hash="",
        # The user's container does not run.
        image=platform.trainer_image,
        resources=recipe.resources,
        pod=recipe.pod,
        store_ref=recipe.store_ref,
        data=[DataSource(name=SOURCE, captured=Captured(deployment=deployment.name, window=monitor.window))],
        evaluation=recipe.evaluation,
        limits=recipe.limits,
    )
    return {
        "apiVersion": API_VERSION,
        "kind": "TrainingRun",
        "metadata": {
            "name": entry.run,
            "namespace": job.metadata.namespace,
            "labels": {
                names.MANAGED_BY: names.MANAGER,
                names.TRAINING_JOB: job.name,
                names.MODEL_DEPLOYMENT: deployment.name,
                **names.queue_labels(job),
            },
            "ownerReferences": [names.owner_reference(job)],
        },
        "spec": spec.model_copy(update={"input_hash": input_hash(spec)}).dump(),
    }


def expired(runs: Sequence[TrainingRun]) -> list[TrainingRun]:
    """Return the finished runs to delete: all but the newest few."""
    finished = [run for run in runs if run.status.phase in FINISHED]
    finished.sort(key=lambda run: (str(run.status.finished_at), run.name))
    return [run for run in finished[: max(0, len(finished) - KEPT)] if run.metadata.deletion_timestamp is None]


def _evaluated(version: ModelVersion) -> EvaluatedVersion:
    return EvaluatedVersion(version=version.name, number=version.spec.number, digest=version.spec.artifact.digest)
