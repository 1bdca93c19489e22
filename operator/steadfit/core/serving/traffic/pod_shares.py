"""From a share of the traffic to pods, and back.

A Service spreads connections evenly over pods, so a share is a number of pods: the champion keeps all of its own, and
the candidate gets as many as bring it nearest to the share. Few pods express few shares, and what is really given is
told. A Gateway shares out by weights; then the candidate's pods only have to bear its share.
"""

from __future__ import annotations

import math

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.rollout import Candidate
from steadfit.core.serving.fleet import Fleet


def by_gateway(deployment: ModelDeployment) -> bool:
    """Return whether Gateways share out the traffic, and not a Service."""
    return deployment.spec.traffic is not None


def pods_for_weight(weight: int, deployment: ModelDeployment) -> int:
    """Return how many pods a candidate needs for a share of the traffic, in per cent; none while there are none."""
    champion = deployment.spec.server.replicas
    if by_gateway(deployment):
        return math.ceil(champion * weight / 100)
    return min(champion, max(1, int(champion * weight / (100 - weight) + 0.5)))


def desired_pods(candidate: Candidate, deployment: ModelDeployment) -> int:
    """Return how many pods a candidate is asked for: those of its step, and all of them once it is let through."""
    if candidate.champion_revision is None or candidate.weight is None or candidate.phase == "Promoting":
        return deployment.spec.server.replicas
    return pods_for_weight(candidate.weight, deployment)


def share(candidate: Candidate, deployment: ModelDeployment) -> int | None:
    """Return the share of the traffic that a candidate's pods are given, in per cent; None outside of a canary."""
    if candidate.champion_revision is None:
        return None
    if by_gateway(deployment):
        return candidate.weight
    pods, champion = desired_pods(candidate, deployment), deployment.spec.server.replicas
    return round(100 * pods / (pods + champion)) if champion else None


def all_ready(candidate: Candidate, fleet: Fleet) -> bool:
    """Return whether all pods that a candidate is asked for are ready."""
    pods = desired_pods(candidate, fleet.observed.deployment)
    return pods > 0 and fleet.is_complete(candidate.revision, pods)
