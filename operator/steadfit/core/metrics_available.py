"""The condition MetricsAvailable: whether what the operator measures has data.

It does not touch `Ready`: a model serves as well without being watched. It is there only where something is watched.
"""

from __future__ import annotations

from collections.abc import Sequence

from steadfit.api.base import Condition

from .conditions import Wish
from .monitor import NO_DATA, Watched

METRICS_AVAILABLE = "MetricsAvailable"


def wishes(watched: Sequence[Watched], stored: Sequence[Condition]) -> list[Wish]:
    """Return the condition; the first monitor without data gives the reason, all of them the message."""
    if not watched:
        return []
    blind = [one for one in watched if one.state.phase == NO_DATA]
    if not blind:
        names = ", ".join(one.state.name for one in watched)
        return [Wish(METRICS_AVAILABLE, "True", "Available", f"measured: {names}")]
    message = "; ".join(f"{one.state.name}: {one.state.message}" for one in blind)
    return [Wish(METRICS_AVAILABLE, "False", blind[0].code or _reason_before(stored), message)]


def _reason_before(stored: Sequence[Condition]) -> str:
    """Return the reason that an earlier process gave, while this one has not looked yet."""
    reasons = [one.reason for one in stored if one.type == METRICS_AVAILABLE and one.status == "False"]
    return reasons[0] if reasons else "NotMeasured"
