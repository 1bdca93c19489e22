"""Which alerts request a run: level state, as the alert intake keeps it in the status.

An alert requests a run for as long as it fires and is received again. How often it is received, from how many replicas
of Alertmanager, and whether the operator ran when it first fired makes no difference. A resolved alert only ends its
request.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from steadfit.api.run import Cause
from steadfit.api.trainingjob import AlertState, AlertTrigger, TrainingJob
from steadfit.core.text import cut, time_text

from .alert_state import STALE

RESOLVED_TTL = timedelta(hours=24)
"""How long a resolved alert is kept."""
_SHORT = 8


def kept(job: TrainingJob, now: datetime) -> list[AlertState]:
    """Return the intake's entries without those whose trigger was removed and those that were resolved long ago.

    The leader changes nothing else. Its write is refused if the intake wrote in between, so no alert is lost.
    """
    triggers = _triggers(job)
    return [entry for entry in job.status.alerts if entry.trigger in triggers and not _is_expired(entry, now)]


def firing(job: TrainingJob, alerts: Iterable[AlertState], now: datetime) -> list[AlertState]:
    """Return the alerts that request a run, in the order of the triggers.

    An edited trigger may not match what was stored before; such an alert counts once it is received again.
    """
    triggers = _triggers(job)
    order = list(triggers)
    requesting = [
        entry
        for entry in alerts
        if entry.status == "firing"
        and entry.trigger in triggers
        and triggers[entry.trigger].match_labels.items() <= entry.labels.items()
        and entry.received_at + STALE > now
    ]
    return sorted(requesting, key=lambda entry: (order.index(entry.trigger), entry.alertname, entry.fingerprint))


def causes(alerts: Sequence[AlertState], now: datetime) -> list[Cause]:
    """Return one cause for each trigger whose alerts fire. Its key is the time of the decision."""
    by_trigger: dict[str, list[AlertState]] = {}
    for entry in alerts:
        by_trigger.setdefault(entry.trigger, []).append(entry)
    return [
        Cause(type="Alert", key=f"{name}@{time_text(now)}", trigger=name, message=cut(_message(entries)))
        for name, entries in by_trigger.items()
    ]


def changes_at(alerts: Iterable[AlertState]) -> list[datetime]:
    """Return when each alert changes its meaning although none is received."""
    return [entry.received_at + (STALE if entry.status == "firing" else RESOLVED_TTL) for entry in alerts]


def _triggers(job: TrainingJob) -> dict[str, AlertTrigger]:
    return {trigger.name: trigger.alert for trigger in job.spec.triggers if trigger.alert is not None}


def _is_expired(entry: AlertState, now: datetime) -> bool:
    return entry.status == "resolved" and entry.received_at + RESOLVED_TTL <= now


def _message(entries: Sequence[AlertState]) -> str:
    by_name: dict[str, list[str]] = {}
    for entry in entries:
        by_name.setdefault(entry.alertname, []).append(entry.fingerprint[:_SHORT])
    return ", ".join(f"alert {name} ({_several(prints)}) fires" for name, prints in by_name.items())


def _several(fingerprints: Sequence[str]) -> str:
    more = len(fingerprints) - 1
    return f"{fingerprints[0]} and {more} more" if more else fingerprints[0]
