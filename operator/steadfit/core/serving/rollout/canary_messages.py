"""How a canary is told of in sentences."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.rollout import Candidate, RevisionRef
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.pod_messages import of_revision
from steadfit.core.serving.traffic import pod_shares
from steadfit.core.text import time_text

from .analysis import Finding

LET_THROUGH = "every metric passed"
NEXT_STEP = "every metric passed; the pods of the next step come up"
_PERSON = "waits for a Promote or an Abort"


def position(candidate: Candidate, fleet: Fleet) -> str:
    """Return which share a candidate takes, and which its step asks for: few pods express few shares."""
    deployment = fleet.observed.deployment
    spec = deployment.spec.strategy
    steps = len(spec.canary.steps) if spec and spec.canary else 0
    step = f"step {(candidate.step or 0) + 1} of {max(steps, (candidate.step or 0) + 1)}"
    if candidate.weight != candidate.actual_weight:
        step += f" asks for {candidate.weight} %"
    if pod_shares.by_gateway(deployment):
        return f"takes {candidate.actual_weight} % of the traffic ({step})"
    pods = pod_shares.desired_pods(candidate, deployment)
    taken = f"{candidate.actual_weight} %" if candidate.actual_weight is not None else "none"
    return f"takes {taken} of the traffic ({step}, {pods} of {pods + fleet.desired_replicas} pods)"


def waits(candidate: Candidate, finding: Finding, pause: datetime | None, fleet: Fleet) -> str:
    """Return what a candidate that takes traffic waits for."""
    parts = []
    said = of_revision(candidate.revision, fleet)
    if said is not None:
        parts.append(said.text)
    if finding.outcome != "Pass":
        parts.append(finding.sentence)
    elif candidate.step_since is None:
        parts.append("every metric passed; waits for the pods of this step")
    elif pause is not None:
        parts.append(f"every metric passed; the step's pause ends at {time_text(pause)}")
    return "; ".join(parts)


def failed(candidate: Candidate, live: RevisionRef, finding: Finding, fleet: Fleet) -> str:
    """Return why a candidate is put back."""
    share = pod_shares.share(candidate, fleet.observed.deployment)
    return f"worse than version {live.number} at {share} % of the traffic: {finding.sentence}"


def only_told(finding: Finding) -> str:
    """Return what a candidate that fails waits for while nothing follows by itself."""
    return f"it would be put back and into quarantine, but spec.dryRun is set: {finding.sentence}; {_PERSON}"


def paused(finding: Finding, longest: str) -> str:
    """Return what a candidate without a verdict waits for."""
    if finding.outcome == "Pass":
        return f"every metric passes by now; {_PERSON}"
    return f"{without_verdict(finding, longest)}; {_PERSON}"


def without_verdict(finding: Finding, longest: str) -> str:
    """Return why a candidate goes no further."""
    return f"no verdict within {longest}: {finding.sentence.removeprefix('waits for ')}"
