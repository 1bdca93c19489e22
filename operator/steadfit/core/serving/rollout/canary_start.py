"""How a revision enters a canary: as a candidate beside the champion, and into the traffic once nothing hinders it."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.rollout import Candidate, RevisionRef
from steadfit.api.strategy import Canary
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.pod_messages import of_revision
from steadfit.core.serving.traffic import pod_shares, route_condition, service, traffic_label


def update_candidate(stored: Candidate | None, wished: RevisionRef, live: RevisionRef, steps: Canary) -> Candidate:
    """Return the wished revision as the candidate beside what is live, where it stood if it was that already.

    Beside another champion nothing that was found holds, so it starts anew. After an edit of the steps it goes on at
    the one whose share is nearest to its own.
    """
    fields = {name: getattr(wished, name) for name in RevisionRef.model_fields}
    if stored is not None and stored.revision == wished.revision:
        fields["since"] = stored.since
    weights = [step.weight for step in steps.steps]
    if stored is None or stored.revision != wished.revision or stored.champion_revision != live.revision:
        return Candidate(**fields, champion_revision=live.revision, step=0, weight=weights[0])
    own = stored.weight or weights[0]
    step = min(range(len(weights)), key=lambda index: abs(weights[index] - own))
    fields |= {"step": step, "weight": weights[step]}
    if weights[step] != own:
        fields["step_since"] = None
    return stored.model_copy(update=fields)


def begin_analysis(candidate: Candidate, live: RevisionRef, fleet: Fleet, now: datetime) -> Candidate:
    """Return the candidate as it comes up; it is judged from the moment on in which it may take traffic."""
    hindrance = _hindrance(candidate, live, fleet)
    if hindrance:
        return candidate.model_copy(update={"phase": "Starting", "message": hindrance})
    since = dict.fromkeys(("step_since", "analysed_since", "undecided_since"), now)
    return candidate.model_copy(update={"phase": "Analysing", "message": "the traffic moves", **since})


def must_recreate(candidate: Candidate | None, fleet: Fleet) -> bool:
    """Return whether a candidate's pods cannot share the champion's traffic: then its Deployment is made anew.

    Labels are given at birth. What takes traffic already is left alone.
    """
    if candidate is None or candidate.champion_revision is None or pod_shares.by_gateway(fleet.observed.deployment):
        return False
    found = fleet.workload(candidate.revision)
    if found is None or traffic_label.has_label(found, candidate.champion_revision):
        return False
    return candidate.revision not in service.taking_traffic(fleet)


def _hindrance(candidate: Candidate, live: RevisionRef, fleet: Fleet) -> str:
    """Return what a candidate waits for before it takes traffic; empty when there is nothing left."""
    deployment = fleet.observed.deployment
    if fleet.desired_replicas == 0:
        return "it is tried once there are pods; spec.server.replicas is 0"
    if must_recreate(candidate, fleet):
        return f"its pods are made anew, so that they can share the traffic of version {live.number}"
    if not pod_shares.all_ready(candidate, fleet):
        return progress(candidate, fleet)
    if not pod_shares.by_gateway(deployment):
        strangers = traffic_label.other_revisions(live.revision, candidate.revision, fleet)
        if strangers:
            named = ", ".join(sorted(strangers))
            return f"waits until revision {named} has no pods any more: they would share the traffic too"
    if not service.is_prepared(live, candidate, fleet):
        return "its pods are ready; the Service is being prepared"
    return route_condition.hindrance(candidate, live, fleet) if pod_shares.by_gateway(deployment) else ""


def progress(candidate: Candidate, fleet: Fleet) -> str:
    """Return how far a candidate's pods are, and what they say."""
    pods = pod_shares.desired_pods(candidate, fleet.observed.deployment)
    count = f"{min(pods, fleet.ready_pods(candidate.revision))} of {pods} pods are ready"
    if not fleet.has_deployment(candidate.revision):
        return f"{count}: the Deployment is being created"
    said = of_revision(candidate.revision, fleet)
    return f"{count}: {said.text}" if said else count
