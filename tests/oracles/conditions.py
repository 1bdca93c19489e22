"""What `metav1.Condition` and `kubectl wait` ask of conditions, beyond what Flux does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_REASON = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")
_TYPE = re.compile(r"[A-Z][A-Za-z0-9]*")


def violations(obj: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> list[str]:
    """Return what is wrong with an object's conditions; `before` is the state that they replaced."""
    found = []
    conditions = obj.get("status", {}).get("conditions", ())
    types = [condition["type"] for condition in conditions]
    if len(set(types)) < len(types):
        found.append(f"a type appears twice: {types}")
    old = {}
    if before is not None and before["metadata"]["uid"] == obj["metadata"]["uid"]:
        old = {condition["type"]: condition for condition in before.get("status", {}).get("conditions", ())}
    for condition in conditions:
        type_ = condition["type"]
        if not _TYPE.fullmatch(type_) or not _REASON.fullmatch(condition["reason"]):
            found.append(f"{type_} or its reason {condition['reason']!r} is not in CamelCase")
        if condition["status"] not in ("True", "False", "Unknown"):
            found.append(f"{type_} is {condition['status']!r}")
        if condition.get("observedGeneration", -1) > obj["metadata"]["generation"]:
            found.append(f"{type_} speaks of a generation that does not exist yet")
        if type_ in old:
            # A time of a clock that was ahead is corrected: it goes back.
            moved = old[type_]["lastTransitionTime"] < condition["lastTransitionTime"]
            flipped = old[type_]["status"] != condition["status"]
            if moved and not flipped:
                found.append(f"lastTransitionTime of {type_} moved although its status did not change")
    return found
