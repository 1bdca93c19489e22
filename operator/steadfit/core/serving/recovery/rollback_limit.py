"""The limit of rollbacks that nobody asked for: at some point a person has to look, not the machine to try once more.

A monitor that is wrong, or a fault that no version of the model mends, would else walk back through all that ever
served. What serves goes on at the limit; candidates can still be dropped, and a person can still roll back.
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
    """Return the rollbacks that count against the limit."""
    return [entry for entry in status.rollbacks if entry.at + DAY > now]


def count(status: ModelDeploymentStatus, number: int, reason: str, now: datetime) -> ModelDeploymentStatus:
    """Return the status with one more rollback that nobody asked for."""
    entry = AutomaticRollback(number=number, reason=cut(reason), at=now)
    return status.model_copy(update={"rollbacks": [*status.rollbacks, entry][-MAX_ENTRIES:]})


def problem(status: ModelDeploymentStatus, deployment: ModelDeployment, now: datetime) -> Problem | None:
    """Return why nothing more is rolled back without a person's word, or None while it may be."""
    limit = deployment.spec.limits.max_rollbacks_per_day
    day = recent(status, now)
    if len(day) < limit:
        return None
    if limit == 0:
        return Problem(ROLLBACKS_FROZEN, "limits.maxRollbacksPerDay is 0, so nothing is rolled back by itself")
    until = ends_at(status, deployment, now)
    end = f" until {time_text(until)}" if until else ""
    return Problem(
        ROLLBACKS_FROZEN,
        f"{len(day)} versions were rolled back by themselves within 24 h, and limits.maxRollbacksPerDay is {limit}:"
        f" what serves goes on, and nothing more is rolled back by itself{end}; find out why, then use a Rollback",
    )


def ends_at(status: ModelDeploymentStatus, deployment: ModelDeployment, now: datetime) -> datetime | None:
    """Return when the limit, if it is reached, leaves room for one more."""
    limit, times = deployment.spec.limits.max_rollbacks_per_day, sorted(entry.at for entry in recent(status, now))
    return times[-limit] + DAY if 0 < limit <= len(times) else None
