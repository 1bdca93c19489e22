"""Why the newest version cannot serve until a person acts: quarantined, held, rejected, or behind a pin."""

from __future__ import annotations

from itertools import takewhile

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.core.problem import Problem
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_version_quarantined, quarantines_of

from . import not_rolled_out, version_floor


def problem(status: ModelDeploymentStatus, fleet: Fleet) -> Problem | None:
    """Return what the newest version above the live one waits for; None if there is none, or it may be rolled out.

    While no version is live, rejected ones are left out: the next run brings another.
    """
    found = [version for version in _above_live(status, fleet) if status.live or version.status.phase != "Rejected"]
    newest = max(found, key=lambda version: version.spec.number, default=None)
    if newest is None or newest.status.phase is None:
        return None
    if is_version_quarantined(newest, status, fleet):
        return _quarantined(newest, status, fleet)
    number, gate = newest.spec.number, newest.status.gate
    why = f": {gate.message}" if gate else ""
    if newest.status.phase == "Rejected":
        failed = [judgement.metric for judgement in newest.status.judgements if not judgement.passed]
        why = f": {', '.join(failed)} misses its threshold" if failed else why
        return Problem(
            "Rejected", f"version {number} is rejected{why}; `kubectl describe mv {newest.name}` compares its metrics"
        )
    if newest.status.phase == "Held":
        return not_rolled_out.held(newest)
    return _pinned(number, status, fleet)


def _above_live(status: ModelDeploymentStatus, fleet: Fleet) -> list[ModelVersion]:
    live = status.live
    if live is None:
        return [one for one in fleet.versions.newest_first if one.metadata.deletion_timestamp is None]
    above = version_floor.live_number(status, fleet)
    return [
        version
        for version in takewhile(lambda version: version.spec.number > above, fleet.versions.newest_first)
        if version.spec.artifact.digest != live.digest
        and version.metadata.deletion_timestamp is None
        and version_floor.is_of_job(version, status, fleet)
    ]


def _quarantined(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> Problem:
    number, name = version.spec.number, fleet.observed.deployment.name
    digest = version.spec.artifact.digest
    here = [(entry.by, entry.reason) for entry in status.quarantine if digest in (entry.digest, entry.artifact)]
    noted = [(item.by, item.reason) for item in quarantines_of(version.status) if item.deployment == name]
    by, reason = [*here, *noted][0]
    step = f"a Release and then a Promote of version {number} serve it"
    if status.live is None:
        step = f"a Release of version {number} lets it serve"
    return Problem("Quarantined", f"version {number} is in quarantine by {by}: {reason}; {step}")


def _pinned(number: int, status: ModelDeploymentStatus, fleet: Fleet) -> Problem | None:
    """Return that a verified version waits for a pin to end; None without a pin."""
    live, override = status.live, status.override
    if live is None or (override is None and fleet.observed.deployment.spec.pin is None):
        return None
    pinned = "spec.pin; remove it to serve newer versions" if override is None else f"{override.by} until Unpin"
    return Problem(
        "Pinned", f"version {number} is newer and is not rolled out: version {live.number} is pinned by {pinned}"
    )
