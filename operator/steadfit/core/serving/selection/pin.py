"""Pins: the one version to serve, set by spec.pin, or by a Pin action, which overrides spec.pin until Unpin."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus, Pin
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import Override, Promoted, RevisionRef
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.permitted import without_verdict
from steadfit.core.serving.revisions.lookup import revision_of


def effective_pin(status: ModelDeploymentStatus, fleet: Fleet) -> Pin | None:
    """Return the pin in force: that of a Pin action, or else spec.pin."""
    return of_action(status.override) if status.override else fleet.observed.deployment.spec.pin


def of_action(decided: Override | Promoted) -> Pin:
    """Return what a ModelAction named when it was executed: the number with the artifact that it had then."""
    return Pin(version=decided.number, digest=decided.digest)


def author(status: ModelDeploymentStatus) -> str:
    """Return who has set the pin in force, and what ends that of a person."""
    return f"{status.override.by} until Unpin" if status.override else "spec.pin"


def names(pin: Pin, ref: RevisionRef) -> bool:
    """Return whether a pin names the version of a revision."""
    return pin.version in (None, ref.number) and pin.digest in (None, ref.digest)


def find(pin: Pin, fleet: Fleet) -> ModelVersion | None:
    """Return the version that a pin names; of versions with the same digest, the first one."""
    found = fleet.known_versions.of_artifact(pin.digest) if pin.digest else fleet.versions.numbered(pin.version or 0)
    named = (version for version in found if pin.version in (None, version.spec.number))
    return min(named, key=lambda version: version.spec.number, default=None)


def describe(pin: Pin) -> str:
    """Return the words for the version that a pin names."""
    named = f"version {pin.version}" if pin.version is not None else "version"
    return f"{named} with digest {pin.digest}" if pin.digest is not None else named


def resolve(pin: Pin, status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> RevisionRef | Problem:
    """Return the revision that serves a pinned version, or why it cannot be served.

    A pin may name a version that is held because it could not be compared, but not a rejected one. A version that
    serves already keeps serving when an edit of the gate rejects it: only a new rollout needs a verdict.
    """
    version, live = find(pin, fleet), status.live
    if version is None:
        if live is not None and pin.digest == live.digest:
            return live
        return Problem(
            "VersionNotFound", f"there is no {describe(pin)} of TrainingJob {fleet.observed.deployment.training_job}"
        )
    serves = live is not None and live.digest == version.spec.artifact.digest
    if (why := without_verdict(version)) and not serves:
        return Problem(
            "VersionNotVerified",
            f"{describe(pin)} {why}; only verified and held versions can be pinned or promoted",
        )
    revision = revision_of(version, status, fleet, now)
    if isinstance(revision, Problem) and revision.reason == "RevisionQuarantined":
        return Problem(
            "RevisionQuarantined",
            f"{describe(pin)} was rolled back and is in quarantine; Release it first, or choose another version",
        )
    return revision
