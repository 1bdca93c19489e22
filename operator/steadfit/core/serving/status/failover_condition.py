"""What `Ready` and `Serving` report while another revision answers in place of the live one."""

from __future__ import annotations

from typing import Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core import names
from steadfit.core.conditions import DesiredCondition, ready, reconciling, stalled
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.pod_messages import of_revision
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.revisions import template_repair
from steadfit.core.serving.traffic import failover

SERVING: Final = "Serving"


def readiness(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> list[DesiredCondition]:
    """Return the readiness: the last good version with verified pods is a good one, any other is not known to be."""
    good = status.last_good is not None and status.last_good.revision == failover.answering(status, fleet)
    if found := doubt(status, fleet):
        tell = stalled if found.reason == template_repair.UNPROVEN else reconciling
        return tell(found.reason, f"{message(live, status, fleet)}; {found.message}")
    report = ready if good else reconciling
    return report("FailedOver", message(live, status, fleet))


def serving(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> DesiredCondition:
    """Return whether what answers serves: nobody knows it of pods that nobody has verified."""
    text, found = message(live, status, fleet), doubt(status, fleet)
    if found is not None:
        return DesiredCondition(SERVING, "Unknown", found.reason, f"{text}; {found.message}")
    return DesiredCondition(SERVING, "True", "FailedOver", text)


def doubt(status: ModelDeploymentStatus, fleet: Fleet) -> Problem | None:
    """Return why the pods that answer may not be those that were verified; None if they are."""
    revision = failover.answering(status, fleet)
    ref = next((one for one in (status.last_good, status.candidate) if one and one.revision == revision), None)
    if ref is None:
        return None
    if text := template_repair.unproven(ref, fleet):
        return Problem(template_repair.UNPROVEN, text)
    if text := template_repair.problem(ref, status, fleet):
        return Problem(template_repair.CHANGED, text)
    return None


def message(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return why which version answers, and what takes the traffic from it."""
    ready_pods, pods = fleet.ready_pods(live.revision), of_revision(live.revision, fleet)
    count = f"{ready_pods} of {fleet.desired_replicas} pods" if ready_pods else "no pod"
    verb = "are" if ready_pods else "is"
    why = f" ({pods.text})" if pods else ""
    number, then = answering_number(status, fleet), _then(live, status, fleet)
    return f"{count} of version {live.number} {verb} ready{why}, and version {number} answers every request{then}"


def answering_number(status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return the number of the version that answers in place of the live one."""
    revision = failover.answering(status, fleet)
    found = fleet.workload(revision) if revision else None
    return found.manifest["metadata"]["labels"][names.VERSION] if found else "unknown"


def _then(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return what takes the traffic from the version that answers: a person, the live version, or its replacement."""
    candidate = status.candidate
    if is_quarantined(live, status, fleet):
        return f"; version {candidate.number} replaces it" if candidate else ""
    if candidate is not None and candidate.revision == failover.answering(status, fleet):
        return f"; a Promote of version {candidate.number} makes it live"
    then = f"; version {live.number} takes the traffic again with {fleet.enough_pods} ready pods"
    if candidate is not None and failover.successor(status, fleet) == candidate.revision:
        then += f", or version {candidate.number} with as many"
    return then
