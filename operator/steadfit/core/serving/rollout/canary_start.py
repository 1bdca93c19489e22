"""Start of a canary: the candidate's fields, its pods, and what it waits for before it takes traffic."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate, RevisionRef
from steadfit.api.strategy import Canary
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.pod_messages import of_revision
from steadfit.core.serving.quarantine import is_removed
from steadfit.core.serving.stability.instability import Instability
from steadfit.core.serving.traffic import failover, pod_shares, route_condition, service, traffic_label

NO_REPLICAS = "it starts once there are pods; spec.server.replicas is 0"
BEING_RELEASED = (
    "its pods start once the note of its quarantine is deleted from the store; the condition QuarantineStored of its"
    " ModelVersion says what that waits for"
)


def update_candidate(stored: Candidate | None, desired: RevisionRef, live: RevisionRef, steps: Canary) -> Candidate:
    """Return the desired revision as the candidate beside the live one, at the stored step if it is the same.

    Beside another champion it starts again, as its verdicts do not apply. After an edit of the steps it continues at
    the step with the nearest weight.
    """
    fields = {name: getattr(desired, name) for name in RevisionRef.model_fields}
    if stored is not None and stored.revision == desired.revision:
        fields["since"] = stored.since
    weights = [step.weight for step in steps.steps]
    if stored is None or stored.revision != desired.revision or stored.champion_revision != live.revision:
        return Candidate(**fields, champion_revision=live.revision, step=0, weight=weights[0])
    own = stored.weight or weights[0]
    step = min(range(len(weights)), key=lambda index: abs(weights[index] - own))
    fields |= {"step": step, "weight": weights[step]}
    if weights[step] != own:
        fields["step_since"] = None
    return stored.model_copy(update=fields)


def begin_analysis(
    candidate: Candidate,
    live: RevisionRef,
    status: ModelDeploymentStatus,
    unstable: Instability | None,
    fleet: Fleet,
    now: datetime,
) -> Candidate:
    """Return the candidate with what it waits for, or in phase Analysing if it waits for nothing."""
    hindrance = _hindrance(candidate, live, status, fleet)
    if not hindrance and unstable and unstable.blocks:
        hindrance = unstable.hold
    if hindrance:
        return candidate.model_copy(update={"phase": "Starting", "message": hindrance})
    since = dict.fromkeys(("analysed_since", "inconclusive_since"), now)
    return candidate.model_copy(update={"phase": "Analysing", "message": "the traffic is being moved", **since})


def waits_for_champion(status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether the candidate could begin its canary, and no pod of its champion is ready: it would answer all."""
    candidate, live = status.candidate, status.live
    if candidate is None or live is None or candidate.phase != "Starting" or candidate.champion_revision is None:
        return False
    if fleet.desired_replicas == 0 or fleet.ready_pods(live.revision) > 0:
        return False
    return pod_shares.all_ready(candidate, fleet) and failover.successor(status, fleet) != candidate.revision


def must_recreate(candidate: Candidate | None, fleet: Fleet) -> bool:
    """Return whether the Deployment of a candidate lacks the champion's traffic label, and must be recreated.

    The pod template of a Deployment never changes. A candidate that takes traffic already keeps its Deployment.
    """
    if candidate is None or candidate.champion_revision is None or pod_shares.by_gateway(fleet.observed.deployment):
        return False
    found = fleet.workload(candidate.revision)
    if found is None or traffic_label.has_label(found, candidate.champion_revision):
        return False
    return candidate.revision not in service.taking_traffic(fleet)


def _hindrance(candidate: Candidate, live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return what a candidate waits for before it takes traffic; empty if nothing."""
    deployment = fleet.observed.deployment
    if fleet.desired_replicas == 0:
        return NO_REPLICAS
    if must_recreate(candidate, fleet):
        return f"its pods are recreated, so that they can share the traffic of version {live.number}"
    alone = failover.successor(status, fleet) == candidate.revision
    if alone and not fleet.has_enough(candidate.revision):
        return f"{fleet.ready_pods(candidate.revision)} of {fleet.desired_replicas} pods are ready; {_replaces(fleet)}"
    if not alone and not pod_shares.all_ready(candidate, fleet):
        return progress(candidate, status, fleet)
    if not alone and fleet.ready_pods(live.revision) == 0:
        return f"its pods are ready; it takes no traffic while no pod of version {live.number} is ready"
    if not alone and not pod_shares.by_gateway(deployment):
        others = traffic_label.other_revisions(live.revision, candidate.revision, fleet)
        if others:
            listed = ", ".join(sorted(others))
            return f"waits until revision {listed} has no pods any more: they would share the traffic too"
    if not service.is_prepared(live, candidate, fleet):
        return "its pods are ready; the Service is being prepared"
    return route_condition.hindrance(candidate, live, fleet) if pod_shares.by_gateway(deployment) else ""


def _replaces(fleet: Fleet) -> str:
    return f"with {fleet.enough_pods} of them it answers, as no pod of the live version is ready"


def is_being_released(candidate: Candidate, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether the note of a candidate's quarantine is not deleted from the store yet: its servers would end."""
    items = (item for item in status.released if item.digest == candidate.digest)
    return any(not is_removed(item, fleet) for item in items) and fleet.ready_pods(candidate.revision) == 0


def progress(candidate: Candidate, status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return the number of ready pods of a candidate, and why the others are not ready."""
    pods = pod_shares.desired_pods(candidate, fleet.observed.deployment)
    if pods == 0:
        return NO_REPLICAS
    if is_being_released(candidate, status, fleet):
        return BEING_RELEASED
    count = f"{min(pods, fleet.ready_pods(candidate.revision))} of {pods} pods are ready"
    message = of_revision(candidate.revision, fleet)
    if message is None and not fleet.has_deployment(candidate.revision):
        return f"{count}: the Deployment is being created"
    waits = [message.text if message else "", service.taken(status, fleet)]
    return ": ".join(filter(None, (count, "; ".join(filter(None, waits)))))
