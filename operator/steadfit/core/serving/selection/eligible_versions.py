"""Versions that may replace the live one by themselves: newer, verified, and compared with it.

A promotion is a compare-and-swap: that a version is as good as the champion of its evaluation says nothing about
another champion, which a rollback, a pin or a rollout may have made live since.
"""

from __future__ import annotations

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import highest_rolled_back, is_quarantined, is_version_quarantined


def _may_roll_out(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    return (
        version.status.phase == "Verified"
        and version.spec.duplicate_of is None
        and version.metadata.deletion_timestamp is None
        and not is_version_quarantined(version, status, fleet)
    )


def newest_first(status: ModelDeploymentStatus, fleet: Fleet) -> list[ModelVersion]:
    """Return the versions that may replace the live one, newest first."""
    found = [version for version in _newer(status, fleet) if _is_compared_with_live(version, status, fleet)]
    return sorted(found, key=lambda version: -version.spec.number)


def _newer(status: ModelDeploymentStatus, fleet: Fleet) -> list[ModelVersion]:
    """Return the verified versions that are newer than all that served without a pin or were rolled back.

    Older versions never return by themselves, neither after a rollback nor when an edit of a threshold rejects the
    live one. While no version is live, as in a new cluster, versions older than a rolled back one count: one of them
    was good.
    """
    rolled_back = highest_rolled_back(status) if status.live else 0
    floor = max(status.version_floor or 0, rolled_back, status.promoted.above if status.promoted else 0)
    return [
        version
        for version in fleet.observed.versions
        if version.spec.number > floor and _may_roll_out(version, status, fleet)
    ]


def _is_compared_with_live(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether the champion that a version was compared with is the live version, or the version is live itself.

    Without a good live version any verified version is better than none, unless it was compared with a version in
    quarantine: to be as good as that is no merit.
    """
    champion, live = version.spec.evaluation.champion, status.live
    if live is not None and not is_quarantined(live, status, fleet):
        is_live = version.spec.artifact.digest == live.digest
        return is_live or (champion is not None and champion.digest == live.digest)
    return champion is None or not _is_artifact_quarantined(champion.digest, status, fleet)


def _is_artifact_quarantined(digest: str, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    same = [version for version in fleet.observed.versions if version.spec.artifact.digest == digest]
    return any(entry.digest == digest for entry in status.quarantine) or any(
        is_version_quarantined(version, status, fleet) for version in same
    )


def not_compared(chosen: ModelVersion | None, status: ModelDeploymentStatus, fleet: Fleet) -> Problem | None:
    """Return why the newest version above the chosen one is not rolled out: it was not compared with the live one."""
    above = chosen.spec.number if chosen else 0
    found = [
        version
        for version in _newer(status, fleet)
        if version.spec.number > above and not _is_compared_with_live(version, status, fleet)
    ]
    newest = max(found, key=lambda version: version.spec.number, default=None)
    if newest is None:
        return None
    champion, live, number = newest.spec.evaluation.champion, status.live, newest.spec.number
    compared = f"was compared with {champion.version}" if champion else "was not compared with any version"
    serves = f"{live.version} serves here" if live else "that one was rolled back"
    # Runs compare with the live version of the deployment of the TrainingJob's name: a Retrain helps no other one.
    retrain = (
        "a Retrain compares again, " if fleet.observed.deployment.name == fleet.observed.deployment.training_job else ""
    )
    return Problem(
        "ChampionChanged",
        f"version {number} is not rolled out: it {compared}, and {serves}; {retrain}a Pin of version {number} serves it"
        " without a comparison",
    )


def version_before_pin(status: ModelDeploymentStatus, fleet: Fleet) -> ModelVersion | None:
    """Return the version that served before a pin that was removed; None without one."""
    if status.live is None or status.version_floor in (None, status.live.number):
        return None
    found = [version for version in fleet.observed.versions if version.spec.number == status.version_floor]
    return next((version for version in found if _may_roll_out(version, status, fleet)), None)
