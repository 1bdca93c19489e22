"""The condition MetricsAvailable: whether what the operator measures has data.

It does not change `Ready`: a model serves without monitoring as well. It is `True` while nothing is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from steadfit.api.base import Condition
from steadfit.api.rollout import Candidate
from steadfit.core.conditions import DesiredCondition
from steadfit.core.reasons.catalogue import ReasonWord, is_reason

from .evaluation import NO_DATA, MonitorResult

METRICS_AVAILABLE: Final = "MetricsAvailable"


def conditions(
    results: Sequence[MonitorResult], stored: Sequence[Condition], candidate: Candidate | None = None
) -> list[DesiredCondition]:
    """Return the condition; the first monitor without data gives the reason, all of them the message.

    The analysis of a candidate comes first, because a rollout waits for it.
    """
    verdicts = candidate.verdicts if candidate and candidate.promoted_by is None else []
    if not results and not verdicts:
        message = "no monitor and no analysis measures anything"
        return [DesiredCondition(METRICS_AVAILABLE, "True", "NothingMeasured", message)]
    unknown = [verdict for verdict in verdicts if verdict.verdict == NO_DATA]
    without_data = [result for result in results if result.state.phase == NO_DATA]
    if not without_data and not unknown:
        names = ", ".join([*(verdict.name for verdict in verdicts), *(result.state.name for result in results)])
        return [DesiredCondition(METRICS_AVAILABLE, "True", "Available", f"measured: {names}")]
    parts = [f"{result.state.name}: {result.state.message}" for result in without_data]
    if candidate and unknown:
        by_message: dict[str, list[str]] = {}
        for verdict in unknown:
            by_message.setdefault(verdict.message, []).append(verdict.name)
        causes = "; ".join(f"{message} ({', '.join(names)})" for message, names in by_message.items())
        parts.insert(0, f"the analysis of version {candidate.number} has no data: {causes}")
    reason = "NoAnalysisData" if unknown else without_data[0].code or _stored_reason(stored)
    return [DesiredCondition(METRICS_AVAILABLE, "False", reason, "; ".join(parts))]


def _stored_reason(stored: Sequence[Condition]) -> ReasonWord:
    """Return the reason that an earlier process wrote; this one has not measured yet."""
    place = f"ModelDeployment/{METRICS_AVAILABLE}"
    reasons = (one.reason for one in stored if one.type == METRICS_AVAILABLE and one.status == "False")
    return next((reason for reason in reasons if is_reason(reason, place)), "NotMeasured")
