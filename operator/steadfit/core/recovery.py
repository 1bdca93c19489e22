"""Recovery: what follows by itself when a monitor says that what serves is worse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from steadfit.api.modeldeployment import ModelDeploymentStatus

from .fleet import Fleet
from .monitor import FIRING, Watched
from .probation import applies
from .problem import Problem
from .rollback import restore


def act(
    status: ModelDeploymentStatus, watched: Sequence[Watched], fleet: Fleet, now: datetime
) -> ModelDeploymentStatus:
    """Return the status after what the monitors lead to."""
    deployment = fleet.observed.deployment
    if not applies(status, deployment, now):
        return status
    actions = {monitor.name: monitor.action for monitor in deployment.spec.monitors}
    for one in watched:
        state = one.state
        if state.phase != FIRING or actions.get(state.name) != "Rollback":
            continue
        outcome = restore(status, fleet, number=None, reason=state.message, by=f"monitor {state.name}", now=now)
        return status if isinstance(outcome, Problem) else outcome
    return status
