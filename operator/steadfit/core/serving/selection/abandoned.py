"""Abandoned candidates: not found worse, so not in quarantine, but only a Promote rolls them out again.

The version floor keeps a version that was abandoned beside a live one, and every older one, from returning. An entry
keeps a pod template of the live version from returning, and a first version while nothing serves.
"""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import Abandoned, RevisionRef
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.text import cut

from . import served


def enter(
    status: ModelDeploymentStatus,
    candidate: RevisionRef,
    *,
    reason: str,
    by: str,
    now: datetime,
    while_going_back: bool = False,
) -> ModelDeploymentStatus:
    """Return the status without the candidate, and with an entry for it."""
    entry = Abandoned(
        revision=candidate.revision,
        version=candidate.version,
        number=candidate.number,
        digest=candidate.digest,
        inputs_digest=candidate.inputs_digest,
        reason=cut(reason),
        by=by,
        at=now,
        while_going_back=while_going_back,
    )
    others = [one for one in status.abandoned if one.revision != candidate.revision]
    return status.model_copy(update={"abandoned": [*others, entry], "candidate": None})


def end_going_back(status: ModelDeploymentStatus, desired: RevisionRef | None, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status without the entries of a way back that is over: a version that was let through serves.

    Until then they say which targets were tried. Each may have missed its deadline by what hit them all, such as an
    outage of the store, so none is abandoned for good.
    """
    live = status.live
    if not any(entry.while_going_back for entry in status.abandoned):
        return status
    if live is None or desired is None or desired.revision != live.revision or is_quarantined(live, status, fleet):
        return status
    if not served.is_let_through(live, status):
        return status
    kept = [entry for entry in status.abandoned if not entry.while_going_back]
    return status.model_copy(update={"abandoned": kept})


def recall(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return a status that was lost, or is new, with what the versions know of a ModelDeployment of this name.

    A version that was let through is left out: its present pod template may be the only one that is left of it.
    """
    if status.observed_generation >= 0:
        return status
    name = fleet.observed.deployment.name
    entries = [
        Abandoned(
            revision=item.revision,
            version=version.name,
            number=version.spec.number,
            digest=version.spec.artifact.digest,
            reason=item.reason,
            by=item.by,
            at=item.at,
        )
        for version in fleet.known_versions.versions
        if not any(entry.digest == version.spec.artifact.digest for entry in status.served_versions)
        for item in version.status.abandoned
        if item.deployment == name
    ]
    return status.model_copy(update={"abandoned": sorted(entries, key=lambda entry: (entry.at, entry.revision))})


def is_of(entry: Abandoned, version: ModelVersion) -> bool:
    """Return whether an entry is about a version; one of an older commit has no digest."""
    return entry.version == version.name and entry.digest in (None, version.spec.artifact.digest)


def entry_of(ref: RevisionRef, status: ModelDeploymentStatus) -> Abandoned | None:
    """Return the entry of an abandoned revision; None without one."""
    return next((entry for entry in status.abandoned if entry.revision == ref.revision), None)
