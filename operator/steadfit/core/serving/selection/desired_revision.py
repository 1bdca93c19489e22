"""Which revision is wished for: a pin's, else the newest verified version that was compared with what serves here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import Abandoned, RevisionRef
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.messages import describe
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.revisions.lookup import reuse_revision, revision_of
from steadfit.core.serving.revisions.revision import STORE_NOT_FOUND

from . import abandoned, eligible_versions, pin, promote


@dataclass(frozen=True, slots=True)
class DesiredRevision:
    """What is wished for.

    Attributes
    ----------
    revision
        What shall serve; None while there is nothing to serve.
    problem
        Why it is not what the spec or a newer version would have it be.
    pinned
        Whether a pin decided, or was meant to.
    promoted_by
        Who let it through with a ModelAction: then it needs no verdict to take over.
    """

    revision: RevisionRef | None
    problem: Problem | None = None
    pinned: bool = False
    promoted_by: str | None = None


def choose(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> DesiredRevision:
    """Return what is wished for.

    The first that applies: a pin, a rollback in flight, a promotion by a person, the newest verified version. What was
    given up never comes back by itself.
    """
    wished = pin.effective_pin(status, fleet)
    if wished is not None:
        resolved = pin.resolve(wished, status, fleet, now)
        if isinstance(resolved, Problem):
            return DesiredRevision(_stay(status, fleet, now).revision, resolved, pinned=True)
        return DesiredRevision(resolved, pinned=True)
    if status.live and is_quarantined(status.live, status, fleet):
        return _finish_rollback(status, fleet, now)
    promoted = promote.desired(status, fleet, now)
    if isinstance(promoted, RevisionRef) and status.promoted:
        return DesiredRevision(promoted, promoted_by=status.promoted.by)
    if isinstance(promoted, Problem):
        return DesiredRevision(_stay(status, fleet, now).revision, promoted)
    let_through = _let_through(status, fleet, now)
    if let_through is not None and status.candidate:
        return DesiredRevision(let_through, promoted_by=status.candidate.promoted_by)
    return _newest(status, fleet, now)


def _let_through(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> RevisionRef | None:
    """Return the candidate that a person let through, as long as it is beside what is live: nothing newer delays it."""
    candidate, live = status.candidate, status.live
    if candidate is None or live is None or candidate.champion_revision != live.revision:
        return None
    if candidate.phase != "Promoting" or candidate.promoted_by is None or is_quarantined(candidate, status, fleet):
        return None
    version = fleet.version_named(candidate.version)
    revision = revision_of(version, status, fleet, now) if version else None
    return revision if isinstance(revision, RevisionRef) and revision.revision == candidate.revision else None


def _newest(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> DesiredRevision:
    """Return the newest version that may replace what serves and was not given up, or else what serves."""
    given_up: Problem | None = None
    left = eligible_versions.version_before_pin(status, fleet)
    for version in [*eligible_versions.newest_first(status, fleet), *([left] if left else [])]:
        revision = revision_of(version, status, fleet, now)
        if isinstance(revision, Problem):
            return DesiredRevision(_stay(status, fleet, now).revision, revision)
        entry = abandoned.entry_of(revision, status)
        if entry is None:
            return DesiredRevision(revision, eligible_versions.not_compared(version, status, fleet) or given_up)
        given_up = given_up or _given_up(entry)
    stay = _stay(status, fleet, now)
    return DesiredRevision(
        stay.revision, eligible_versions.not_compared(None, status, fleet) or given_up or stay.problem
    )


def _given_up(entry: Abandoned) -> Problem:
    return Problem(
        "CandidateAbandoned",
        f"{describe(entry)} was given up by {entry.by}: {entry.reason};"
        f" a Promote of version {entry.number} lets it through",
    )


def _stay(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> DesiredRevision:
    """Return what serves, by the pod template that the spec asks for now."""
    live = status.live
    if live is None:
        return DesiredRevision(None)
    if is_quarantined(live, status, fleet):
        return _finish_rollback(status, fleet, now)
    version = fleet.version_named(live.version)
    if version is None:
        return DesiredRevision(live)
    revision = revision_of(version, status, fleet, now)
    if isinstance(revision, Problem):
        return DesiredRevision(live, revision)
    entry = abandoned.entry_of(revision, status)
    if entry is None or revision.revision == live.revision:
        return DesiredRevision(revision)
    # What serves goes on by the pods that it has, until the spec asks for yet others.
    return DesiredRevision(reuse_revision(live, revision.template_digest, live.since), _given_up(entry))


def _finish_rollback(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> DesiredRevision:
    """Return what replaces a revision that was rolled back and still takes the traffic.

    That is the revision the rollback decided on; nothing newer delays it. If it is lost, its version is rendered anew;
    while that cannot be done for want of its store, it stays what is waited for, or the decision would be forgotten.
    What was only tried beside the bad one is no way back.
    """
    candidate = status.candidate
    for ref in (None if candidate and candidate.champion_revision else candidate, status.last_good):
        if ref is None or is_quarantined(ref, status, fleet):
            continue
        if fleet.has_deployment(ref.revision):
            return DesiredRevision(ref)
        version = fleet.version_named(ref.version)
        revision = revision_of(version, status, fleet, now) if version else None
        if isinstance(revision, RevisionRef):
            return DesiredRevision(revision)
        if isinstance(revision, Problem) and revision.reason == STORE_NOT_FOUND:
            return DesiredRevision(ref, revision)
    for newer in eligible_versions.newest_first(status, fleet):
        revision = revision_of(newer, status, fleet, now)
        if isinstance(revision, RevisionRef) and abandoned.entry_of(revision, status) is None:
            return DesiredRevision(revision)
    return DesiredRevision(
        None,
        Problem(
            "NothingToRollBackTo",
            "what serves was rolled back, and no good version is left to take its place; train or pin another one",
        ),
    )
