"""The last good revision stays warm while what took its place bakes, so that going back takes no start of pods.

Only where its own pods can be told to drain, whatever server the spec asks for by now. Others are left by their clients
when they are shut down and not before: a client that keeps its connection would never see the version that serves.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core.serving import bake
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined

from . import drain, service, traffic_label


def revision(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> RevisionRef | None:
    """Return the last good revision while it is kept with all of its pods."""
    live, last_good = status.live, status.last_good
    if live is None or last_good is None or is_quarantined(last_good, status, fleet):
        return None
    if not bake.applies(status, fleet.observed.deployment, now):
        return None
    found = fleet.workload(last_good.revision)
    if found is None or found.deleting or not drain.can_drain(found):
        return None
    return None if traffic_label.has_label(found, live.revision) and _is_shared_out(live, status, fleet) else last_good


def ends(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> datetime | None:
    """Return when the last good revision is not kept warm any more; None if it is not."""
    return bake.until(status, fleet.observed.deployment) if revision(status, fleet, now) else None


def _is_shared_out(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a canary shares out what serves: others with its label, once tried beside it, would join in."""
    observed, candidate = fleet.observed, status.candidate
    is_tried = candidate is not None and candidate.champion_revision == live.revision
    return is_tried or service.shared(observed.deployment, observed.service) == live.revision
