"""Which alerts ask for a run: level state, as the intake keeps it in the status.

An alert asks for as long as it fires and is told again. So it does not matter how often it comes, by how many copies of
Alertmanager, or whether the operator was there when it came. That it is resolved is no news: it only stops asking.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from steadfit.api.run import Cause
from steadfit.api.trainingjob import AlertState, AlertTrigger, TrainingJob
from steadfit.core.text import cut, time_text

from .alert_state import STALE

FORGOTTEN = timedelta(hours=24)
"""How long an alert that is resolved stays to be seen."""
_SHORT = 8


def kept(job: TrainingJob, now: datetime) -> list[AlertState]:
    """Return the intake's entries without those whose trigger is gone and those that were resolved long ago.

    Nothing else is the leader's to change. Its writes are refused when the intake was faster, so none is lost.
    """
    there = _triggers(job)
    return [entry for entry in job.status.alerts if entry.trigger in there and not _is_forgotten(entry, now)]


def firing(job: TrainingJob, alerts: Iterable[AlertState], now: datetime) -> list[AlertState]:
    """Return the alerts that ask for a run, in the order of the triggers.

    An edited trigger may not match any more what was stored for its earlier form: then it waits until it is told again.
    """
    triggers = _triggers(job)
    order = list(triggers)
    asking = [
        entry
        for entry in alerts
        if entry.status == "firing"
        and entry.trigger in triggers
        and triggers[entry.trigger].match_labels.items() <= entry.labels.items()
        and entry.received_at + STALE > now
    ]
    return sorted(asking, key=lambda entry: (order.index(entry.trigger), entry.alertname, entry.fingerprint))


def causes(alerts: Sequence[AlertState], now: datetime) -> list[Cause]:
    """Return one cause for each trigger whose alerts fire. Its key is the time of the decision: alerts have no end."""
    by_trigger: dict[str, list[AlertState]] = {}
    for entry in alerts:
        by_trigger.setdefault(entry.trigger, []).append(entry)
    return [
        Cause(type="Alert", key=f"{name}@{time_text(now)}", trigger=name, message=cut(_words(entries)))
        for name, entries in by_trigger.items()
    ]


def changes_at(alerts: Iterable[AlertState]) -> list[datetime]:
    """Return when each alert comes to say something else without any news."""
    return [entry.received_at + (STALE if entry.status == "firing" else FORGOTTEN) for entry in alerts]


def _triggers(job: TrainingJob) -> dict[str, AlertTrigger]:
    return {trigger.name: trigger.alert for trigger in job.spec.triggers if trigger.alert is not None}


def _is_forgotten(entry: AlertState, now: datetime) -> bool:
    return entry.status == "resolved" and entry.received_at + FORGOTTEN <= now


def _words(entries: Sequence[AlertState]) -> str:
    by_name: dict[str, list[str]] = {}
    for entry in entries:
        by_name.setdefault(entry.alertname, []).append(entry.fingerprint[:_SHORT])
    return ", ".join(f"alert {name} ({_several(prints)}) fires" for name, prints in by_name.items())


def _several(fingerprints: Sequence[str]) -> str:
    more = len(fingerprints) - 1
    return f"{fingerprints[0]} and {more} more" if more else fingerprints[0]
