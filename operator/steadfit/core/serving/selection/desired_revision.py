"""The revision that should serve: a pinned or promoted version's, or that of the newest eligible version."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import RevisionRef
from steadfit.core.problem import Problem
from steadfit.core.serving import permitted
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.revisions import frozen_template
from steadfit.core.serving.revisions.lookup import reuse_revision, revision_of
from steadfit.core.serving.revisions.pod_inputs import STORE_NOT_USABLE
from steadfit.core.serving.traffic import failover

from . import abandoned, eligible_versions, going_back, pin, promote, served


@dataclass(frozen=True, slots=True)
class DesiredRevision:
    """The revision that should serve.

    Attributes
    ----------
    revision
        The revision; None while there is nothing to serve.
    problem
        Why the revision that should serve cannot be rolled out; why a newer one is not: `not_rolled_out.py`.
    pinned
        Whether a pin is in force, even one that cannot be served.
    promoted_by
        Author of the Promote; such a revision needs no verdict to take over.
    kept
        Whether it is the live version, which stays because nothing replaces it: no verdict let it through by that.
    goes_back
        Whether it replaces a live revision that may not, or cannot, serve any more.
    """

    revision: RevisionRef | None
    problem: Problem | None = None
    pinned: bool = False
    promoted_by: str | None = None
    kept: bool = False
    goes_back: bool = False


def choose(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> DesiredRevision:
    """Return the revision that should serve.

    The first that applies: a pin, a rollback in progress, a promotion, the newest eligible version. An abandoned
    revision is not chosen without a Promote.
    """
    pinned = pin.effective_pin(status, fleet)
    if pinned is not None:
        resolved = pin.resolve(pinned, status, fleet, now)
        if isinstance(resolved, Problem):
            return DesiredRevision(_keep_live(status, fleet, now).revision, resolved, pinned=True)
        return DesiredRevision(resolved, pinned=True)
    if status.live and is_quarantined(status.live, status, fleet):
        return _finish_rollback(status.live, status, fleet, now)
    promoted = promote.desired(status, fleet, now)
    if isinstance(promoted, RevisionRef) and status.promoted:
        return DesiredRevision(promoted, promoted_by=status.promoted.by)
    if isinstance(promoted, Problem):
        return replace(_keep_live(status, fleet, now), problem=promoted)
    candidate = _kept_candidate(status, fleet, now)
    if candidate is not None and status.candidate:
        return DesiredRevision(candidate, promoted_by=status.candidate.promoted_by)
    return _newest(status, fleet, now)


def _kept_candidate(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> RevisionRef | None:
    """Return the candidate beside the live revision that a newer version does not replace.

    A person has promoted it, or it answers alone while no pod of the live revision is ready.
    """
    candidate, live = status.candidate, status.live
    if candidate is None or live is None or candidate.champion_revision != live.revision:
        return None
    promoted = candidate.phase == "Promoting" and candidate.promoted_by is not None
    if not promoted and failover.stand_in(status, fleet) != candidate.revision:
        return None
    if is_quarantined(candidate, status, fleet):
        return None
    version = fleet.version_of(candidate)
    revision = revision_of(version, status, fleet, now) if version else None
    return revision if isinstance(revision, RevisionRef) and revision.revision == candidate.revision else None


def _newest(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> DesiredRevision:
    """Return the newest eligible version that was not abandoned, or else the live one."""
    if status.live is not None and not served.is_let_through(status.live, status):
        back = going_back.best(status, fleet, now).revision
        if back is not None:
            return _replace_pinned(back, status.live, status, fleet, now)
    newest = eligible_versions.newest_first(status, fleet)
    # While none serves, what was let through comes first: a newer one has not been judged yet.
    for version in newest if status.live else [*eligible_versions.served_last(status, fleet), *newest]:
        if status.live is not None and version.spec.artifact.digest == status.live.digest:
            return _keep_live(status, fleet, now)
        revision = revision_of(version, status, fleet, now)
        if isinstance(revision, Problem):
            return replace(_keep_live(status, fleet, now), problem=revision)
        if abandoned.entry_of(revision, status) is None:
            return DesiredRevision(revision)
    back = going_back.after_pin(status, fleet, now).revision if status.live else None
    return DesiredRevision(back) if back else _keep_live(status, fleet, now)


def _replace_pinned(
    back: RevisionRef, live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet, now: datetime
) -> DesiredRevision:
    """Return what serves after the end of a pin of a revision that was not let through.

    That revision becomes live again by a rollout, like every candidate. Until then the one that was let through serves.
    """
    before, version = fleet.version_of(back), fleet.version_of(live)
    if before and version and eligible_versions.stays(version, before, status, fleet):
        kept = _keep_live(status, fleet, now)
        return DesiredRevision(kept.revision, kept.problem)
    if back.digest == live.digest:
        # The pod template of the pin is tried anew if the spec still asks for it.
        back = back.model_copy(update={"asked_inputs_digest": None})
    return DesiredRevision(back, goes_back=True)


def _keep_live(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> DesiredRevision:
    """Return the live version with the pod template that it has, or that of changed inputs."""
    live = status.live
    if live is None:
        return DesiredRevision(None)
    if is_quarantined(live, status, fleet):
        return _finish_rollback(live, status, fleet, now)
    version = fleet.version_of(live)
    revision = revision_of(version, status, fleet, now) if version else None
    if not isinstance(revision, RevisionRef):
        lost = None if fleet.has_deployment(live.revision) else frozen_template.of_revision(live, fleet)
        return (
            _replace_lost(live, lost, status, fleet, now)
            if isinstance(lost, Problem)
            else DesiredRevision(live, revision, kept=True)
        )
    entry = abandoned.entry_of(revision, status)
    if entry is None or revision.revision == live.revision:
        return DesiredRevision(revision, kept=True)
    # The live version keeps its pods until spec.server changes again.
    reused = reuse_revision(live, revision.inputs_digest, live.since)
    return DesiredRevision(reused, kept=True)


def _replace_lost(
    live: RevisionRef, why: Problem, status: ModelDeploymentStatus, fleet: Fleet, now: datetime
) -> DesiredRevision:
    """Return the revision that replaces a live one that cannot be started again: the last good one, or the newest."""
    problem = Problem(
        frozen_template.POD_TEMPLATE_LOST,
        f"version {live.number} cannot be started again, as its Deployment and its ControllerRevision were deleted and"
        f" {why.message}; correct that, or pin or train another version",
    )
    back = going_back.best(status, fleet, now).revision
    if back is not None:
        return DesiredRevision(back, problem, goes_back=True)
    verified = (one for one in fleet.versions.newest_first if eligible_versions.may_roll_out(one, status, fleet))
    newest = going_back.first_usable(verified, status, fleet, now)
    return DesiredRevision(newest, problem, goes_back=True) if newest else DesiredRevision(live, problem)


def _finish_rollback(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> DesiredRevision:
    """Return the revision that replaces one that was rolled back and still takes the traffic.

    It is the revision that the rollback has chosen, and a newer version does not replace it. If its Deployment is gone,
    its version is rendered again. Without its store that is impossible; the revision stays the desired one then, or
    the choice would be lost. If its version was deleted, or is in quarantine itself, a version that served before it
    replaces it, or else the newest eligible one; where none is left, a deleted one is better than a bad one. The canary
    candidate of the bad revision is not used, as it has no verdict.
    """
    candidate = status.candidate
    chosen = None if candidate and candidate.champion_revision else candidate
    version = fleet.version_of(chosen) if chosen else None
    if chosen and version and permitted.may_serve(version, status, fleet) and not is_quarantined(chosen, status, fleet):
        if fleet.is_kept(chosen.revision):
            return DesiredRevision(chosen, goes_back=True)
        revision = revision_of(version, status, fleet, now)
        if isinstance(revision, RevisionRef):
            return DesiredRevision(revision, goes_back=True)
        if revision.reason == STORE_NOT_USABLE:
            return DesiredRevision(chosen, revision, goes_back=True)
    back = going_back.best(status, fleet, now)
    if back.revision is not None:
        return DesiredRevision(back.revision, goes_back=True)
    newest = going_back.first_usable(eligible_versions.newest_first(status, fleet), status, fleet, now)
    if newest is not None:
        return DesiredRevision(newest, goes_back=True)
    if chosen and fleet.is_kept(chosen.revision) and not is_quarantined(chosen, status, fleet):
        return DesiredRevision(chosen, goes_back=True)
    problem = back.problem(live)
    message = f"version {live.number} was rolled back, and {problem.message}; train or pin another one"
    return DesiredRevision(None, replace(problem, message=message))
