"""The plan of a TrainingJob: one run in flight, started for all causes that are due; old runs are deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from steadfit.api.modelversion import ModelVersion
from steadfit.api.run import Cause
from steadfit.api.trainingjob import TrainingJobStatus
from steadfit.core import action_records
from steadfit.core.conditions import merge
from steadfit.core.input_hash import input_hash
from steadfit.core.problem import Problem
from steadfit.core.serving.recovery import retrain_causes
from steadfit.core.serving.recovery.retrain_causes import FiringMonitor
from steadfit.core.times_ahead import corrected
from steadfit.core.training import cancel, retention, run_manifest, validation
from steadfit.core.training import conditions as job_conditions
from steadfit.core.training import events as job_events
from steadfit.core.training.limits import (
    automatic_runs,
    blocked,
    budget,
    champion,
    circuit_breaker,
    cooldown,
    in_flight,
    level,
    open_rollout,
    skip_counts,
    unchanged,
    waiting,
)
from steadfit.core.training.limits.blocked import Hold
from steadfit.core.training.triggers import alerts as alert_triggers
from steadfit.core.training.triggers import cause, retrain_action, schedules
from steadfit.core.types import Action, Create, Delete, ObservedTrainingJob, Plan, reference


def plan(observed: ObservedTrainingJob, now: datetime) -> Plan:
    """Decide over a TrainingJob."""
    observed = corrected(observed, now)
    job, runs, versions = observed.job, observed.runs, observed.versions
    problem = validation.problem(job, observed.stores)
    status = in_flight.settle(job.status, runs, versions, input_hash(job.spec), now)
    status = cancel.carry_out(cancel.settle(status, now), observed, now)
    status = status.model_copy(
        update={
            "alerts": alert_triggers.kept(job, now),
            "automatic_runs": automatic_runs.follow(status, runs, versions, now),
        }
    )
    held = blocked.of_every_cause(status, problem, job)
    limit, paused = _limits(status, observed, now)
    status = _decided(status, held, limit, observed, now)
    held = blocked.of_every_cause(status, problem, job)
    status = _with_wait(status, held or limit, observed, now)
    generation = job.metadata.generation
    desired = job_conditions.conditions(
        status, problem, job, runs, versions, paused, observed.refusals, observed.alerts_refused_since
    )
    status = status.model_copy(
        update={
            "actions": action_records.shorten(status.actions, observed.actions),
            "next_run_at": min((state.next_scheduled_at for state in status.triggers), default=None),
            "observed_generation": generation,
            "conditions": merge(job.status.conditions, desired, generation, now),
        }
    )
    return Plan(
        status=status.dump(),
        actions=(*_start(status, problem, observed), *_delete_old_runs(status, observed)),
        events=job_events.events(job.status, status),
        requeue_at=_requeue_at(status, held, paused, now),
    )


def _limits(status: TrainingJobStatus, observed: ObservedTrainingJob, now: datetime) -> tuple[Hold | None, Hold | None]:
    """Return what alerts and monitors alone wait for, and the open breaker, which is shown also if none fires."""
    limits = observed.job.spec.limits
    begun = cooldown.start(status, observed.deployments)
    unsuccessful = automatic_runs.without_improvement(status.automatic_runs, observed.versions)
    paused = circuit_breaker.hold(unsuccessful, begun, limits, now)
    compared = open_rollout.compared(observed.job.name, observed.deployments)
    person = champion.hold(observed.job.name, [compared] if compared else [], observed.versions)
    untimed = person or open_rollout.hold(observed.job.name, observed.versions, observed.deployments, now)
    spent = budget.hold(status.automatic_runs, limits, now)
    timed = [paused, cooldown.hold(begun, limits, now), spent, unchanged.hold(status, now), untimed]
    return blocked.shown(timed, untimed), paused


def _decided(
    status: TrainingJobStatus, held: Hold | None, limit: Hold | None, observed: ObservedTrainingJob, now: datetime
) -> TrainingJobStatus:
    """Return the status with the run that all due causes lead to, and with the state of each cause."""
    job, runs = observed.job, observed.runs
    scheduled = schedules.track(job, now)
    actions = retrain_action.pending(job, observed.actions)
    why = held.message if held else ""
    records = retrain_action.note(status.actions, actions, observed.actions, "Pending", why, now)
    status = status.model_copy(update={"triggers": scheduled, "actions": records})
    if held:
        return status
    actions = retrain_action.admitted(records, actions)
    signals = [] if limit else _signals(status, observed, now)
    times = schedules.due(scheduled, now)
    merged = cause.due(job, status.input_hash, runs, observed.versions, actions, signals, times, now)
    if merged is None:
        return status
    active = cause.as_run(job, merged, runs)
    started = f"run {active.name} was started"
    return status.model_copy(
        update={
            "active_run": active,
            "input_hash": active.input_hash,
            "triggers": schedules.advance(job, scheduled, now),
            "actions": retrain_action.note(records, actions, observed.actions, "Succeeded", started, now),
            "automatic_runs": automatic_runs.begin(status.automatic_runs, active.name, merged, now),
        }
    )


def _signals(status: TrainingJobStatus, observed: ObservedTrainingJob, now: datetime) -> list[Cause]:
    """Return the causes of the alerts and monitors that fire."""
    alerts = alert_triggers.firing(observed.job, status.alerts, now)
    return [
        *alert_triggers.causes(alerts, now),
        *retrain_causes.causes(level.reachable(*_monitors(observed)), now),
    ]


def _monitors(observed: ObservedTrainingJob) -> tuple[list[FiringMonitor], Sequence[ModelVersion], str]:
    """Return the monitors that fire where a run can be compared, and by what their levels are judged."""
    comparable = (one for one in observed.deployments if champion.is_comparable(one, observed.versions))
    return retrain_causes.firing(comparable), observed.versions, input_hash(observed.job.spec)


def _with_wait(
    status: TrainingJobStatus, held: Hold | None, observed: ObservedTrainingJob, now: datetime
) -> TrainingJobStatus:
    """Return the status with what the alerts and monitors wait for whose requests are not served."""
    alerts = alert_triggers.firing(observed.job, status.alerts, now)
    requests = waiting.requests(alerts, level.reachable(*_monitors(observed)))
    if not requests:
        no_run = champion.hold(observed.job.name, observed.deployments, observed.versions)
        held = level.hold(*_monitors(observed)) or no_run
        requests = waiting.requests([], retrain_causes.firing(observed.deployments)) if held else []
    before = status.waiting
    after = waiting.wait(before, waiting.unserved(requests, status.active_run, observed.runs), held, now)
    return status.model_copy(
        update={"waiting": after, "skipped": skip_counts.count(status.skipped, before, after, now)}
    )


def _requeue_at(status: TrainingJobStatus, held: Hold | None, paused: Hold | None, now: datetime) -> datetime | None:
    """Return the next time at which something changes although no object does."""
    times = [
        None if held else status.next_run_at,
        status.waiting.until if status.waiting else None,
        paused.until if paused else None,
        *alert_triggers.changes_at(status.alerts),
        *automatic_runs.changes_at(status.automatic_runs),
    ]
    return min((at for at in times if at is not None and at > now), default=None)


def _start(status: TrainingJobStatus, problem: Problem | None, observed: ObservedTrainingJob) -> list[Action]:
    """Return the creation of the run that was decided on, while it does not exist."""
    active, job = status.active_run, observed.job
    if active is None or problem is not None or job.spec.suspend or in_flight.named(active.name, observed.runs):
        return []
    return [Create(run_manifest.render(job, active))]


def _delete_old_runs(status: TrainingJobStatus, observed: ObservedTrainingJob) -> list[Action]:
    active = status.active_run.name if status.active_run else None
    return [
        Delete(reference("TrainingRun", run))
        for run in retention.beyond(observed.runs, observed.job.spec.history.runs, active)
    ]
