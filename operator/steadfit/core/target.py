"""Which revision is wished for: a pin's, else the newest version that was verified."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus, RevisionRef
from steadfit.api.modelversion import ModelVersion

from . import pin
from .fleet import Fleet
from .frozen import revision_of
from .problem import Problem
from .quarantine import highest_number, is_barred, is_version_barred


@dataclass(frozen=True, slots=True)
class Target:
    """What is wished for.

    Attributes
    ----------
    revision
        What shall serve; None while there is nothing to serve.
    problem
        Why it is not what the spec or a newer version would have it be.
    pinned
        Whether a pin decided, or was meant to.
    """

    revision: RevisionRef | None
    problem: Problem | None = None
    pinned: bool = False


def choose(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Target:
    """Return what is wished for; the first that applies: a pin, a rollback in flight, the newest verified version."""
    wished = pin.wished_pin(status, fleet)
    if wished is not None:
        resolved = pin.resolve(wished, status, fleet, now)
        if isinstance(resolved, Problem):
            return Target(_stay(status, fleet, now).revision, resolved, pinned=True)
        return Target(resolved, pinned=True)
    if status.live and is_barred(status.live, status, fleet):
        return _finish_rollback(status, fleet, now)
    version = _newest(status, fleet) or _left_by_a_pin(status, fleet)
    if version is None:
        return _stay(status, fleet, now)
    revision = revision_of(version, status, fleet, now)
    if isinstance(revision, Problem):
        return Target(_stay(status, fleet, now).revision, revision)
    return Target(revision)


def _may_roll_out(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    return (
        version.status.phase == "Verified"
        and version.spec.duplicate_of is None
        and version.metadata.deletion_timestamp is None
        and not is_version_barred(version, status, fleet)
    )


def _newest(status: ModelDeploymentStatus, fleet: Fleet) -> ModelVersion | None:
    """Return the newest verified version above all that served without a pin or were rolled back.

    Older ones never come back by themselves: neither after a rollback, nor when a threshold edit rejects what serves.
    """
    floor = max(status.automatic or 0, highest_number(status))
    newer = [
        version
        for version in fleet.observed.versions
        if version.spec.number > floor and _may_roll_out(version, status, fleet)
    ]
    return max(newer, key=lambda version: version.spec.number, default=None)


def _left_by_a_pin(status: ModelDeploymentStatus, fleet: Fleet) -> ModelVersion | None:
    """Return the version that served before a pin that is gone now."""
    if status.live is None or status.automatic in (None, status.live.number):
        return None
    found = [version for version in fleet.observed.versions if version.spec.number == status.automatic]
    return next((version for version in found if _may_roll_out(version, status, fleet)), None)


def _stay(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Target:
    """Return what serves, by the pod template that the spec asks for now."""
    live = status.live
    if live is None:
        return Target(None)
    if is_barred(live, status, fleet):
        return _finish_rollback(status, fleet, now)
    version = fleet.version_named(live.version)
    if version is None:
        return Target(live)
    revision = revision_of(version, status, fleet, now)
    return Target(live, revision) if isinstance(revision, Problem) else Target(revision)


def _finish_rollback(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Target:
    """Return what replaces a revision that was rolled back and still takes the traffic.

    That is the revision the rollback decided on; nothing newer delays it. If it is lost, its version is rendered anew.
    """
    for ref in (status.candidate, status.last_good):
        if ref is None or is_barred(ref, status, fleet):
            continue
        if fleet.stands(ref.revision):
            return Target(ref)
        version = fleet.version_named(ref.version)
        revision = revision_of(version, status, fleet, now) if version else None
        if isinstance(revision, RevisionRef):
            return Target(revision)
    version = _newest(status, fleet)
    revision = revision_of(version, status, fleet, now) if version else None
    if isinstance(revision, RevisionRef):
        return Target(revision)
    return Target(
        None,
        Problem(
            "NothingToRollBackTo",
            "what serves was rolled back, and no good version is left to take its place; train or pin another one",
        ),
    )
