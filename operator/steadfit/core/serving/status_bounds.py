"""What the lists of a ModelDeployment's status drop when they are full, and why no decision is forgotten.

`abandoned` drops the oldest entry: the version floor keeps its version from returning, and the live revision keeps the
pod template that it was not exchanged for. `quarantine` drops first an entry that its ModelVersions remember, or one of
a pod template alone, which only an edit of the spec asks for again. `released` drops first an entry whose note beside
the artifact is deleted: nothing is left to be released. `served` is bounded in `selection/served.py`, `rollbacks` by
the limit of a day, `actions` in `core/action_records.py`. `podFailures` drops those of revisions that are neither live
nor last good nor the candidate: what they led to is stored. Its other bounds are those of `stability/pod_failures.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import QuarantineEntry

from .fleet import Fleet
from .quarantine import is_removed, quarantines_of

MAX_ABANDONED = 16
MAX_QUARANTINE = 128
MAX_RELEASED = 128

T = TypeVar("T")


def keep(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status with its lists within their bounds."""
    present = {ref.revision for ref in (status.live, status.candidate, status.last_good) if ref}
    return status.model_copy(
        update={
            "abandoned": _bounded(status.abandoned, MAX_ABANDONED, lambda entry: True),
            "quarantine": _bounded(status.quarantine, MAX_QUARANTINE, lambda entry: _is_remembered(entry, fleet)),
            "pod_failures": [one for one in status.pod_failures if one.revision in present],
            "released": _bounded(status.released, MAX_RELEASED, lambda entry: is_removed(entry, fleet)),
        }
    )


def _bounded(entries: Sequence[T], most: int, is_expendable: Callable[[T], bool]) -> list[T]:
    """Return the entries without the oldest expendable ones; without the oldest ones if too few are expendable."""
    kept = list(entries)
    while len(kept) > most:
        kept.remove(next((entry for entry in kept if is_expendable(entry)), kept[0]))
    return kept


def _is_remembered(entry: QuarantineEntry, fleet: Fleet) -> bool:
    """Return whether a quarantine counts without its entry, or is of a pod template alone."""
    if entry.digest is None:
        return True
    versions = fleet.versions.of_artifact(entry.digest)
    name = fleet.observed.deployment.name
    return all(any(known.deployment == name for known in quarantines_of(version.status)) for version in versions)
