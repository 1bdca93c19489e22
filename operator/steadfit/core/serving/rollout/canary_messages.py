"""Messages about a canary."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate, RevisionRef
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.pod_messages import of_revision
from steadfit.core.serving.traffic import pod_shares, share_in_force
from steadfit.core.text import time_text

from . import canary_start, clocks
from .analysis import Finding

PROMOTED = "every metric passed"
NEXT_STEP = "every metric passed; the pods of the next step come up"
_PERSON = "waits for a Promote or an Abort"


def position(candidate: Candidate, fleet: Fleet) -> str:
    """Return the share of a candidate that is in force, its step, and the step's weight if that is another one."""
    deployment = fleet.observed.deployment
    spec = deployment.spec.strategy
    steps = len(spec.canary.steps) if spec and spec.canary else 0
    step = f"step {(candidate.step or 0) + 1} of {max(steps, (candidate.step or 0) + 1)}"
    problem = share_in_force.problem(candidate, fleet)
    if candidate.actual_weight is None and problem is not None and fleet.desired_replicas:
        return f"is to take {candidate.weight} % of the traffic ({step}), which is not in force: {problem.message}"
    if candidate.weight != candidate.actual_weight:
        step += f" has weight {candidate.weight} %"
    if pod_shares.by_gateway(deployment):
        return f"takes {candidate.actual_weight} % of the traffic ({step})"
    if fleet.desired_replicas == 0:
        return f"takes no traffic ({step})"
    pods = pod_shares.desired_pods(candidate, deployment)
    return f"takes {candidate.actual_weight} % of the traffic ({step}, {pods} of {pods + fleet.desired_replicas} pods)"


def waiting(candidate: Candidate, finding: Finding, pause: datetime | None, fleet: Fleet) -> str:
    """Return what a candidate that takes traffic waits for."""
    parts = [canary_start.NO_REPLICAS] if fleet.desired_replicas == 0 else []
    pods = of_revision(candidate.revision, fleet)
    if pods is not None:
        parts.append(pods.text)
    if finding.outcome != "Pass":
        parts.append(finding.sentence)
    elif candidate.step_since is None:
        parts.append(f"every metric passed; waits for the {_lacks(candidate, fleet)} of this step")
    elif candidate.stopped_by in clocks.OUT_OF_FORCE:
        parts.append("every metric passed; waits for the share of this step")
    elif pause is not None:
        parts.append(f"every metric passed; the step's pause ends at {time_text(pause)}")
    return "; ".join(parts)


def _lacks(candidate: Candidate, fleet: Fleet) -> str:
    return "share" if pod_shares.all_ready(candidate, fleet) else "pods"


def promoting(candidate: Candidate, finding: Finding, status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return what a promoted candidate waits for: its pods, and verdicts that it has lost since."""
    parts = [] if pod_shares.all_ready(candidate, fleet) else [canary_start.progress(candidate, status, fleet)]
    return "; ".join(parts if finding.outcome == "Pass" else [*parts, finding.sentence])


def answering_alone(candidate: Candidate, live: RevisionRef) -> str:
    """Return why a candidate that answers in place of its champion is not compared, and what a person can do."""
    return (
        f"no pod of version {live.number} is ready, so it answers every request and is compared with nothing; a Promote"
        f" of version {candidate.number} makes it live"
    )


def failed(candidate: Candidate, live: RevisionRef, finding: Finding, fleet: Fleet) -> str:
    """Return why a candidate is rolled back."""
    share = share_in_force.share(candidate, fleet)
    taken = "an unknown share" if share is None else f"{share} %"
    return f"worse than version {live.number} at {taken} of the traffic: {finding.sentence}"


def dry_run(finding: Finding) -> str:
    """Return why a failed candidate is paused in a dry run, and for how long."""
    return (
        f"it would be rolled back and quarantined, but spec.dryRun is set: {finding.sentence}; it keeps its share while"
        " the metric fails"
    )


def paused(finding: Finding, longest: str) -> str:
    """Return what a candidate waits for that is paused for want of a verdict."""
    if finding.outcome == "Pass":
        return f"every metric passes now; {_PERSON}"
    return f"{without_verdict(finding, longest)}; {_PERSON}"


def without_verdict(finding: Finding, longest: str) -> str:
    """Return why a candidate is abandoned or paused."""
    against = f"; against it: {finding.against}" if finding.against else ""
    return f"no verdict within {longest}: {finding.sentence.removeprefix('waits for ')}{against}"


def at_deadline(deadline: datetime, on_inconclusive: str) -> str:
    """Return what happens to a candidate without a verdict at the end of maxDuration."""
    then = {"Pause": "it is paused", "Promote": "it is promoted if nothing speaks against it, else abandoned"}
    return f"without a verdict by {time_text(deadline)} {then.get(on_inconclusive, 'it is abandoned')}"


def nothing_against(longest: str) -> str:
    """Return why a candidate is promoted without a verdict."""
    return f"no verdict within {longest}, nothing speaks against it, and onInconclusive is Promote"
