"""The plan of a TrainingJob: one run in flight, started for all causes that are due; the past is put away."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.base import API_VERSION
from steadfit.api.trainingjob import TrainingJobStatus
from steadfit.core import cause, in_flight, job_events, job_readiness, recipe, retention, retrain, run_manifest, trigger
from steadfit.core.conditions import merge
from steadfit.core.input_hash import input_hash
from steadfit.core.problem import Problem
from steadfit.core.types import Action, Create, Delete, ObservedTrainingJob, Plan


def plan(observed: ObservedTrainingJob, now: datetime) -> Plan:
    """Decide over a TrainingJob."""
    job = observed.job
    problem = recipe.problem(job, observed.stores)
    status = in_flight.settle(job.status, observed.runs, observed.versions, input_hash(job.spec))
    status = _decided(status, _held(status, problem, observed), observed, now)
    generation = job.metadata.generation
    wishes = job_readiness.wishes(status, problem, job, observed.runs, observed.versions)
    status = status.model_copy(
        update={
            "next_run_at": min((state.next_scheduled_at for state in status.triggers), default=None),
            "observed_generation": generation,
            "conditions": merge(job.status.conditions, wishes, generation, now),
        }
    )
    held = _held(status, problem, observed)
    return Plan(
        status=status.dump(),
        actions=(*_start(status, problem, observed), *_put_away(status, observed)),
        events=job_events.events(job.status, status),
        requeue_at=None if held else status.next_run_at,
    )


def _held(status: TrainingJobStatus, problem: Problem | None, observed: ObservedTrainingJob) -> str | None:
    """Return what every cause has to wait for, in words, or None when a run may start."""
    if status.active_run is not None:
        return f"waits until run {status.active_run.name} has ended"
    if observed.job.spec.suspend:
        return "waits until spec.suspend is false"
    return f"waits until the recipe can be followed: {problem.message}" if problem else None


def _decided(
    status: TrainingJobStatus, held: str | None, observed: ObservedTrainingJob, now: datetime
) -> TrainingJobStatus:
    """Return the status with the run that all due causes lead to, and with what became of each cause."""
    job, runs = observed.job, observed.runs
    schedules = trigger.track(job, now)
    waiting = retrain.pending(status.actions, observed.actions)
    records = retrain.note(status.actions, waiting, observed.actions, "Pending", held or "", now)
    status = status.model_copy(update={"triggers": schedules, "actions": records})
    if held:
        return status
    waiting = retrain.admitted(records, waiting)
    found = cause.due(job, status.input_hash, runs, waiting, trigger.due(schedules, now), now)
    if found is None:
        return status
    active = cause.as_run(job, found, runs)
    started = f"run {active.name} was started"
    return status.model_copy(
        update={
            "active_run": active,
            "input_hash": active.input_hash,
            "triggers": trigger.honour(job, schedules, now),
            "actions": retrain.note(records, waiting, observed.actions, "Succeeded", started, now),
        }
    )


def _start(status: TrainingJobStatus, problem: Problem | None, observed: ObservedTrainingJob) -> list[Action]:
    """Return the creation of the run that was decided on, while it does not exist."""
    active, job = status.active_run, observed.job
    if active is None or problem is not None or job.spec.suspend or in_flight.named(active.name, observed.runs):
        return []
    return [Create(run_manifest.render(job, active))]


def _put_away(status: TrainingJobStatus, observed: ObservedTrainingJob) -> list[Action]:
    active = status.active_run.name if status.active_run else None
    return [
        Delete(
            {
                "apiVersion": API_VERSION,
                "kind": "TrainingRun",
                "metadata": {"name": run.name, "namespace": run.metadata.namespace, "uid": run.uid},
            }
        )
        for run in retention.beyond(observed.runs, observed.job.spec.history.runs, active)
    ]
