"""A candidate that was found worse and is still there, as in a dry run, when spec.strategy loses its canary.

No edit promotes it: without a canary it would take all of the traffic as soon as its pods are ready.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.serving import quarantine
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.selection import abandoned, pin

from .canary import BY


def end(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
    """Return the status without a candidate that failed its canary and has none any more.

    It is quarantined, or in a dry run abandoned. What a person has pinned or promoted stays.
    """
    spec, live, candidate = fleet.observed.deployment.spec, status.live, status.candidate
    if live is None or candidate is None or candidate.champion_revision != live.revision:
        return status
    if candidate.promoted_by or status.promoted or pin.effective_pin(status, fleet):
        return status
    failed = [verdict.message for verdict in candidate.verdicts if verdict.verdict == "Fail"]
    if not failed or (spec.strategy is not None and spec.strategy.canary is not None):
        return status
    reason = f"it was found worse before spec.strategy lost its canary: {'; '.join(failed)}"
    if spec.dry_run:
        return abandoned.enter(status, candidate, reason=reason, by=BY, now=now)
    entered = quarantine.enter(status, bad=candidate, good=live, reason=reason, by=BY, now=now)
    return entered.model_copy(update={"candidate": None})
