"""Failover: while no pod of the live revision is ready, another revision with ready pods answers in its place.

It moves traffic and decides nothing else: the status keeps its live revision, which takes the traffic again once it
can.
"""

from __future__ import annotations

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core.serving import permitted
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined, is_revision_quarantined

from . import service


def stand_in(status: ModelDeploymentStatus, fleet: Fleet) -> str | None:
    """Return the revision that answers in place of the live one; None while a pod of that is ready, or no other is.

    The first that applies: one that takes traffic already and may, the last good one, the candidate. A candidate of a
    canary has to take traffic already, as it is not judged before. What else has the traffic and answers alone (in
    quarantine, abandoned, replaced by a newer candidate, with pods that nobody has verified) keeps it until its
    successor has enough pods, and gets none that it does not have.
    """
    live = status.live
    if live is None or fleet.desired_replicas == 0 or fleet.ready_pods(live.revision) > 0:
        return None
    if live.revision in service.taking_traffic(fleet) and fleet.has_orphans(live.revision):
        # They answer until they end, or their Deployment is seen again.
        return None
    taking, allowed = sorted(service.taking_traffic(fleet) - {live.revision}), _allowed(status, fleet)
    order = [*[one for one in taking if one in allowed], *allowed, *taking]
    return next((revision for revision in order if fleet.ready_pods(revision) > 0), None)


def successor(status: ModelDeploymentStatus, fleet: Fleet) -> str | None:
    """Return the candidate that replaces a revision that answers alone and may not, before its canary; None without.

    Nothing can be compared then, and its gate has verified it. It gets all of its pods, and takes over with enough.
    """
    found = stand_in(status, fleet)
    return None if found in (None, *_permitted(status, fleet)) else _unjudged(status, fleet)


def _allowed(status: ModelDeploymentStatus, fleet: Fleet) -> list[str]:
    """Return the revisions that may be given traffic: those that may answer, with the pods that were verified."""
    return [revision for revision in _permitted(status, fleet) if fleet.is_as_declared(revision)]


def _permitted(status: ModelDeploymentStatus, fleet: Fleet) -> list[str]:
    """Return the revisions that may answer: the last good one, and a candidate unless its canary has yet to start."""
    good, candidate = status.last_good, status.candidate
    found = [good.revision] if good and permitted.may_stand_in(good, status, fleet) else []
    if candidate and not is_quarantined(candidate, status, fleet) and not _unjudged(status, fleet):
        found.append(candidate.revision)
    return found


def _unjudged(status: ModelDeploymentStatus, fleet: Fleet) -> str | None:
    """Return the candidate whose canary has yet to start; None without one."""
    candidate = status.candidate
    if candidate is None or candidate.champion_revision is None or candidate.analysed_since is not None:
        return None
    return None if is_quarantined(candidate, status, fleet) else candidate.revision


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
    return selected is not None and not is_revision_quarantined(selected, status, fleet)
