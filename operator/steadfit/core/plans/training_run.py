"""The plan of a TrainingRun: attempts until one has a result, then a version of that result if it trains."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.run import FINISHED
from steadfit.api.trainingrun import TrainingRunStatus
from steadfit.core import names
from steadfit.core.conditions import merge
from steadfit.core.problem import Problem
from steadfit.core.runs import attempts, champion, evaluated_versions, known_inputs, orphaned, version_manifest
from steadfit.core.runs import conditions as run_conditions
from steadfit.core.runs import events as run_events
from steadfit.core.runs import outcome as run_outcome
from steadfit.core.runs.runtime import job, job_manifest, pods, trust
from steadfit.core.times_ahead import corrected
from steadfit.core.types import Action, Create, Delete, Manifest, ObservedTrainingRun, Plan


def plan(observed: ObservedTrainingRun, now: datetime) -> Plan:
    """Decide over a TrainingRun. A finished run never changes."""
    observed = corrected(observed, now)
    run = observed.run
    before = run.status
    due: list[datetime] = []
    status = before
    if before.phase not in FINISHED:
        status = attempts.begin(status, observed, now)
        status, due = _observed(status, observed, now)
        record = version_manifest.read(status, observed)
        problem = record if isinstance(record, Problem) else None
        if record is not None and problem is None:
            status = version_manifest.take_number(status, observed)
        status = run_outcome.settle(status, problem, observed, now)
        awaited = orphaned.due(status, observed)
        due += [at for at in (status.next_attempt_at, awaited if awaited and now < awaited else None) if at]
    generation = run.metadata.generation
    desired = run_conditions.conditions(status, run.spec.evaluate, _refusal(status, observed))
    status = status.model_copy(
        update={
            "observed_generation": generation,
            "conditions": merge(before.conditions, desired, generation, now),
        }
    )
    return Plan(
        status=status.dump(),
        actions=(
            *_start(status, observed),
            *_create_version(status, observed),
            *_end_workloads(status, observed),
            *trust.renew(observed),
        ),
        events=run_events.events(before, status, run.spec.evaluate),
        requeue_at=min(due, default=None),
    )


def _observed(
    status: TrainingRunStatus, observed: ObservedTrainingRun, now: datetime
) -> tuple[TrainingRunStatus, list[datetime]]:
    """Return the status with its current attempt as it is now, and when the timeouts of that attempt expire."""
    if not status.attempts or status.attempts[-1].finished_at is not None:
        return status, []
    observation = attempts.observe(status.attempts[-1], observed, now)
    status = status.model_copy(
        update={
            "attempts": [*status.attempts[:-1], observation.attempt],
            "started_at": status.started_at or observation.attempt.started_at,
        }
    )
    return status, [timeout.due for timeout in observation.timeouts]


def _start(status: TrainingRunStatus, observed: ObservedTrainingRun) -> list[Action]:
    """Return the creation of the current attempt's Job while it does not exist; a finished run gets none again."""
    if status.phase in FINISHED or not status.attempts:
        return []
    attempt = status.attempts[-1]
    if attempt.finished_at is not None or attempt.job_uid is not None:
        return []
    run = observed.run
    if run.spec.purpose == "Evaluate":
        pair = evaluated_versions.pick(run, observed.versions)
        workload = job_manifest.render(run, attempt, observed.stores, observed.platform, evaluated=pair)
        return [Create(workload)] if workload else []
    if observed.job is not None and any(item.status.phase is None for item in observed.versions):
        # One of them may become the champion in a moment, and would be missed without its verdict.
        return []
    compared = champion.pick(run.spec.training_job_ref.name, observed.versions, observed.deployments)
    known = known_inputs.candidates(run, observed.versions, compared)
    workload = job_manifest.render(run, attempt, observed.stores, observed.platform, compared, known=known)
    return [Create(workload)] if workload else []


def _refusal(status: TrainingRunStatus, observed: ObservedTrainingRun) -> str:
    """Return why the API server refuses the version of a result; empty if it does not."""
    if status.version_number is None:
        return ""
    name = names.version_name(observed.run.spec.training_job_ref.name, status.version_number)
    return observed.refusals.get(name, "")


def _create_version(status: TrainingRunStatus, observed: ObservedTrainingRun) -> list[Action]:
    record = version_manifest.read(status, observed)
    if record is None or isinstance(record, Problem) or status.phase in FINISHED:
        return []
    version = version_manifest.manifest(status, record, observed)
    return [Create(version)] if version else []


def _end_workloads(status: TrainingRunStatus, observed: ObservedTrainingRun) -> list[Action]:
    """Return the deletion of Jobs that still run after their attempt has ended.

    Those that have ended by themselves stay, with their pods and logs, until the run is deleted.
    """
    open_attempts = {attempt.job for attempt in status.attempts if attempt.finished_at is None}
    return [
        Delete(job.reference(workload))
        for workload in observed.workloads
        if workload["metadata"]["name"] not in open_attempts and _still_runs(workload, observed)
    ]


def _still_runs(workload: Manifest, observed: ObservedTrainingRun) -> bool:
    if job.is_over(workload) or job.is_deleted(workload):
        return False
    own = pods.pods_of(workload, observed.pods)
    return not own or not all(pod.is_ending for pod in own)
