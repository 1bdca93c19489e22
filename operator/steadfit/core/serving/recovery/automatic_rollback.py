"""Recovery: what follows by itself when what is measured says that what serves is worse.

A monitor of action Rollback puts a version back while the version bakes. One of action Recover does so at any time, but
only when a diagnosis has found the last good version to be better on the same rows. Quarantine and the way out of it
are one write, counted against a limit. Nothing follows from no data, and in a dry run everything is only told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from steadfit.api.base import parse_duration
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.monitor import Monitor, MonitorState
from steadfit.core.monitors.evaluation import FIRING, MonitorResult
from steadfit.core.problem import Problem
from steadfit.core.serving import bake
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.quarantine import is_quarantined

from . import diagnosis, rollback_limit
from .rollback import restore

BY = "monitor "
"""How a rollback that a monitor led to is signed, with the monitor's name behind it."""


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """A rollback that a monitor asks for.

    Attributes
    ----------
    monitor
        Name of the monitor.
    reason
        What it says, in a sentence.
    """

    monitor: str
    reason: str


def act(
    status: ModelDeploymentStatus, results: Sequence[MonitorResult], fleet: Fleet, now: datetime
) -> ModelDeploymentStatus:
    """Return the status after what the monitors lead to."""
    deployment = fleet.observed.deployment
    status = status.model_copy(update={"rollbacks": rollback_limit.recent(status, now)})
    status = diagnosis.follow(status, results, fleet, now)
    request, live = rollback_request(status, [result.state for result in results], fleet, now), status.live
    if request is None or live is None or deployment.spec.dry_run or rollback_limit.problem(status, deployment, now):
        return status
    outcome = restore(status, fleet, number=None, reason=request.reason, by=f"{BY}{request.monitor}", now=now)
    if isinstance(outcome, Problem):
        return status
    return diagnosis.rolled_back(rollback_limit.count(outcome, live.number, request.reason, now), request.monitor)


def rollback_request(
    status: ModelDeploymentStatus, states: Sequence[MonitorState], fleet: Fleet, now: datetime
) -> RollbackRequest | None:
    """Return the rollback that the monitors ask for, whether or not it can be done; the first in the spec's order."""
    live = status.live
    if live is None or is_quarantined(live, status, fleet):
        return None
    if status.override is not None and status.override.number == live.number:
        # Somebody decided so in the middle of it, and knows what the monitor says; Git's pin was written before.
        return None
    monitors = {monitor.name: monitor for monitor in fleet.observed.deployment.spec.monitors}
    for state in states:
        monitor = monitors.get(state.name)
        if monitor is None or state.phase != FIRING:
            continue
        if monitor.action == "Rollback" and _counts(monitor, status, fleet, now):
            return RollbackRequest(state.name, state.message)
        found = diagnosis.for_state(status, state) if monitor.action == "Recover" else None
        if found is not None and found.verdict == "ModelWorse":
            return RollbackRequest(state.name, found.message)
    return None


def changes_at(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> list[datetime]:
    """Return the times at which something else follows without any news."""
    deployment = fleet.observed.deployment
    times = [entry.at + rollback_limit.DAY for entry in status.rollbacks]
    times += diagnosis.changes_at(status, fleet)
    for monitor in deployment.spec.monitors:
        if monitor.action == "Rollback":
            times += [at for at in (bake.until(status, deployment), _alone_since(monitor, status)) if at]
    return [at for at in times if at > now]


def _counts(monitor: Monitor, status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> bool:
    """Return whether a monitor of action Rollback speaks of the revision that serves, while it bakes."""
    if not bake.applies(status, fleet.observed.deployment, now):
        return False
    candidate, live = status.candidate, status.live
    if candidate and live and candidate.number == live.number and candidate.analysed_since:
        return False
    since = _alone_since(monitor, status)
    return since is None or since <= now


def _alone_since(monitor: Monitor, status: ModelDeploymentStatus) -> datetime | None:
    """Return from when on a monitor's window holds only what the live revision answered; None = it always did.

    Series are told apart by version. A version that was served by other pods not long ago, by a server that was rolled
    back say, has left its errors in the window, and they are no fault of the pods that have taken its place.
    """
    live = status.live
    if live is None:
        return None
    others = [
        *[(entry.number, entry.revision, entry.at) for entry in status.quarantine],
        *[(entry.number, entry.revision, entry.at) for entry in status.abandoned],
    ]
    ends = [at for number, revision, at in others if number == live.number and revision != live.revision]
    if status.last_good and status.last_good.number == live.number:
        ends.append(live.since)
    return max(*ends, live.since) + parse_duration(monitor.window) if ends else None
