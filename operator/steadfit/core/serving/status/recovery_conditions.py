"""Conditions about recovery: automatic rollbacks and diagnoses, their limit, and what a dry run would do.

None of them affects `Ready`, and each is present only while it is `True`: `Recovering` while the operator acts, and
`RecoveryStalled` where a person has to.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.conditions import DesiredCondition
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.recovery import automatic_rollback, diagnosis, dry_run, rollback_limit
from steadfit.core.serving.selection import going_back
from steadfit.core.text import time_text

RECOVERING: Final = "Recovering"
RECOVERY_STALLED: Final = "RecoveryStalled"


def conditions(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> list[DesiredCondition]:
    """Return the conditions."""
    return [*_recovering(status, fleet, now), *_limit(status, fleet, now), *_dry_run(status, fleet, now)]


def _recovering(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> list[DesiredCondition]:
    live = status.live
    if live is None:
        return []
    entry = next((entry for entry in reversed(status.quarantine) if entry.revision == live.revision), None)
    if is_quarantined(live, status, fleet):
        if entry is None or not automatic_rollback.is_automatic(entry.by):
            return []
        coming = f"; version {status.candidate.number} replaces it" if status.candidate else ""
        message = f"version {live.number} was rolled back by {entry.by}: {entry.reason}{coming}"
        return [DesiredCondition(RECOVERING, "True", "RollingBack", message)]
    request = automatic_rollback.rollback_request(status, status.monitors, fleet, now)
    blocked = fleet.observed.deployment.spec.dry_run or rollback_limit.problem(status, fleet.observed.deployment, now)
    if request is not None and not blocked:
        # A possible rollback was made earlier in this pass.
        problem = going_back.best(status, fleet, now, excluding=request.excluding).problem(live)
        message = f"{request.by}: {request.reason}; {problem.message}"
        return [DesiredCondition(RECOVERY_STALLED, "True", "NoRollbackTarget", message)]
    if waits := automatic_rollback.awaited(status, fleet, now):
        monitor, at = waits
        message = (
            f"monitor {monitor.name} fires, and its window of {monitor.window} holds answers of other pods of version"
            f" {live.number} until {time_text(at)}: if it fires then, version {live.number} is rolled back; a Rollback"
            " action does it now"
        )
        return [DesiredCondition(RECOVERING, "True", "AwaitingWindow", message)]
    running = diagnosis.running(status, fleet, now)
    if running:
        message = "; ".join(
            f"monitor {entry.monitor} fires: run {entry.run} evaluates version {entry.number} and version"
            f" {entry.compared_number} on the same rows"
            for entry in running
        )
        return [DesiredCondition(RECOVERING, "True", "Diagnosing", message)]
    inconclusive = [
        found
        for state in status.monitors
        if (found := diagnosis.for_state(status, state)) is not None and found.verdict == "Inconclusive"
    ]
    if inconclusive:
        message = "; ".join(f"monitor {found.monitor}: {found.message}" for found in inconclusive)
        return [DesiredCondition(RECOVERY_STALLED, "True", "Inconclusive", message)]
    return []


def _limit(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> list[DesiredCondition]:
    """Return whether the limit is reached; a limit of 0 is deliberate, and reported only when it blocks a rollback."""
    deployment = fleet.observed.deployment
    problem = rollback_limit.problem(status, deployment, now)
    request = automatic_rollback.rollback_request(status, status.monitors, fleet, now)
    if problem is None or (request is None and deployment.spec.limits.max_rollbacks_per_day == 0):
        return []
    live, blocked = status.live, ""
    if request and live:
        blocked = f"; not rolled back: version {live.number}, {request.by}: {request.reason}"
    return [
        DesiredCondition(rollback_limit.ROLLBACKS_FROZEN, "True", "RollbackLimitReached", f"{problem.message}{blocked}")
    ]


def _dry_run(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> list[DesiredCondition]:
    clauses = dry_run.messages(status, fleet, now)
    return [DesiredCondition(dry_run.DRY_RUN, "True", "ActionsSuppressed", "; ".join(clauses))] if clauses else []
