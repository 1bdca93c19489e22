"""Which revision is wished for: a pin's, else the newest verified version that was compared with what serves here.

Promotion is compare-and-swap: a version that was good enough against the champion of its time says nothing about
another one, which a rollback, a pin or a rollout in between may have put in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import RevisionRef

from . import pin, promote
from .fleet import Fleet
from .frozen import revision_of
from .problem import Problem
from .quarantine import highest_number, is_barred, is_version_barred
from .revision import STORE_NOT_FOUND


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
    promoted_by
        Who let it through with a ModelAction: then it needs no verdict to take over.
    """

    revision: RevisionRef | None
    problem: Problem | None = None
    pinned: bool = False
    promoted_by: str | None = None


def choose(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> Target:
    """Return what is wished for.

    The first that applies: a pin, a rollback in flight, a promotion by a person, the newest verified version.
    """
    wished = pin.wished_pin(status, fleet)
    if wished is not None:
        resolved = pin.resolve(wished, status, fleet, now)
        if isinstance(resolved, Problem):
            return Target(_stay(status, fleet, now).revision, resolved, pinned=True)
        return Target(resolved, pinned=True)
    if status.live and is_barred(status.live, status, fleet):
        return _finish_rollback(status, fleet, now)
    promoted = promote.wished(status, fleet, now)
    if isinstance(promoted, RevisionRef) and status.promoted:
        return Target(promoted, promoted_by=status.promoted.by)
    if isinstance(promoted, Problem):
        return Target(_stay(status, fleet, now).revision, promoted)
    version = _newest(status, fleet) or _left_by_a_pin(status, fleet)
    passed_over = _passed_over(version, status, fleet)
    if version is None:
        stay = _stay(status, fleet, now)
        return Target(stay.revision, passed_over or stay.problem)
    revision = revision_of(version, status, fleet, now)
    if isinstance(revision, Problem):
        return Target(_stay(status, fleet, now).revision, revision)
    return Target(revision, passed_over)


def _may_roll_out(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    return (
        version.status.phase == "Verified"
        and version.spec.duplicate_of is None
        and version.metadata.deletion_timestamp is None
        and not is_version_barred(version, status, fleet)
    )


def _newest(status: ModelDeploymentStatus, fleet: Fleet) -> ModelVersion | None:
    """Return the newest version that may replace what serves."""
    fit = [version for version in _newer(status, fleet) if _compared_with_what_serves(version, status, fleet)]
    return max(fit, key=lambda version: version.spec.number, default=None)


def _newer(status: ModelDeploymentStatus, fleet: Fleet) -> list[ModelVersion]:
    """Return the verified versions above all that served without a pin or were rolled back.

    Older ones never come back by themselves: neither after a rollback, nor when a threshold edit rejects what serves.
    """
    floor = max(status.automatic or 0, highest_number(status), status.promoted.above if status.promoted else 0)
    return [
        version
        for version in fleet.observed.versions
        if version.spec.number > floor and _may_roll_out(version, status, fleet)
    ]


def _compared_with_what_serves(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether the champion that a version was compared with still is the one to beat here.

    What has taken its place, and serves, has won already. While nothing good serves there is none, and any verified
    version is better than no answer; but to be as good as one that was rolled back is no merit.
    """
    compared, live = version.spec.evaluation.champion, status.live
    if live is not None and not is_barred(live, status, fleet):
        serves = version.spec.artifact.digest == live.digest
        return serves or (compared is not None and compared.digest == live.digest)
    return compared is None or not _is_artifact_barred(compared.digest, status, fleet)


def _is_artifact_barred(digest: str, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    same = [version for version in fleet.observed.versions if version.spec.artifact.digest == digest]
    return any(entry.digest == digest for entry in status.quarantine) or any(
        is_version_barred(version, status, fleet) for version in same
    )


def _passed_over(chosen: ModelVersion | None, status: ModelDeploymentStatus, fleet: Fleet) -> Problem | None:
    """Return the sentence about the newest version that is not rolled out for want of a comparison, if there is one."""
    newest = max(_newer(status, fleet), key=lambda version: version.spec.number, default=None)
    if newest is None or (chosen is not None and chosen.spec.number >= newest.spec.number):
        return None
    compared, live, number = newest.spec.evaluation.champion, status.live, newest.spec.number
    against = f"was compared with {compared.version}" if compared else "was not compared with any version"
    serves = f"{live.version} serves here" if live else "that one was rolled back"
    # Results are compared with what the deployment of the TrainingJob's own name serves: no other can ask for it anew.
    anew = (
        "a Retrain compares anew, " if fleet.observed.deployment.name == fleet.observed.deployment.training_job else ""
    )
    return Problem(
        "ChampionChanged",
        f"version {number} is not rolled out: it {against}, and {serves}; {anew}a Pin of version {number} serves it as"
        " it is",
    )


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

    That is the revision the rollback decided on; nothing newer delays it. If it is lost, its version is rendered anew;
    while that cannot be done for want of its store, it stays what is waited for, or the decision would be forgotten.
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
        if isinstance(revision, Problem) and revision.reason == STORE_NOT_FOUND:
            return Target(ref, revision)
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
