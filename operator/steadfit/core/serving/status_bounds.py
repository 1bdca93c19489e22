"""What the lists of a ModelDeployment's status drop when they are full, and why no decision is forgotten.

What a list drops of a version that was let through stays in force: `furtherDecisions` names its revision, and its
record comes back into the list while the spec asks for it (`selection/decision_records.py`).

`abandoned` drops first an entry whose version the floor keeps from returning; then one of a pod template that neither
the present spec asks for nor a rollback goes back to. What a rollback passes over stays: the floor does not bar it.
`quarantine` drops first an entry that its ModelVersions remember, or one of a pod template alone, which only an edit
of the spec asks for again; then one of a version that is not among those that a rollback goes back to, as the floor
keeps that from returning. `released` drops an entry whose note beside the artifact is deleted: nothing is left to be
released; a Release without room is rejected. `servedVersions` is bounded in `selection/served.py`, `rollbacks` by the
limit of a day, `actions` in `core/action_records.py`. `podFailures` drops those of revisions that are neither live
nor last good nor the candidate: what they led to is stored. Its other bounds are those of
`stability/pod_failures.py`.

The texts of an entry are bounded too: of older entries only their beginning is kept. Its Event has the long text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Abandoned, PodFailure, QuarantineEntry, RevisionRef
from steadfit.core import action_records
from steadfit.core.problem import Problem
from steadfit.core.status_texts import LAST_WORDS, ONE_EACH, shortened
from steadfit.core.text import cut

from .fleet import Fleet
from .quarantine import is_removed, quarantines_of
from .revisions.revision import render
from .version_index import let_through

MAX_ABANDONED = 16
"""Going back ends at as many: it drops the entry of none that it passes over."""
MAX_QUARANTINE = 32
"""More than the versions that a rollback goes back to, which the floor does not keep from returning."""
MAX_RELEASED = 16
MAX_FURTHER = 500

T = TypeVar("T")


def keep(status: ModelDeploymentStatus, fleet: Fleet) -> ModelDeploymentStatus:
    """Return the status with its lists within their bounds."""
    refs: list[RevisionRef] = [ref for ref in (status.live, status.candidate, status.last_good) if ref]
    present = {ref.revision for ref in refs}
    going_back = {ref.digest for ref in refs} | {entry.digest for entry in status.served_versions}
    candidate = status.candidate
    if candidate is not None:
        candidate = candidate.model_copy(update={"verdicts": shortened(candidate.verdicts, ONE_EACH)})
    given_up = _bounded(
        status.abandoned,
        MAX_ABANDONED,
        lambda entry: entry.digest not in going_back and not _was_let_through(entry.digest, fleet),
        lambda entry: not _is_asked_for(entry, fleet) and entry.revision not in present,
    )
    quarantine = _bounded(
        status.quarantine,
        MAX_QUARANTINE,
        lambda entry: _is_remembered(entry, fleet),
        lambda entry: _artifact(entry) not in going_back and not _was_let_through(_artifact(entry), fleet),
    )
    dropped = [
        *(one.revision for one in status.abandoned if one not in given_up and _matters(one.digest, going_back, fleet)),
        *(
            one.revision
            for one in status.quarantine
            if one not in quarantine and _matters(_artifact(one), going_back, fleet)
        ),
    ]
    listed = {*(one.revision for one in given_up), *(one.revision for one in quarantine)}
    return status.model_copy(
        update={
            "candidate": candidate,
            "further_decisions": _further([*status.further_decisions, *dropped], listed, fleet),
            "actions": action_records.shorten(status.actions, fleet.observed.actions),
            "rollbacks": shortened(status.rollbacks),
            "diagnoses": shortened(status.diagnoses, ONE_EACH),
            "abandoned": shortened(given_up),
            "quarantine": shortened(quarantine),
            "pod_failures": _with_last_words([one for one in status.pod_failures if one.revision in present]),
            "released": shortened(_bounded(status.released, MAX_RELEASED, lambda entry: is_removed(entry, fleet))),
        }
    )


def _with_last_words(failures: Sequence[PodFailure]) -> list[PodFailure]:
    """Return failures of servers of which the last of each revision keeps its message, the only one that is told."""
    last = {one.revision: index for index, one in enumerate(failures)}
    kept = [cut(one.message, LAST_WORDS) if last[one.revision] == i else "" for i, one in enumerate(failures)]
    return [
        one if one.message == message else one.model_copy(update={"message": message})
        for one, message in zip(failures, kept, strict=True)
    ]


def has_room_to_release(status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a further Release drops none whose note is not deleted yet."""
    return len(status.released) < MAX_RELEASED or any(is_removed(entry, fleet) for entry in status.released)


def _bounded(entries: Sequence[T], most: int, *are_expendable: Callable[[T], bool]) -> list[T]:
    """Return the entries without the oldest of the first kind that is expendable; without the oldest if none is."""
    kept = list(entries)
    while len(kept) > most:
        expendable = (entry for is_expendable in are_expendable for entry in kept if is_expendable(entry))
        kept.remove(next(expendable, kept[0]))
    return kept


def _matters(artifact: str | None, going_back: Collection[str | None], fleet: Fleet) -> bool:
    """Return whether an artifact may serve with another pod template: the floor does not bar what was let through."""
    return artifact in going_back or _was_let_through(artifact, fleet)


def _further(revisions: Sequence[str], listed: Collection[str], fleet: Fleet) -> list[str]:
    """Return the revisions without room in the lists that a record tells of. Whoever deletes the record ends it."""
    if not revisions:
        return []
    recorded = {(one.get("data", {}).get("entry") or {}).get("revision") for one in fleet.observed.decisions}
    kept = [one for one in dict.fromkeys(revisions) if one in recorded and one not in listed]
    return kept[-MAX_FURTHER:]


def _artifact(entry: QuarantineEntry) -> str | None:
    """Return the digest of the artifact of an entry, also of one about a pod template alone."""
    return entry.artifact or entry.digest


def _was_let_through(artifact: str | None, fleet: Fleet) -> bool:
    """Return whether a rollback could go back to an artifact, as a ModelVersion knows that it served."""
    name = fleet.observed.deployment.name
    versions = fleet.known_versions.of_artifact(artifact or "")
    return any(let_through(one, name) for one in versions)


def _is_remembered(entry: QuarantineEntry, fleet: Fleet) -> bool:
    """Return whether a quarantine counts without its entry, or is of a pod template that is not asked for."""
    if entry.digest is None:
        return not _is_asked_for(entry, fleet)
    versions = fleet.known_versions.of_artifact(entry.digest)
    name = fleet.observed.deployment.name
    return all(any(known.deployment == name for known in quarantines_of(version.status)) for version in versions)


def _is_asked_for(entry: Abandoned | QuarantineEntry, fleet: Fleet) -> bool:
    """Return whether the present spec asks for the pod template of an entry; it does as long as that is not known."""
    for version in fleet.known_versions.named(entry.version):
        present = render(version, fleet)
        if isinstance(present, Problem) or entry.revision == present.revision:
            return True
        if entry.inputs_digest is not None and entry.inputs_digest == present.inputs_digest:
            return True
    return False
