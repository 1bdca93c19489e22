"""Which revisions serve again without a person: what answers in place of the live one, and what replaces it.

A version is let through here once it served without a pin: its gate and, with a canary, the analysis have judged it, or
a person has by a Promote or a Rollback. A pin decides only while it is in force. What was let through may stand in,
whatever an edited gate says of it since. Going back is a rollout, so a version that its gate rejects today is left out.
"""

from __future__ import annotations

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import RevisionRef

from .fleet import Fleet
from .quarantine import is_quarantined, is_version_quarantined


def may_serve(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a version is neither being deleted nor in quarantine here."""
    return version.metadata.deletion_timestamp is None and not is_version_quarantined(version, status, fleet)


def may_return(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether the traffic may go back to a version that was let through; a person has promoted a held one."""
    return version.status.phase in ("Verified", "Held") and may_serve(version, status, fleet)


def was_let_through(ref: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a version was let through here.

    Without a canary the gate is the only judge, so a pinned version that it has verified counts too.
    """
    if any(entry.digest == ref.digest for entry in status.served):
        return True
    strategy, version = fleet.observed.deployment.spec.strategy, fleet.version_of(ref)
    if (strategy is not None and strategy.canary is not None) or version is None:
        return False
    return version.status.phase == "Verified" and all(entry.digest != ref.digest for entry in status.abandoned)


def may_stand_in(ref: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a revision may answer while no pod of the live one is ready."""
    return was_let_through(ref, status, fleet) and not is_quarantined(ref, status, fleet)


def last_good(status: ModelDeploymentStatus, fleet: Fleet) -> RevisionRef | None:
    """Return the last good revision if the traffic may go back to it, and its version still exists."""
    good = status.last_good
    version = fleet.version_of(good) if good else None
    if good is None or version is None or not may_return(version, status, fleet):
        return None
    return good if may_stand_in(good, status, fleet) else None
