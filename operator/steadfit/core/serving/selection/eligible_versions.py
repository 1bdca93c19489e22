"""Which versions may replace what serves by themselves: newer, verified, and compared with what serves here.

Promotion is compare-and-swap: a version that was good enough against the champion of its time says nothing about
another one, which a rollback, a pin or a rollout in between may have put in its place.
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
    """Return the versions that may replace what serves."""
    fit = [version for version in _newer(status, fleet) if _compared_with_what_serves(version, status, fleet)]
    return sorted(fit, key=lambda version: -version.spec.number)


def _newer(status: ModelDeploymentStatus, fleet: Fleet) -> list[ModelVersion]:
    """Return the verified versions above all that served without a pin or were rolled back.

    Older ones never come back by themselves: neither after a rollback, nor when a threshold edit rejects what serves.
    While nothing serves, as in a new cluster, what was rolled back hides none that is older: one of them was good.
    """
    rolled_back = highest_rolled_back(status) if status.live else 0
    floor = max(status.version_floor or 0, rolled_back, status.promoted.above if status.promoted else 0)
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
    if live is not None and not is_quarantined(live, status, fleet):
        serves = version.spec.artifact.digest == live.digest
        return serves or (compared is not None and compared.digest == live.digest)
    return compared is None or not _is_artifact_quarantined(compared.digest, status, fleet)


def _is_artifact_quarantined(digest: str, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    same = [version for version in fleet.observed.versions if version.spec.artifact.digest == digest]
    return any(entry.digest == digest for entry in status.quarantine) or any(
        is_version_quarantined(version, status, fleet) for version in same
    )


def not_compared(chosen: ModelVersion | None, status: ModelDeploymentStatus, fleet: Fleet) -> Problem | None:
    """Return the sentence about the newest version that is not rolled out for want of a comparison, if there is one."""
    above = chosen.spec.number if chosen else 0
    unfit = [
        version
        for version in _newer(status, fleet)
        if version.spec.number > above and not _compared_with_what_serves(version, status, fleet)
    ]
    newest = max(unfit, key=lambda version: version.spec.number, default=None)
    if newest is None:
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


def version_before_pin(status: ModelDeploymentStatus, fleet: Fleet) -> ModelVersion | None:
    """Return the version that served before a pin that is gone now."""
    if status.live is None or status.version_floor in (None, status.live.number):
        return None
    found = [version for version in fleet.observed.versions if version.spec.number == status.version_floor]
    return next((version for version in found if _may_roll_out(version, status, fleet)), None)
