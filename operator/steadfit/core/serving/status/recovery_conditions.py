"""The conditions of recovery: what is under way by itself, what is held back, and what a dry run would have done.

None of them touches `Ready`, and each is there only while there is something to tell.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.conditions import DesiredCondition
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined
from steadfit.core.serving.recovery import automatic_rollback, diagnosis, dry_run, rollback_limit

RECOVERING: Final = "Recovering"


def conditions(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> list[DesiredCondition]:
    """Return the conditions."""
    return [*_recovering(status, fleet, now), *_frozen(status, fleet, now), *_dry_run(status, fleet, now)]


def _recovering(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> list[DesiredCondition]:
    live = status.live
    if live is None:
        return []
    entry = next((entry for entry in reversed(status.quarantine) if entry.revision == live.revision), None)
    if is_quarantined(live, status, fleet):
        if entry is None or not entry.by.startswith(automatic_rollback.BY):
            return []
        coming = f"; version {status.candidate.number} takes its place" if status.candidate else ""
        message = f"version {live.number} was rolled back by {entry.by}: {entry.reason}{coming}"
        return [DesiredCondition(RECOVERING, "True", "RollingBack", message)]
    wished = automatic_rollback.rollback_request(status, status.monitors, fleet, now)
    held = fleet.observed.deployment.spec.dry_run or rollback_limit.problem(status, fleet.observed.deployment, now)
    if wished is not None and not held:
        # Whatever can be rolled back was rolled back in this very pass.
        message = (
            f"monitor {wished.monitor}: {wished.reason}; nothing good that served before version {live.number} is left"
            " to go back to"
        )
        return [DesiredCondition(RECOVERING, "False", "NothingToRollBackTo", message)]
    at_work = diagnosis.running(status, fleet)
    if at_work:
        message = "; ".join(
            f"monitor {entry.monitor} fires: run {entry.run} evaluates version {entry.number} and version"
            f" {entry.compared_version} on the same rows"
            for entry in at_work
        )
        return [DesiredCondition(RECOVERING, "True", "Diagnosing", message)]
    undecided = [
        found
        for state in status.monitors
        if (found := diagnosis.for_state(status, state)) is not None and found.verdict == "Undecided"
    ]
    if undecided:
        message = "; ".join(f"monitor {found.monitor}: {found.message}" for found in undecided)
        return [DesiredCondition(RECOVERING, "False", "Undecided", message)]
    return []


def _frozen(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> list[DesiredCondition]:
    """Return whether the limit is reached; one of 0 is somebody's wish, and no news until it holds something back."""
    deployment = fleet.observed.deployment
    problem = rollback_limit.problem(status, deployment, now)
    wished = automatic_rollback.rollback_request(status, status.monitors, fleet, now)
    if problem is None or (wished is None and deployment.spec.limits.max_rollbacks_per_day == 0):
        return []
    live = status.live
    held = f"; held back: version {live.number}, monitor {wished.monitor}: {wished.reason}" if wished and live else ""
    return [DesiredCondition(rollback_limit.ROLLBACKS_FROZEN, "True", "LimitReached", f"{problem.message}{held}")]


def _dry_run(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> list[DesiredCondition]:
    told = dry_run.messages(status, fleet, now)
    return [DesiredCondition(dry_run.DRY_RUN, "True", "WouldAct", "; ".join(told))] if told else []
