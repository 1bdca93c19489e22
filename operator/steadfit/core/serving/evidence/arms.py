"""Both arms of the evidence, in the shape that messages and statuses show."""

from __future__ import annotations

from steadfit.core.types import Arm

from .evidence import Evidence
from .harm import design_effect
from .sums import Sums


def arms(evidence: Evidence) -> tuple[Arm, Arm] | None:
    """Return the candidate and the champion over the seconds of both; None if there are none yet."""
    candidate, champion = evidence.candidate, evidence.champion
    if not candidate.requests:
        return None
    effect = design_effect(candidate, champion)
    return _arm(candidate, effect), _arm(champion, effect)


def _arm(sums: Sums, effect: float) -> Arm:
    return Arm(sums.requests, sums.bad / sums.requests, sums.variance * effect)
