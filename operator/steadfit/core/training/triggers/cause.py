"""Why a run starts now: all causes that are due, merged into one.

Retrain actions come first, then a change of the inputs, then alerts and monitors, then schedules. The run is named
after the first one, and its message names all, because the one run serves them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from steadfit.api.modelaction import ModelAction
from steadfit.api.modelversion import ModelVersion
from steadfit.api.run import FINISHED, Cause
from steadfit.api.trainingjob import ActiveRun, TrainingJob, TriggerState
from steadfit.api.trainingrun import TrainingRun
from steadfit.core import names
from steadfit.core.input_hash import changed, input_hash
from steadfit.core.text import cut, time_text

from . import cron, metric_change

PURPOSE = "Train"


def due(
    job: TrainingJob,
    trained: str | None,
    runs: Sequence[TrainingRun],
    versions: Sequence[ModelVersion],
    actions: Sequence[ModelAction],
    signals: Sequence[Cause],
    schedules: Sequence[TriggerState],
    now: datetime,
) -> Cause | None:
    """Return the cause of the run to start, or None while nothing is due.

    `trained` is the hash of the inputs that the newest run was started with, `signals` are the alerts and monitors that
    fire and are not limited now.
    """
    causes = [
        *[_action(action) for action in actions],
        *(_change(job, trained, runs) or metric_change.causes(job, runs, versions)),
        *signals,
        *[_time(job, state, now) for state in schedules],
    ]
    if not causes:
        return None
    return causes[0].model_copy(update={"message": cut("; ".join(cause.message for cause in causes))})


def as_run(job: TrainingJob, cause: Cause, runs: Sequence[TrainingRun]) -> ActiveRun:
    """Return the run that a cause leads to.

    Its name follows from the cause. If the recipe returns to inputs that it had before, a finished run has that name
    already; a count is then part of the key.
    """
    taken = {run.name for run in runs if run.status.phase in FINISHED}
    count, key, name = 1, cause.key, _name(job, cause.type, cause.key)
    while name in taken:
        count += 1
        key = f"{cause.key}#{count}"
        name = _name(job, cause.type, key)
    return ActiveRun(name=name, cause=cause.model_copy(update={"key": key}), input_hash=input_hash(job.spec))


def _name(job: TrainingJob, cause_type: str, key: str) -> str:
    return names.run_name(job.name, job.uid, PURPOSE, cause_type, key)


def _action(action: ModelAction) -> Cause:
    spec = action.spec
    message = f"Retrain by {spec.requested_by}: {spec.reason}"
    return Cause(type="Action", key=action.uid, action=action.name, message=cut(message))


def _change(job: TrainingJob, trained: str | None, runs: Sequence[TrainingRun]) -> list[Cause]:
    current = input_hash(job.spec)
    if current == trained:
        return []
    newest = max(runs, key=lambda run: (str(run.metadata.creation_timestamp), run.name), default=None)
    fields = changed(newest.spec, job.spec) if newest else []
    message = f"the recipe changed: {', '.join(fields)}" if fields else "the recipe has not been trained yet"
    return [Cause(type="SpecChange", key=current, message=message)]


def _time(job: TrainingJob, state: TriggerState, now: datetime) -> Cause:
    times = next(trigger.schedule for trigger in job.spec.triggers if trigger.name == state.name)
    newest = cron.newest_until(times, now) if times else state.next_scheduled_at
    at = time_text(newest)
    return Cause(type="Schedule", key=at, trigger=state.name, message=f"schedule {state.name} was due at {at}")
