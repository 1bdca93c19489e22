"""Going back: the best version and revision that replace the live one, and why each better one is barred.

Every caller asks here: a Rollback, monitors, diagnoses, a pin that ends, a live revision that cannot be started again.
The best one served last, was let through, and is barred by nothing; any number of versions may be barred before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import RevisionRef, ServedVersion
from steadfit.core.problem import Problem
from steadfit.core.serving import permitted
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.revisions import declared_template, template_repair
from steadfit.core.serving.revisions.lookup import desired_inputs, reuse_revision, revision_of
from steadfit.core.serving.status_bounds import MAX_ABANDONED
from steadfit.core.serving.version_index import let_through

from . import abandoned, served

SAME = "is the same model with the same pod template"
NAMED = 3
"""Number of barred versions that a message names."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A version that served before, and to which the traffic may not go back.

    Attributes
    ----------
    why
        Predicate of a sentence about the version, or of its pod template.
    """

    number: int
    why: str
    is_abandoned: bool = False


@dataclass(frozen=True, slots=True)
class GoingBack:
    """The answer of the policy.

    Attributes
    ----------
    revision
        The best revision to go back to; None if none is left.
    exclusions
        The versions that would be better, the best one first.
    """

    revision: RevisionRef | None
    exclusions: Sequence[Exclusion]

    @property
    def reasons(self) -> str:
        """Why the better versions are barred, in parentheses after a sentence; empty without one."""
        by_number = {one.number: f"version {one.number} {one.why}" for one in reversed(self.exclusions)}
        clauses = list(by_number.values())[::-1]
        more = [f"and {len(clauses) - NAMED} more"] if len(clauses) > NAMED else []
        return f" ({'; '.join([*clauses[:NAMED], *more])})" if clauses else ""

    def problem(self, live: RevisionRef) -> Problem:
        """Return the problem that no version is left to go back to from the live one."""
        return Problem(
            "NoRollbackTarget",
            f"no good version that served before version {live.number} is left to roll back to{self.reasons}",
        )


def best(status: ModelDeploymentStatus, fleet: Fleet, now: datetime, *, excluding: Collection[str] = ()) -> GoingBack:
    """Return the best revision to go back to from the live one, of any artifact but those `excluding`.

    The last good revision has the pod template with which it served. It may be another one of the live version, if the
    artifact of that is not among them.
    """
    return _first(_let_through(status, fleet), status, fleet, now, excluding)


def after_pin(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> GoingBack:
    """Return the best revision of those that were let through after the live one, which a pin has brought back."""
    return _first(_since_live(status), status, fleet, now, ())


def first_usable(
    versions: Iterable[ModelVersion], status: ModelDeploymentStatus, fleet: Fleet, now: datetime
) -> RevisionRef | None:
    """Return the revision of the first of these versions that can be rendered and is not barred."""
    found = (_rendered(version, status, fleet, now) for version in versions)
    return next((one for one in found if isinstance(one, RevisionRef)), None)


def proven(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> RevisionRef | Exclusion | None:
    """Return the last good revision, or why the traffic may not go back to it; None without one."""
    return _of_last_good(status.last_good, status, fleet, now) if status.last_good else None


def _let_through(status: ModelDeploymentStatus, fleet: Fleet) -> Iterator[RevisionRef | ServedVersion]:
    """Yield what was let through here, the last one first."""
    good = status.last_good
    # Without a canary, what a pin has served counts and is in no list.
    if good and (_is_of_live(good, status) or all(entry.digest != good.digest for entry in status.served_versions)):
        yield good
    yield from reversed(status.served_versions)
    yield from _remembered(status, fleet)


def _since_live(status: ModelDeploymentStatus) -> Iterator[ServedVersion]:
    """Yield what was let through after the live version, the last one first."""
    for entry in reversed(status.served_versions):
        if _is_of_live(entry, status):
            return
        yield entry


def _first(
    entries: Iterable[RevisionRef | ServedVersion],
    status: ModelDeploymentStatus,
    fleet: Fleet,
    now: datetime,
    excluding: Collection[str],
) -> GoingBack:
    exclusions: list[Exclusion] = []
    for entry in entries:
        of_live = _is_of_live(entry, status)
        if of_live and isinstance(entry, RevisionRef) and _has_template_of_live(entry, status):
            exclusions.append(Exclusion(entry.number, SAME))
            continue
        if of_live and isinstance(entry, RevisionRef) and entry.digest in excluding:
            exclusions.append(Exclusion(entry.number, "with its older pod template is the same model"))
        if entry.digest in excluding or (of_live and isinstance(entry, ServedVersion)):
            continue
        found = _option(entry, status, fleet, now)
        if isinstance(found, RevisionRef):
            return GoingBack(found, exclusions)
        exclusions.append(found)
        # One more could be abandoned too, and its entry would drop another one, which would be tried again.
        if sum(one.is_abandoned for one in exclusions) == MAX_ABANDONED:
            break
    return GoingBack(None, exclusions)


def _is_of_live(entry: RevisionRef | ServedVersion, status: ModelDeploymentStatus) -> bool:
    return status.live is not None and entry.digest == status.live.digest


def _has_template_of_live(ref: RevisionRef, status: ModelDeploymentStatus) -> bool:
    """Return whether a revision of the live model differs from it by the version's name alone: it is a duplicate."""
    return status.live is not None and ref.template_digest == status.live.template_digest


