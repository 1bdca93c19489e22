"""Why the newest version of the TrainingJob is not rolled out, and what a person can do."""

from __future__ import annotations

from itertools import takewhile

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import Abandoned
from steadfit.core.problem import Problem
from steadfit.core.serving import permitted
from steadfit.core.serving.fleet import Fleet

from . import abandoned, eligible_versions, version_floor


def problem(chosen: ModelVersion | None, status: ModelDeploymentStatus, fleet: Fleet) -> Problem | None:
    """Return why the newest version above the floor and the chosen one waits; None if none does, or it is rejected."""
    above = chosen.spec.number if chosen else 0
    found = [
        (version, reason)
        for version in eligible_versions.newer(status, fleet)
        if version.spec.number > above and (reason := _reason(version, status, fleet)) is not None
    ]
    _, reason = max(found, key=lambda item: item[0].spec.number, default=(None, None))
    return reason or (None if chosen else _abandoned(status, fleet) or _of_replaced_job(status, fleet))


def held(version: ModelVersion) -> Problem:
    """Return why a version that the gate could not compare waits."""
    number, gate = version.spec.number, version.status.gate
    why = f": {gate.message}" if gate else ""
    return Problem("Held", f"version {number} is held{why}; a Promote of version {number} serves it")


def _reason(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> Problem | None:
    if version.status.phase == "Held" and status.live and permitted.may_serve(version, status, fleet):
        return held(version)
    if not eligible_versions.may_roll_out(version, status, fleet):
        return None
    compared = eligible_versions.is_compared_with_live(version, status, fleet)
    return None if compared else _not_compared(version, status, fleet)


def _abandoned(status: ModelDeploymentStatus, fleet: Fleet) -> Problem | None:
    """Return that a version was abandoned: since the live one serves, of any number, or before that a newer one.

    Of several the last one counts. That of a promotion may be older than the live version, or of an earlier job.
    """
    live = status.live
    above = version_floor.live_number(status, fleet)
    found = []
    for entry in status.abandoned:
        version = _promotable(entry, status, fleet)
        newer = version is not None and entry.number > above and version_floor.is_of_job(version, status, fleet)
        if newer or (version is not None and live is not None and entry.at > live.since):
            found.append(entry)
    last = max(found, key=lambda entry: entry.at, default=None)
    return abandoned.problem(last) if last else None


def _promotable(entry: Abandoned, status: ModelDeploymentStatus, fleet: Fleet) -> ModelVersion | None:
    """Return the version of an entry if a Promote can serve it; None otherwise. An older entry has no digest."""
    return next(
        (
            version
            for version in fleet.versions.named(entry.version)
            if entry.digest in (None, version.spec.artifact.digest)
            and version.status.phase in ("Verified", "Held")
            and permitted.may_serve(version, status, fleet)
        ),
        None,
    )


def _of_replaced_job(status: ModelDeploymentStatus, fleet: Fleet) -> Problem | None:
    """Return that a newer version than the live one is of the TrainingJob that was deleted and made again since."""
    live = status.live
    present = fleet.version_of(live) if live else None
    if live is None or present is None or version_floor.is_of_job(present, status, fleet):
        return None
    newer = [
        version.spec.number
        for version in takewhile(lambda version: version.spec.number > live.number, fleet.versions.newest_first)
        if not version_floor.is_of_job(version, status, fleet)
        and eligible_versions.may_roll_out(version, status, fleet)
    ]
    if not newer:
        return None
    return Problem(
        "TrainingJobReplaced",
        f"version {max(newer)} is not rolled out: TrainingJob {fleet.observed.deployment.training_job} was made again"
        f" since, and has no verified version yet; a Promote of version {max(newer)} serves it",
    )


def _not_compared(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> Problem:
    """Return the message that names what the version was compared with, and what serves."""
    champion, live, number = version.spec.evaluation.champion, status.live, version.spec.number
    observed = fleet.observed
    compared = f"was compared with {champion.version}" if champion else "was not compared with any version"
    serves = f"{live.version} serves here" if live else "that one was rolled back"
    if champion and live and champion.version == live.version:
        compared, serves = f"{compared} ({champion.digest[:19]})", f"{serves} ({live.digest[:19]})"
    # Runs compare with the live version of the deployment of the TrainingJob's name: a Retrain helps no other one.
    retrain = "a Retrain compares again, " if observed.deployment.name == observed.deployment.training_job else ""
    return Problem(
        "ChampionChanged",
        f"version {number} is not rolled out: it {compared}, and {serves}; {retrain}a Pin of version {number} serves it"
        " without a comparison",
    )
