"""A rollback in progress: the good revision takes the share of the traffic that its ready pods allow.

With enough pods it becomes live and takes all of it (`rollout.py`). Behind a Service the share needs a label that the
pods of both have: those of a bad revision that came up as a canary beside the good one. Gateways need none.

If pods of the good revision have no room, the bad one gives up its own, one more than the good one has ready, but never
its last one: it answers until the good one does.
"""

from __future__ import annotations

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Candidate
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.pod_messages import lacks_room
from steadfit.core.serving.quarantine import is_quarantined

from . import pod_shares, service, traffic_label

MOST = 99
"""Largest weight of the good revision, in per cent, before it has enough pods."""


def returning(status: ModelDeploymentStatus, fleet: Fleet) -> Candidate | None:
    """Return the good revision that replaces one that was rolled back; None without a rollback in progress."""
    live, candidate = status.live, status.candidate
    if live is None or candidate is None or candidate.champion_revision is not None:
        return None
    if not is_quarantined(live, status, fleet) or is_quarantined(candidate, status, fleet):
        return None
    return candidate


def sharing(status: ModelDeploymentStatus, fleet: Fleet) -> Candidate | None:
    """Return the good revision if the Service can select its pods beside those of the bad one, and one is ready."""
    live, good = status.live, returning(status, fleet)
    found = fleet.workload(live.revision) if live else None
    if live is None or good is None or found is None or pod_shares.by_gateway(fleet.observed.deployment):
        return None
    if fleet.ready_pods(good.revision) == 0 or not traffic_label.has_label(found, good.revision):
        return None
    return None if traffic_label.other_revisions(good.revision, live.revision, fleet) else good


def pods_of_live(status: ModelDeploymentStatus, fleet: Fleet) -> int:
    """Return the number of pods of the live revision: all, less those that the good one has ready beside it.

    One that was rolled back at 0 replicas answers nothing, and gets no pods again beside one that replaces it.
    """
    good, desired = returning(status, fleet), fleet.desired_replicas
    found = fleet.workload(status.live.revision) if status.live else None
    if good is None:
        return desired
    if found is None or found.replicas == 0:
        return 0
    ready = fleet.ready_pods(good.revision)
    if makes_room(status, fleet):
        # A good one without a share takes over at once when it has as many.
        return max(1, desired - ready - 1, 0 if good.revision in service.taking_traffic(fleet) else ready)
    return max(1, desired - ready) if sharing(status, fleet) else desired


def makes_room(status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a bad revision gives up pods, as those of the good one have no room; its only one it keeps."""
    good = returning(status, fleet)
    return good is not None and fleet.desired_replicas > 1 and lacks_room(good.revision, fleet) is not None


def suffices(status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether the good revision takes all of the traffic although its other pods have no room.

    One that shares the traffic does so when the last pod of the bad one has to end for it. One that cannot answers
    nothing before, and does so with as many ready pods as the bad one has.
    """
    good, live = returning(status, fleet), status.live
    if live is None or good is None or not makes_room(status, fleet):
        return False
    ready = fleet.ready_pods(good.revision)
    shares = good.revision in service.taking_traffic(fleet)
    return ready > 0 and ready >= (fleet.desired_replicas - 1 if shares else fleet.ready_pods(live.revision))


def weight(good: Candidate, fleet: Fleet) -> int:
    """Return the weight of the good revision behind Gateways, in per cent."""
    return min(MOST, 100 * fleet.ready_pods(good.revision) // max(fleet.desired_replicas, 1))
