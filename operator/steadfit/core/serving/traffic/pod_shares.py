"""Conversion between a share of the traffic and a number of pods.

A Service spreads connections evenly over pods. The champion keeps all of its pods, and the candidate gets the number
of pods that comes nearest to the share. Few pods can express few shares only, so the status shows the actual one. A
Gateway splits requests by weight; then the candidate needs only enough pods for its share.
"""

from __future__ import annotations

import math

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.rollout import Candidate
from steadfit.core.serving.fleet import Fleet


def by_gateway(deployment: ModelDeployment) -> bool:
    """Return whether Gateways split the traffic, and not the Service."""
    return deployment.spec.traffic is not None


def pods_for_weight(weight: int, deployment: ModelDeployment) -> int:
    """Return the number of pods of a candidate with this weight, in per cent; 0 while spec.server.replicas is 0."""
    champion = deployment.spec.server.replicas
    if by_gateway(deployment):
        return math.ceil(champion * weight / 100)
    return min(champion, max(1, int(champion * weight / (100 - weight) + 0.5)))


def desired_pods(candidate: Candidate, deployment: ModelDeployment) -> int:
    """Return the desired number of pods of a candidate: those of its step, and all of them once it is promoted."""
    if candidate.champion_revision is None or candidate.weight is None or candidate.phase == "Promoting":
        return deployment.spec.server.replicas
    return pods_for_weight(candidate.weight, deployment)


def all_ready(candidate: Candidate, fleet: Fleet) -> bool:
    """Return whether a candidate has all of its desired pods, and all are ready."""
    pods = desired_pods(candidate, fleet.observed.deployment)
    return pods > 0 and fleet.is_complete(candidate.revision, pods)
