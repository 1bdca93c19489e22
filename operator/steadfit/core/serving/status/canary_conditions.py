"""What conditions say of a candidate: where it stands, and whether the shares of the traffic can be believed."""

from __future__ import annotations

from typing import Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate
from steadfit.core.conditions import DesiredCondition
from steadfit.core.reasons.catalogue import ReasonWord
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.pod_messages import of_revision
from steadfit.core.serving.rollout import canary_messages
from steadfit.core.serving.traffic import drain, pod_shares

CONNECTIONS_MOVE: Final = "ConnectionsMove"


def progress(candidate: Candidate, fleet: Fleet) -> tuple[ReasonWord, str]:
    """Return reason and sentence of what a candidate is at."""
    said = of_revision(candidate.revision, fleet)
    failing: ReasonWord | None = "CandidateFailing" if said and said.failing else None
    named = f"version {candidate.number}"
    if candidate.phase == "Starting":
        return failing or "CandidateStarting", f"{named} comes up: {candidate.message}"
    if candidate.phase == "Promoting":
        by = f"by {candidate.promoted_by}" if candidate.promoted_by else "by the analysis"
        return failing or "Promoting", f"{named} was let through {by} and comes up in full: {candidate.message}"
    reason: ReasonWord = "CanaryPaused" if candidate.phase == "Paused" else "CanaryAnalysing"
    sentence = f"{named} {canary_messages.position(candidate, fleet)}"
    return failing or reason, f"{sentence}; {candidate.message}" if candidate.message else sentence


def conditions(status: ModelDeploymentStatus, fleet: Fleet) -> list[DesiredCondition]:
    """Return the condition that is there while clients may stay with pods that the traffic has left."""
    deployment = fleet.observed.deployment
    spec = deployment.spec
    if spec.strategy is None or spec.strategy.canary is None or status.live is None:
        return []
    if pod_shares.by_gateway(deployment) or drain.supported(deployment):
        return []
    return [
        DesiredCondition(
            CONNECTIONS_MOVE,
            "False",
            "ServerDoesNotDrain",
            "the server's image does not close its clients' connections when it is told to, so a client that keeps its"
            " connection stays with its pod: the canary's shares hold for new connections alone; set"
            " spec.server.drains if it does, or spec.traffic.gatewayAPI",
        )
    ]
