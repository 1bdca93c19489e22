"""When conditions are there: each type always, or only while it is `True`, as kstatus reads Reconciling and Stalled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steadfit.core.reasons.condition_types import CONDITION_TYPES


def violations(kind: str, status: Mapping[str, Any]) -> list[str]:
    """Return which conditions an object of ours lacks once a pass has written its status, or has without need."""
    conditions = {one["type"]: one["status"] for one in status.get("conditions", ())}
    if not conditions:
        return []
    of_kind = {name: one for name, one in CONDITION_TYPES.items() if kind in one.kinds}
    lacks = [f"{kind} lacks {name}" for name, one in of_kind.items() if one.always and name not in conditions]
    return lacks + [
        f"{name} of {kind} is {conditions[name]}, and should be absent"
        for name, one in of_kind.items()
        if not one.always and conditions.get(name, "True") != "True"
    ]
