"""Which alerts match which TrainingJob, and by which of its triggers.

An alert matches TrainingJobs of the namespace in its label `namespace` only, so that it cannot train the model of
another team. Every trigger matches one value of the label `model`, by default the TrainingJob's name. TrainingJobs are
indexed by it, so that ten thousand alerts are ten thousand look-ups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from steadfit.api.trainingjob import Trigger


@dataclass(frozen=True, slots=True)
class ReceivedAlert:
    """One alert, as Alertmanager sent it."""

    fingerprint: str
    status: Literal["firing", "resolved"]
    labels: Mapping[str, str]
    starts_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Listener:
    """A TrainingJob and its triggers."""

    namespace: str
    name: str
    triggers: Sequence[Trigger]


Listeners = Mapping[str, Sequence[Listener]]
"""TrainingJobs of one namespace, by the values of the label `model` that their triggers match."""


def by_model(listeners: Iterable[Listener]) -> dict[str, list[Listener]]:
    """Return the TrainingJobs by the values of `model` that their triggers match; none without an alert trigger."""
    index: dict[str, list[Listener]] = {}
    for listener in listeners:
        alerts = [trigger.alert for trigger in listener.triggers if trigger.alert is not None]
        # A dict is an ordered set: a TrainingJob appears once, however many of its triggers match.
        for model in dict.fromkeys(alert.match_labels.get("model", listener.name) for alert in alerts):
            index.setdefault(model, []).append(listener)
    return index


def reached(alert: ReceivedAlert, listeners: Listeners) -> list[Listener]:
    """Return the TrainingJobs that an alert matches."""
    candidates = listeners.get(alert.labels.get("model", ""), ())
    return [listener for listener in candidates if trigger_for(alert, listener) is not None]


def trigger_for(alert: ReceivedAlert, listener: Listener) -> Trigger | None:
    """Return the first trigger of a TrainingJob that an alert matches, or None."""
    if alert.labels.get("namespace") != listener.namespace:
        return None
    for trigger in listener.triggers:
        if trigger.alert is None:
            continue
        wanted = {"model": listener.name, **trigger.alert.match_labels}
        if wanted.items() <= alert.labels.items():
            return trigger
    return None
