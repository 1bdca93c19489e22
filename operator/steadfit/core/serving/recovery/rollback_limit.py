"""The limit of automatic rollbacks per day, after which a person has to act.

Without it, a wrong monitor, or a fault that no version fixes, would roll back through all versions. At the limit the
live version keeps serving; candidates can still be dropped, and a person can still roll back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from steadfit.api.modeldeployment import ModelDeployment, ModelDeploymentStatus
from steadfit.api.rollout import AutomaticRollback
from steadfit.core.problem import Problem
from steadfit.core.text import cut, time_text

DAY = timedelta(hours=24)
ROLLBACKS_FROZEN: Final = "RollbacksFrozen"
MAX_ENTRIES = 100


def recent(status: ModelDeploymentStatus, now: datetime) -> list[AutomaticRollback]:
    """Return the automatic rollbacks of the last 24 hours."""
    return [entry for entry in status.rollbacks if entry.at + DAY > now]


def count(status: ModelDeploymentStatus, number: int, reason: str, now: datetime) -> ModelDeploymentStatus:
    """Return the status with one more automatic rollback."""
    entry = AutomaticRollback(number=number, reason=cut(reason), at=now)
    return status.model_copy(update={"rollbacks": [*status.rollbacks, entry][-MAX_ENTRIES:]})


def problem(status: ModelDeploymentStatus, deployment: ModelDeployment, now: datetime) -> Problem | None:
    """Return why no version is rolled back automatically; None below the limit."""
    limit = deployment.spec.limits.max_rollbacks_per_day
    day = recent(status, now)
    if len(day) < limit:
        return None
    if limit == 0:
        return Problem(ROLLBACKS_FROZEN, "limits.maxRollbacksPerDay is 0, so no version is rolled back automatically")
    until = ends_at(status, deployment, now)
    end = f" until {time_text(until)}" if until else ""
    return Problem(
        ROLLBACKS_FROZEN,
        f"{len(day)} versions were rolled back automatically within 24 h, and limits.maxRollbacksPerDay is {limit}: the"
        f" live version keeps serving, and none is rolled back automatically{end}; find out why, then use a Rollback",
    )


def ends_at(status: ModelDeploymentStatus, deployment: ModelDeployment, now: datetime) -> datetime | None:
    """Return when the limit allows another rollback; None if it is not reached, or is 0."""
    limit, times = deployment.spec.limits.max_rollbacks_per_day, sorted(entry.at for entry in recent(status, now))
    return times[-limit] + DAY if 0 < limit <= len(times) else None
