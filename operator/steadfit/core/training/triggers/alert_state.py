"""How received alerts become the list in a TrainingJob's status: level state, one entry for each fingerprint.

The newest message counts. An unchanged alert is written again every few minutes only, because every write triggers a
pass of the leader. The list is bounded: a new alert replaces the oldest resolved entry of a full one, else the oldest
stale entry, and is dropped and counted if there is neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from steadfit.api.trainingjob import AlertState, Trigger
from steadfit.core.text import stored_length

from .alert_matching import Listener, ReceivedAlert, trigger_for

MAX_ALERTS = 64
MAX_LABELS = 32 * 1024
"""Most bytes of the names and labels of all entries together."""
REFRESH = timedelta(minutes=5)
"""An entry that is received again unchanged is written again after this time."""
STALE = timedelta(hours=12)
"""An entry that was not received again for this time is stale: its alert no longer counts as firing."""
REORDERED = timedelta(seconds=30)
"""Two replicas may write the alerts that they received in another order, within this time. An entry that is newer by
more was written by a replica whose clock is wrong, and does not override others."""

MAX_NAME = 256
UNNAMED = "unnamed"

Result = Literal["stored", "refreshed", "unchanged", "no_match", "overflow"]
"""The result for one received alert."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The list as it should be stored.

    Attributes
    ----------
    alerts
        All entries.
    dropped
        How many received alerts were dropped.
    results
        The result for each received alert, by fingerprint.
    """

    alerts: list[AlertState]
    dropped: int
    results: Mapping[str, Result]

    @property
    def changed(self) -> bool:
        """Return whether there is anything to write."""
        return any(result in ("stored", "refreshed", "overflow") for result in self.results.values())


def merge(stored: Sequence[AlertState], alerts: Iterable[ReceivedAlert], listener: Listener) -> Merged:
    """Return the stored entries with the received alerts of a TrainingJob. Fingerprints in `alerts` are distinct."""
    entries = {entry.fingerprint: entry for entry in stored}
    results: dict[str, Result] = {}
    unknown = []
    for alert in alerts:
        trigger = trigger_for(alert, listener)
        if trigger is None:
            results[alert.fingerprint] = "no_match"
        elif alert.fingerprint in entries:
            entry, result = _update(entries[alert.fingerprint], alert, trigger)
            entries[alert.fingerprint] = entry
            results[alert.fingerprint] = result
        else:
            # Known ones come first: an entry that is received again must not be replaced by a new one.
            unknown.append((alert, trigger))
    dropped = 0
    for alert, trigger in unknown:
        if alert.status == "resolved":
            # It is not known to fire, so there is nothing to resolve.
            results[alert.fingerprint] = "unchanged"
        elif not dropped and _make_room(entries, alert):
            entries[alert.fingerprint] = _entry(alert, trigger)
            results[alert.fingerprint] = "stored"
        else:
            dropped += 1
            results[alert.fingerprint] = "overflow"
    return Merged(list(entries.values()), dropped, results)


def _update(known: AlertState, alert: ReceivedAlert, trigger: Trigger) -> tuple[AlertState, Result]:
    age = alert.received_at - known.received_at
    if -REORDERED <= age < timedelta():
        return known, "unchanged"
    entry = _entry(alert, trigger)
    if (entry.status, entry.trigger, entry.labels) != (known.status, known.trigger, known.labels):
        return entry, "stored"
    if entry.status == "resolved" or abs(age) < REFRESH:
        return known, "unchanged"
    return entry, "refreshed"


def _make_room(entries: dict[str, AlertState], alert: ReceivedAlert) -> bool:
    if len(entries) < MAX_ALERTS and sum(map(_bytes_of_labels, entries.values())) < MAX_LABELS:
        return True
    replaceable = [
        entry
        for entry in entries.values()
        if entry.status == "resolved" or alert.received_at - entry.received_at >= STALE
    ]
    if not replaceable:
        return False
    oldest = min(replaceable, key=lambda entry: (entry.status != "resolved", entry.received_at))
    del entries[oldest.fingerprint]
    return True


def _bytes_of_labels(entry: AlertState) -> int:
    return stored_length("".join([entry.alertname, *entry.labels, *entry.labels.values()]))


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
