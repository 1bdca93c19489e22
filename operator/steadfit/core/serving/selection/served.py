"""Versions that were let through: they served here without a pin. A removed pin and a rollback go back to them.

A pin shows what a person wants now. It is no verdict: what served only by a pin was not let through.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef, ServedVersion
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.version_index import let_through

MAX_ENTRIES = 16
"""The version that served longest ago is dropped first: the versions themselves remember it (`going_back.py`)."""
RESOLUTION = timedelta(seconds=1)
"""Of times in an object."""


def enter(status: ModelDeploymentStatus, ref: RevisionRef, now: datetime) -> ModelDeploymentStatus:
    """Return the status in which the version of a revision is the last one that served without a pin."""
    if status.live is not None and status.live.only_pinned and status.live.revision == ref.revision:
        status = status.model_copy(update={"live": status.live.model_copy(update={"only_pinned": False})})
    if status.served_versions and _is_of(status.served_versions[-1], ref):
        return status
    others = [entry for entry in status.served_versions if not _is_of(entry, ref)]
    # Two may take over in one second; the order of the times has to be that of the list, which may be lost.
    at = max([now, *(one.at + RESOLUTION for one in status.served_versions[-1:])])
    entry = ServedVersion(version=ref.version, number=ref.number, digest=ref.digest, at=at)
    return status.model_copy(update={"served_versions": [*others, entry][-MAX_ENTRIES:]})


def recall(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return a status without this list with what the versions know of this ModelDeployment, or one of its name.

    Its status was lost, or it was deleted and applied again. One that an earlier operator has written has the list
    under its old name: the versions may be deleted, or not know it yet.
    """
    if status.served is not None:
        return status.model_copy(update={"served_versions": status.served_versions or status.served, "served": None})
    if status.served_versions:
        return status
    name = fleet.observed.deployment.name
    found = [
        ServedVersion(
            version=item.name, number=item.spec.number, digest=item.spec.artifact.digest, at=record.started_at
        )
        for item in fleet.known_versions.versions
        for record in let_through(item, name)
    ]
    found.sort(key=lambda entry: entry.at)
    return status.model_copy(update={"served_versions": merged(found, [])}) if found else status


def merged(known: Iterable[ServedVersion], recorded: Iterable[ServedVersion]) -> list[ServedVersion]:
    """Return the newest entries of both, in their order in time; of one version the recorded one, or else the last."""
    entries = {(entry.version, entry.digest): entry for entry in [*known, *recorded]}
    return sorted(entries.values(), key=lambda entry: (entry.at, entry.number))[-MAX_ENTRIES:]


def is_let_through(ref: RevisionRef, status: ModelDeploymentStatus) -> bool:
    """Return whether an artifact has served here without a pin; not with a pod template that only a pin has served."""
    return not ref.only_pinned and any(entry.digest == ref.digest for entry in status.served_versions)


def _is_of(entry: ServedVersion, ref: RevisionRef) -> bool:
    return (entry.version, entry.digest) == (ref.version, ref.digest)


def is_unjudged(ref: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a pin makes a pod template serve that no canary has judged.

    That of a live or last good revision that was let through is known.
    """
    strategy = fleet.observed.deployment.spec.strategy
    if strategy is None or strategy.canary is None:
        return False
    known = [one for one in (status.live, status.last_good) if one and is_let_through(one, status)]
    return all(one.template_digest != ref.template_digest for one in known)
