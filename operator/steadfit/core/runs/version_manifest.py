"""The ModelVersion of a run's record. Its number is written to the status before the object is created."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from steadfit.api.base import API_VERSION
from steadfit.api.modelversion import (
    Artifact,
    DataRecord,
    EvaluationResult,
    Lineage,
    MetricValue,
    ModelVersion,
    ModelVersionSpec,
    RunRef,
    TrainingJobRef,
)
from steadfit.api.record import Record
from steadfit.api.trainingrun import TrainingRun, TrainingRunStatus
from steadfit.core import names
from steadfit.core.problem import Problem
from steadfit.core.runs.runtime import job_manifest
from steadfit.core.types import ObservedTrainingRun

from .attempts import workload_of


def read(status: TrainingRunStatus, observed: ObservedTrainingRun) -> Record | Problem | None:
    """Return the posted record, or why no version can be created from it, or None while there is none.

    A run of purpose Evaluate never creates a version, whatever its status holds.
    """
    run = observed.run
    if status.record is None or run.spec.purpose == "Evaluate":
        return None
    try:
        record = Record.model_validate(status.record)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return Problem("UserError", f"no version can be created from the record: {where}: {first['msg']}")
    if record.run.uid != run.uid:
        return Problem("UserError", f"the record names run {record.run.name}, which is another one")
    if f"/{run.metadata.namespace}/{run.spec.training_job_ref.name}/artifacts/" not in record.artifact.uri:
        return Problem("UserError", f"the artifact is outside of the TrainingJob's prefix: {record.artifact.uri}")
    return record


def take_number(status: TrainingRunStatus, observed: ObservedTrainingRun) -> TrainingRunStatus:
    """Return the status with a number for the version, and with its name once the object exists.

    The number is one above every number that was ever taken. One that belongs to another run's version (of an earlier
    cluster, say) is replaced.
    """
    if status.version is not None:
        return status
    if status.version_number is not None:
        existing = _numbered(status.version_number, observed)
        if existing is None:
            return status
        if existing.spec.run.uid == observed.run.uid:
            return status.model_copy(update={"version": existing.name})
    return status.model_copy(update={"version_number": _highest(observed) + 1})


def manifest(status: TrainingRunStatus, record: Record, observed: ObservedTrainingRun) -> dict[str, Any] | None:
    """Return the ModelVersion to create, or None while no number is taken or once it exists.

    It has no owner: deleting a TrainingJob or a run never deletes a model that serves.
    """
    number, run = status.version_number, observed.run
    if number is None or status.version is not None:
        return None
    job = run.spec.training_job_ref.name
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelVersion",
        "metadata": {
            "name": names.version_name(job, number),
            "namespace": run.metadata.namespace,
            "labels": {
                names.MANAGED_BY: names.MANAGER,
                names.TRAINING_JOB: job,
                names.TRAINING_RUN: run.name,
                names.VERSION: str(number),
            },
            "annotations": {names.DIGEST_ANNOTATION: record.artifact.digest},
        },
        "spec": _spec(status, number, record, observed).dump(),
    }


def _spec(status: TrainingRunStatus, number: int, record: Record, observed: ObservedTrainingRun) -> ModelVersionSpec:
    run = observed.run
    older = sorted((item for item in observed.versions if item.spec.number < number), key=lambda item: item.spec.number)
    prefix = record.artifact.uri.partition("/artifacts/sha256/")[0]
    return ModelVersionSpec(
        training_job_ref=TrainingJobRef(**run.spec.training_job_ref.dump()),
        number=number,
        run=RunRef(name=run.name, uid=run.uid),
        cause=run.spec.cause,
        store_ref=run.spec.store_ref,
        artifact=Artifact.model_validate(record.artifact.dump()),
        evaluation=_evaluation(record, run),
        lineage=_lineage(status, record, observed),
        record_uri=f"{prefix}/records/{run.uid}.json",
        parent=_parent(older),
        duplicate_of=_original(older, record.artifact.digest),
        quarantined=record.quarantined or [],
        served=record.served or [],
    )


def _evaluation(record: Record, run: TrainingRun) -> EvaluationResult:
    measured = record.evaluation.dump()
    # In the order of the recipe, whose first metric is the main one: a record is a JSON object and has no order.
    order = [metric.name for metric in run.spec.evaluation.metrics]
    ordered = sorted(record.evaluation.metrics, key=lambda name: [*order, name].index(name))
    # Six decimals are more than a holdout resolves, and keep `kubectl get` readable.
    metrics = [MetricValue(name=name, value=round(record.evaluation.metrics[name], 6)) for name in ordered]
    return EvaluationResult.model_validate({**measured, "metrics": metrics})


def _lineage(status: TrainingRunStatus, record: Record, observed: ObservedTrainingRun) -> Lineage:
    run, number = observed.run, record.run.attempt
    attempt = next((item for item in status.attempts if item.number == number), None)
    workload = workload_of(attempt, observed) if attempt else None
    return Lineage(
        image=run.spec.image,
        image_id=attempt.image_id if attempt else None,
        source=record.source.dump(),
        environment=record.environment,
        data=[DataRecord.model_validate(item.dump()) for item in record.data],
        params=record.params,
        seed=record.seed,
        input_hash=run.spec.input_hash,
        pod_template_digest=job_manifest.template_digest(workload) if workload else None,
        operator_version=observed.platform.operator_version,
        git_revision=run.spec.git_revision,
    )


def _parent(older: Sequence[ModelVersion]) -> str | None:
    """Return the newest version that is verified when this one is created."""
    good = [item for item in older if item.status.phase == "Verified" and item.status.quarantine is None]
    return good[-1].name if good else None


def _original(older: Sequence[ModelVersion], digest: str) -> str | None:
    """Return the first version with the same artifact, if there is one."""
    same = [item for item in older if item.spec.artifact.digest == digest]
    return same[0].name if same else None


def _numbered(number: int, observed: ObservedTrainingRun) -> ModelVersion | None:
    name = names.version_name(observed.run.spec.training_job_ref.name, number)
    return next((item for item in observed.versions if item.name == name), None)


def _highest(observed: ObservedTrainingRun) -> int:
    job = observed.job
    latest = job.status.latest_version if job is not None else None
    taken = [sibling.status.version_number or 0 for sibling in observed.siblings]
    existing = [item.spec.number for item in observed.versions]
    return max([*taken, *existing, latest.number if latest else 0])
