"""A refresh in progress: the live version comes up again with the pod template that the installed operator renders."""

from __future__ import annotations

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Refresh


def of_digest(digest: str, status: ModelDeploymentStatus) -> Refresh | None:
    """Return the refresh in progress of the live version, if it has the artifact of this digest."""
    refresh, live = status.refresh, status.live
    if refresh is None or live is None or live.revision != refresh.replaces or live.digest != digest:
        return None
    ended = {entry.revision for entry in status.abandoned} | {entry.revision for entry in status.quarantine}
    return None if refresh.revision in ended else refresh


def brings(revision: str, status: ModelDeploymentStatus) -> bool:
    """Return whether a revision comes up because of a Refresh."""
    return status.refresh is not None and status.refresh.revision == revision
