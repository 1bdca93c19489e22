"""Failover: while no pod of the live revision is ready, another revision with ready pods answers in its place.

It moves traffic and decides nothing else: the status keeps its live revision, which takes the traffic again once it
can.
"""

from __future__ import annotations

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined

from . import service


def stand_in(status: ModelDeploymentStatus, fleet: Fleet) -> str | None:
    """Return the revision that answers in place of the live one; None while a pod of that is ready, or no other is.

    The first that applies: one that takes traffic already, the last good one, the candidate. A candidate of a canary
    has to take traffic already, as it is not judged before. Nothing in quarantine gets traffic; what has it, and
    answers alone, keeps it.
    """
    live = status.live
    if live is None or fleet.desired_replicas == 0 or fleet.ready_pods(live.revision) > 0:
        return None
    candidate = status.candidate
    if candidate and candidate.champion_revision and candidate.analysed_since is None:
        candidate = None
    taking = sorted(service.taking_traffic(fleet) - {live.revision})
    known = [ref for ref in (status.last_good, candidate) if ref and not is_quarantined(ref, status, fleet)]
    allowed = [ref.revision for ref in known]
    order = [*[one for one in taking if one in allowed], *allowed, *taking]
    return next((revision for revision in order if fleet.ready_pods(revision) > 0), None)


def answering(status: ModelDeploymentStatus, fleet: Fleet) -> str | None:
    """Return the revision that the Service selects in place of the live one, which has no or too few ready pods."""
    selected = service.selected_revision(fleet.observed.deployment, fleet.observed.service)
    live = status.live
    if live is None or selected is None or selected == live.revision or fleet.desired_replicas == 0:
        return None
    if fleet.ready_pods(live.revision) > 0:
        return selected if stays(selected, live, status, fleet) else None
    return selected if fleet.ready_pods(selected) > 0 else None


def stays(selected: str | None, live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether the Service stays at another revision with ready pods until the live one has enough of them."""
    if selected == live.revision or fleet.ready_pods(selected) == 0 or fleet.has_enough(live.revision):
        return False
    return all(entry.revision != selected for entry in status.quarantine)
