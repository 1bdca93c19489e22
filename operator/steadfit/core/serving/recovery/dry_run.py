"""Dry run: reports what monitors would do, so that they can be tested before they act.

Evaluations still run, as the report needs their verdict. ModelActions work as usual.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.selection import going_back

from . import automatic_rollback, retrain_causes, rollback_limit

DRY_RUN: Final = "DryRun"


def messages(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> list[str]:
    """Return a clause for each action that the monitors would take; empty if this is no dry run."""
    deployment = fleet.observed.deployment
    if not deployment.spec.dry_run:
        return []
    clauses = []
    request, live = automatic_rollback.rollback_request(status, status.monitors, fleet, now), status.live
    if request is not None and live is not None:
        good = going_back.best(status, fleet, now, excluding=request.excluding).revision
        limit = rollback_limit.problem(status, deployment, now)
        rollback = f"version {live.number} would be rolled back" + (f" to version {good.number}" if good else "")
        if limit:
            rollback = f"version {live.number} would not be rolled back ({limit.message})"
        clauses.append(f"{rollback} by {request.by}: {request.reason}")
    clauses += [
        f"TrainingJob {deployment.training_job} would start a run by monitor {state.name}: {reason}"
        for state, reason in retrain_causes.retraining(deployment, status)
    ]
    return clauses