def _remembered(status: ModelDeploymentStatus, fleet: Fleet) -> Iterator[ServedVersion]:
    """Yield what the list of this status has dropped, and the versions know: what was let through here, last first."""
    if len(status.served_versions) < served.MAX_ENTRIES:
        return
    name, listed = fleet.observed.deployment.name, {entry.digest for entry in status.served_versions}
    found = [
        ServedVersion(version=one.name, number=one.spec.number, digest=one.spec.artifact.digest, at=max(times))
        for one in fleet.known_versions.versions
        if one.spec.artifact.digest not in listed
        and (times := [record.started_at for record in let_through(one, name)])
    ]
    yield from sorted(found, key=lambda entry: (entry.at, entry.number), reverse=True)


def _option(
    entry: RevisionRef | ServedVersion, status: ModelDeploymentStatus, fleet: Fleet, now: datetime
) -> RevisionRef | Exclusion:
    """Return the revision of an entry: the last good one if it is of the same version, or else one rendered anew."""
    good, version = status.last_good, fleet.version_of(entry)
    if good is not None and (good.version, good.digest) == (entry.version, entry.digest):
        return _of_last_good(good, status, fleet, now)
    if version is None:
        return Exclusion(entry.number, "was deleted")
    why = permitted.bar(version, status, fleet)
    return Exclusion(entry.number, why) if why else _rendered(version, status, fleet, now)


def _of_last_good(
    good: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet, now: datetime
) -> RevisionRef | Exclusion:
    """Return the last good revision; if nothing is left of its pod template, its version is rendered anew."""
    version, live = fleet.version_of(good), status.live
    if version is None:
        return Exclusion(good.number, "was deleted")
    why = permitted.bar(version, status, fleet)
    if not why and not permitted.was_let_through(good, status, fleet):
        why = "has served by a pin alone"
    if not why and is_quarantined(good, status, fleet):
        why = "is in quarantine"
    if why:
        return Exclusion(good.number, why)
    if not fleet.is_kept(good.revision):
        return _rendered(version, status, fleet, now)
    return _unless_barred(reuse_revision(good, desired_inputs(live) if live else None, now), status, fleet)


def _rendered(
    version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet, now: datetime
) -> RevisionRef | Exclusion:
    """Return the revision that the present spec asks for of a version that is not the live one."""
    revision = revision_of(version, status, fleet, now)
    if isinstance(revision, Problem):
        return Exclusion(version.spec.number, revision.message.removeprefix(f"version {version.spec.number} "))
    if status.live is not None and revision.revision == status.live.revision:
        return Exclusion(version.spec.number, SAME)
    return _unless_barred(revision, status, fleet)


def _unless_barred(ref: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> RevisionRef | Exclusion:
    """Return a revision, or why its pod template is not one to go back to."""
    entry = abandoned.entry_of(ref, status)
    if entry is not None:
        return Exclusion(ref.number, f"has a pod template that was abandoned by {entry.by}", is_abandoned=True)
    # A candidate whose store is away may be one; what was rendered right now is none.
    if fleet.has_deployment(ref.revision) and not declared_template.is_known(ref, fleet):
        return Exclusion(ref.number, "has a pod template that nothing proves")
    if template_repair.contest(ref, status, fleet):
        return Exclusion(ref.number, "has a pod template that someone else changes again and again")
    return ref
