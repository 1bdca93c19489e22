"""Warm standby: the last good revision keeps its pods while its successor bakes, so that a rollback starts no pods.

This needs pods that can drain, whatever server image the spec has now: otherwise clients with keep-alive connections
would stay with the old pods and never reach the version that serves.
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
    """Return the last good revision while it keeps all of its pods; else None."""
    live, last_good = status.live, status.last_good
    if live is None or last_good is None or is_quarantined(last_good, status, fleet):
        return None
    if not bake.applies(status, fleet.observed.deployment, now):
        return None
    found = fleet.workload(last_good.revision)
    if found is None or found.deleting or not drain.can_drain(found):
        return None
    return None if traffic_label.has_label(found, live.revision) and _is_shared(live, status, fleet) else last_good


def ends(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> datetime | None:
    """Return when the warm standby ends; None without one."""
    return bake.until(status, fleet.observed.deployment) if revision(status, fleet, now) else None


def _is_shared(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a canary shares the live revision's traffic: pods of a former canary would get a share too."""
    observed, candidate = fleet.observed, status.candidate
    has_canary = candidate is not None and candidate.champion_revision == live.revision
    return has_canary or service.shared(observed.deployment, observed.service) == live.revision
