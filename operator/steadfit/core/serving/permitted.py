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


def bar(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return why the traffic may not go back to a version that was let through; empty if it may.

    A person has promoted a held one.
    """
    if version.metadata.deletion_timestamp is not None:
        return "is being deleted"
    if is_version_quarantined(version, status, fleet):
        return "is in quarantine"
    return without_verdict(version)


def without_verdict(version: ModelVersion) -> str:
    """Return why no person can let a version serve, as the predicate of a sentence; empty if one can."""
    if version.status.phase in ("Verified", "Held"):
        return ""
    return "was rejected by its gate" if version.status.phase == "Rejected" else "has no verdict yet"


def was_let_through(ref: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a revision was let through here: its version, and no pod template that only a pin has served.

    Without a canary the gate is the only judge, so a pinned version that it has verified counts too.
    """
    if ref.only_pinned:
        return False
    if any(entry.digest == ref.digest for entry in status.served_versions):
        return True
    strategy, version = fleet.observed.deployment.spec.strategy, fleet.version_of(ref)
    if (strategy is not None and strategy.canary is not None) or version is None:
        return False
    return version.status.phase == "Verified" and all(entry.digest != ref.digest for entry in status.abandoned)


def may_stand_in(ref: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a revision may answer while no pod of the live one is ready."""
    return was_let_through(ref, status, fleet) and not is_quarantined(ref, status, fleet)
