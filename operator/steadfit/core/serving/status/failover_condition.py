"""What `Ready` and `Serving` report while another revision answers in place of the live one."""

from __future__ import annotations

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core import names
from steadfit.core.conditions import DesiredCondition, ready, reconciling
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.pod_messages import of_revision
from steadfit.core.serving.traffic import failover


def readiness(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> list[DesiredCondition]:
    """Return the readiness: the last good version is a good one, any other is not known to be."""
    good = status.last_good is not None and status.last_good.revision == failover.answering(status, fleet)
    report = ready if good else reconciling
    return report("FailedOver", message(live, status, fleet))


def message(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return why which version answers, and what makes it live."""
    revision, candidate = failover.answering(status, fleet), status.candidate
    found = fleet.workload(revision) if revision else None
    number = found.manifest["metadata"]["labels"][names.VERSION] if found else "unknown"
    pods = of_revision(live.revision, fleet)
    why = f" ({pods.text})" if pods else ""
    then = f"a Promote of version {number} makes it live"
    if candidate is None or candidate.revision != revision:
        then = f"version {live.number} takes the traffic again with its pods"
    return f"no pod of version {live.number} is ready{why}, and version {number} answers every request; {then}"
