"""The schedules of a TrainingJob: the state of each, and which are due.

Of several missed times only the newest counts, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from steadfit.api.trainingjob import Schedule, TrainingJob, TriggerState
from steadfit.core.times_ahead import SKEW

from . import cron


def track(job: TrainingJob, now: datetime) -> list[TriggerState]:
    """Return the state of each schedule.

    A schedule that is new, was edited or was resumed starts from now: times before it are not missed times. One that
    is suspended or invalid has no state. A state of a clock that was ahead has skipped times: it starts from now too.
    """
    known = {state.name: state for state in job.status.triggers}
    states = []
    for trigger in job.spec.triggers:
        times = trigger.schedule
        if times is None or times.suspend or job.spec.suspend or cron.problem(times):
            continue
        state = known.get(trigger.name)
        if state is None or state.schedule != as_text(times) or _is_ahead(state, times, now):
            state = _state(trigger.name, times, now, now)
        states.append(state)
    return states


def due(states: Sequence[TriggerState], now: datetime) -> list[TriggerState]:
    """Return the schedules whose time has come."""
    return [state for state in states if state.next_scheduled_at <= now]


def advance(job: TrainingJob, states: Sequence[TriggerState], now: datetime) -> list[TriggerState]:
    """Return the states after a run was started for every due schedule: each has its newest time until now."""
    times = {trigger.name: trigger.schedule for trigger in job.spec.triggers}
    advanced = []
    for state in states:
        line = times.get(state.name)
        if line is not None and state.next_scheduled_at <= now:
            state = _state(state.name, line, cron.newest_until(line, now), now)
        advanced.append(state)
    return advanced


def as_text(times: Schedule) -> str:
    """Return the text that identifies a schedule: an edited one has another."""
    return f"{' '.join(times.cron.split())} {times.time_zone}"


def _is_ahead(state: TriggerState, times: Schedule, now: datetime) -> bool:
    return state.next_scheduled_at > cron.next_after(times, now + SKEW)


def _state(name: str, times: Schedule, last: datetime, now: datetime) -> TriggerState:
    return TriggerState(
        name=name,
        schedule=as_text(times),
        last_scheduled_at=last,
        next_scheduled_at=cron.next_after(times, now),
    )
