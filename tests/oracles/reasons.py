"""What the catalogue of reasons promises of the conditions and Events of our objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from steadfit.core.reasons.catalogue import CATALOGUE
from steadfit.core.reasons.condition_types import CONDITION_TYPES, ConditionType
from steadfit.core.types import Event

_SHOWN_AS_READY = ("Finished", "Reconciling", "Stalled")


def violations(kind: str, status: Mapping[str, Any]) -> list[str]:
    """Return which conditions of an object's status are not in the catalogue, by type or by reason."""
    found = []
    for condition in status.get("conditions", ()):
        type_, reason = condition["type"], condition["reason"]
        if type_ not in CONDITION_TYPES or kind not in CONDITION_TYPES[cast(ConditionType, type_)].kinds:
            found.append(f"the catalogue has no condition {type_} of a {kind}")
            continue
        place = f"{kind}/{'Ready' if type_ in _SHOWN_AS_READY else type_}"
        if reason not in CATALOGUE or place not in CATALOGUE[reason].conditions:
            found.append(f"the catalogue has no reason {reason} of {place}")
    return found


def event_violations(kind: str, event: Event) -> list[str]:
    """Return whether an Event on a kind is not in the catalogue."""
    entry = CATALOGUE.get(event.reason)
    kinds = () if entry is None else entry.normal if event.type == "Normal" else entry.warning
    return [] if kind in kinds else [f"the catalogue has no {event.type} Event {event.reason} of a {kind}"]
