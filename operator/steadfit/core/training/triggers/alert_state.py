"""How alerts alerts become the list in a TrainingJob's status: level state, one entry a fingerprint.

The newest word wins. What is repeated is written again only now and then, because every write wakes the leader. The
list is short, so a full one gives way where an entry says nothing any more: the oldest resolved one, then the oldest
one that nobody has repeated for half a day. A new alert that still finds no room is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from steadfit.api.trainingjob import AlertState, Trigger

from .alert_matching import Listener, ReceivedAlert, trigger_for

MAX_ALERTS = 64
REFRESH = timedelta(minutes=5)
"""An entry that is repeated unchanged is written again after this time."""
STALE = timedelta(hours=12)
"""An entry that was not repeated for this time says nothing any more."""
OVERTAKEN = timedelta(seconds=30)
"""Two replicas may write what they were alerts in the other order, but not later than this. An entry that is newer by
more was written by a wrong clock, and must not silence the right ones."""

MAX_NAME = 256
UNNAMED = "unnamed"

Result = Literal["stored", "refreshed", "unchanged", "no_match", "overflow"]
"""What became of one alerts alert."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The list as it should be stored.

    Attributes
    ----------
    alerts
        All entries.
    dropped
        How many alerts alerts found no room.
    results
        What became of each alerts alert, by fingerprint.
    """

    alerts: list[AlertState]
    dropped: int
    results: Mapping[str, Result]

    @property
    def changed(self) -> bool:
        """Return whether there is anything to write."""
        return any(result in ("stored", "refreshed", "overflow") for result in self.results.values())


def merge(stored: Sequence[AlertState], alerts: Iterable[ReceivedAlert], listener: Listener) -> Merged:
    """Return the stored entries with what was alerts about this TrainingJob; fingerprints in `alerts` are distinct."""
    entries = {entry.fingerprint: entry for entry in stored}
    results: dict[str, Result] = {}
    unknown = []
    for alert in alerts:
        trigger = trigger_for(alert, listener)
        if trigger is None:
            results[alert.fingerprint] = "no_match"
        elif alert.fingerprint in entries:
            entry, result = _again(entries[alert.fingerprint], alert, trigger)
            entries[alert.fingerprint] = entry
            results[alert.fingerprint] = result
        else:
            # Known ones come first: an entry that is alerts again must not make room for one that is new.
            unknown.append((alert, trigger))
    dropped = 0
    for alert, trigger in unknown:
        if alert.status == "resolved":
            # Nothing fires that was not alerts, so there is nothing to end.
            results[alert.fingerprint] = "unchanged"
        elif not dropped and _make_room(entries, alert):
            entries[alert.fingerprint] = _entry(alert, trigger)
            results[alert.fingerprint] = "stored"
        else:
            dropped += 1
            results[alert.fingerprint] = "overflow"
    return Merged(list(entries.values()), dropped, results)


def _again(known: AlertState, alert: ReceivedAlert, trigger: Trigger) -> tuple[AlertState, Result]:
    age = alert.received_at - known.received_at
    if -OVERTAKEN <= age < timedelta():
        return known, "unchanged"
    entry = _entry(alert, trigger)
    if (entry.status, entry.trigger, entry.labels) != (known.status, known.trigger, known.labels):
        return entry, "stored"
    if entry.status == "resolved" or abs(age) < REFRESH:
        return known, "unchanged"
    return entry, "refreshed"


def _make_room(entries: dict[str, AlertState], alert: ReceivedAlert) -> bool:
    if len(entries) < MAX_ALERTS:
        return True
    silent = [
        entry
        for entry in entries.values()
        if entry.status == "resolved" or alert.received_at - entry.received_at >= STALE
    ]
    if not silent:
        return False
    oldest = min(silent, key=lambda entry: (entry.status != "resolved", entry.received_at))
    del entries[oldest.fingerprint]
    return True


def _entry(alert: ReceivedAlert, trigger: Trigger) -> AlertState:
    wanted = trigger.alert.match_labels if trigger.alert else {}
    return AlertState(
        fingerprint=alert.fingerprint,
        alertname=alert.labels.get("alertname", UNNAMED)[:MAX_NAME],
        status=alert.status,
        trigger=trigger.name,
        starts_at=alert.starts_at,
        received_at=alert.received_at,
        labels={name: alert.labels[name] for name in wanted},
    )
