"""Pins: a version that is asked for by spec.pin, or by a Pin action, which beats spec.pin until Unpin."""

from __future__ import annotations

from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus, Pin
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import RevisionRef
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.revisions.lookup import revision_of


def effective_pin(status: ModelDeploymentStatus, fleet: Fleet) -> Pin | None:
    """Return the pin in force: the one set by an action, else the spec's."""
    if status.override:
        return Pin(version=status.override.number)
    return fleet.observed.deployment.spec.pin


def find(pin: Pin, fleet: Fleet) -> ModelVersion | None:
    """Return the version that a pin names; of versions with the same artifact the one that the others duplicate."""
    for version in sorted(fleet.observed.versions, key=lambda version: version.spec.number):
        if pin.version == version.spec.number or pin.digest == version.spec.artifact.digest:
            return fleet.original(version)
    return None


def _in_words(pin: Pin) -> str:
    return f"version {pin.version}" if pin.version is not None else f"version with digest {pin.digest}"


def resolve(pin: Pin, status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> RevisionRef | Problem:
    """Return the revision that serves what a pin names, or why it may not be served.

    A pin is a person's word, so it may name a version that is held because it could not be compared, never one that was
    rejected. A version that serves already goes on when an edit of the gate rejects it later: only a new rollout needs
    a verdict.
    """
    version = find(pin, fleet)
    if version is None:
        return Problem(
            "VersionNotFound", f"there is no {_in_words(pin)} of TrainingJob {fleet.observed.deployment.training_job}"
        )
    serves = status.live is not None and status.live.version == version.name
    if version.status.phase not in ("Verified", "Held") and not serves:
        verdict = "was rejected by its gate" if version.status.phase == "Rejected" else "has no verdict yet"
        return Problem(
            "VersionNotVerified",
            f"{_in_words(pin)} {verdict}; only verified and held versions can be pinned or promoted",
        )
    revision = revision_of(version, status, fleet, now)
    if isinstance(revision, Problem) and revision.reason == "RevisionQuarantined":
        return Problem(
            "PinnedVersionQuarantined",
            f"{_in_words(pin)} was rolled back and is in quarantine; Release it first, or choose another version",
        )
    return revision
