"""A dry run: what would be done by itself is only told, so that monitors can be trusted before they are let loose.

An evaluation is made all the same, because only it tells what would be done. The verbs of persons work as ever.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.serving.fleet import Fleet

from . import automatic_rollback, retrain_causes, rollback_limit

DRY_RUN: Final = "DryRun"


def messages(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> list[str]:
    """Return what the monitors would lead to, a clause each."""
    deployment = fleet.observed.deployment
    if not deployment.spec.dry_run:
        return []
    clauses = []
    wished, live = automatic_rollback.rollback_request(status, status.monitors, fleet, now), status.live
    if wished is not None and live is not None:
        good, frozen = status.last_good, rollback_limit.problem(status, deployment, now)
        back = f"version {live.number} would be rolled back" + (f" to version {good.number}" if good else "")
        if frozen:
            back = f"version {live.number} would not be rolled back ({frozen.message})"
        clauses.append(f"{back} by monitor {wished.monitor}: {wished.reason}")
    clauses += [
        f"TrainingJob {deployment.training_job} would start a run by monitor {state.name}: {reason}"
        for state, reason in retrain_causes.retraining(deployment, status)
    ]
    return clauses
