"""Conditions about a candidate: its progress, and whether clients follow the shares of the traffic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate, Verdict
from steadfit.core.conditions import DesiredCondition
from steadfit.core.reasons.catalogue import ReasonWord
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.pod_messages import of_revision
from steadfit.core.serving.rollout import canary_messages, clocks
from steadfit.core.serving.traffic import drain, pod_shares
from steadfit.core.text import time_text

CONNECTION_DRAINING: Final = "ConnectionDraining"


def progress(candidate: Candidate, fleet: Fleet, *, held: bool) -> tuple[ReasonWord, str]:
    """Return reason and message of a candidate's progress; `held` is whether the failures of its servers hold it."""
    pods = of_revision(candidate.revision, fleet)
    failing: ReasonWord | None = "Unstable" if held else "CandidateFailing" if pods and pods.failing else None
    version = f"version {candidate.number}"
    if candidate.phase == "Starting":
        return failing or "CandidateStarting", f"{version} comes up: {candidate.message}"
    if candidate.phase == "Promoting":
        by = f"by {candidate.promoted_by}" if candidate.promoted_by else "by the analysis"
        return failing or "Promoting", f"{version} was promoted {by} and gets all of its pods: {candidate.message}"
    reason: ReasonWord = "CanaryPaused" if candidate.phase == "Paused" else "CanaryAnalysing"
    if candidate.stopped_by in clocks.OUT_OF_FORCE:
        reason = "ShareNotInForce"
    few = [verdict for verdict in candidate.verdicts if _has_few_samples(verdict)]
    if few and reason == "CanaryAnalysing":
        reason = "AwaitingSamples"
    parts = [f"{version} {canary_messages.position(candidate, fleet)}", candidate.message, _counted(few)]
    return failing or reason, "; ".join(filter(None, parts))


def _has_few_samples(verdict: Verdict) -> bool:
    """Return whether a metric is measured on both arms and has no verdict for want of samples."""
    return verdict.verdict == "NoData" and None not in (verdict.samples, verdict.champion_samples)


def _counted(few: Sequence[Verdict]) -> str:
    """Return how many samples there are of metrics that have too few, by the numbers that are stored once a minute."""
    if not few:
        return ""
    counts = [f"{one.name} {one.samples} of the candidate, {one.champion_samples} of the champion" for one in few]
    return f"at {time_text(max(one.at for one in few))}: {'; '.join(counts)}"


def conditions(status: ModelDeploymentStatus, fleet: Fleet) -> list[DesiredCondition]:
    """Return whether clients follow the shares of the traffic, or may stay with pods that the Service has left."""
    deployment = fleet.observed.deployment
    spec = deployment.spec
    if drain.supported(deployment):
        message = "the servers close their clients' connections when the traffic leaves them"
        return [DesiredCondition(CONNECTION_DRAINING, "True", "DrainSupported", message)]
    canary = spec.strategy is not None and spec.strategy.canary is not None
    if not canary or status.live is None or pod_shares.by_gateway(deployment):
        message = "no canary shares the traffic by Service"
        return [DesiredCondition(CONNECTION_DRAINING, "True", "DrainNotNeeded", message)]
    return [
        DesiredCondition(
            CONNECTION_DRAINING,
            "False",
            "DrainNotSupported",
            "the server's image does not close its clients' connections when its pod is annotated to drain, so a client"
            " that keeps its connection stays with its pod: the canary's shares hold for new connections only; set"
            " spec.server.drains if the image does, or spec.traffic.gatewayAPI",
        )
    ]
