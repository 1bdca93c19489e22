"""The condition MetricsAvailable: whether what the operator measures has data.

It does not touch `Ready`: a model serves as well without being watched. It is there only where something is watched.
"""

from __future__ import annotations

from collections.abc import Sequence

from steadfit.api.base import Condition
from steadfit.api.rollout import Candidate
from steadfit.core.conditions import DesiredCondition

from .evaluation import NO_DATA, Watched

METRICS_AVAILABLE = "MetricsAvailable"


def conditions(
    watched: Sequence[Watched], stored: Sequence[Condition], candidate: Candidate | None = None
) -> list[DesiredCondition]:
    """Return the condition; the first monitor without data gives the reason, all of them the message.

    The analysis of a candidate is told of first: a rollout waits for it.
    """
    verdicts = candidate.verdicts if candidate and candidate.phase in ("Analysing", "Paused") else []
    if not watched and not verdicts:
        return []
    unknown = [verdict for verdict in verdicts if verdict.verdict == NO_DATA]
    blind = [one for one in watched if one.state.phase == NO_DATA]
    if not blind and not unknown:
        names = ", ".join([*(verdict.name for verdict in verdicts), *(one.state.name for one in watched)])
        return [DesiredCondition(METRICS_AVAILABLE, "True", "Available", f"measured: {names}")]
    said = [f"{one.state.name}: {one.state.message}" for one in blind]
    if candidate and unknown:
        reasons: dict[str, list[str]] = {}
        for verdict in unknown:
            reasons.setdefault(verdict.message, []).append(verdict.name)
        words = "; ".join(f"{message} ({', '.join(names)})" for message, names in reasons.items())
        said.insert(0, f"the analysis of version {candidate.number} has no data: {words}")
    reason = "AnalysisWithoutData" if unknown else blind[0].code or _reason_before(stored)
    return [DesiredCondition(METRICS_AVAILABLE, "False", reason, "; ".join(said))]


def _reason_before(stored: Sequence[Condition]) -> str:
    """Return the reason that an earlier process gave, while this one has not looked yet."""
    reasons = [one.reason for one in stored if one.type == METRICS_AVAILABLE and one.status == "False"]
    return reasons[0] if reasons else "NotMeasured"
