"""Automatic rollback of the live version by a monitor, or by the failures of its servers.

A monitor of action Rollback rolls back a version while it bakes, and so do servers that do not stay up. A monitor of
action Recover does so at any time, but only after a diagnosis has found the last good version better on the same rows.
The quarantine and the choice of the replacement are one write, and count against a limit. Without data, and in a dry
run, nothing is rolled back.

A candidate that fails its analysis is ended by `rollout/canary.py` before it is live.
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
from steadfit.core.serving.selection import pin
from steadfit.core.serving.stability import instability

from . import diagnosis, rollback_limit
from .rollback import restore

BY = "monitor "
"""Prefix of the author of a monitor's rollback; the monitor's name follows."""


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """A rollback that a monitor requests, or that the failures of servers do.

    Attributes
    ----------
    by
        `monitor` with its name, or `stability`.
    reason
        Message of the monitor or of its diagnosis, or the failures.
    excluding
        Digests of artifacts to which the rollback does not go: a diagnosis has found another one better.
    """

    by: str
    reason: str
    excluding: frozenset[str] = frozenset()


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
    outcome = restore(
        status, fleet, number=None, reason=request.reason, by=request.by, now=now, excluding=request.excluding
    )
    if isinstance(outcome, Problem):
        return status
    after = rollback_limit.count(outcome, live.number, request.reason, now)
    return diagnosis.rolled_back(after, request.by.removeprefix(BY)) if request.by.startswith(BY) else after


def rollback_request(
    status: ModelDeploymentStatus, states: Sequence[MonitorState], fleet: Fleet, now: datetime
) -> RollbackRequest | None:
    """Return the first rollback that is requested, even if it is impossible.

    Monitors come first, in the spec's order, and then the failures of the live servers.
    """
    live = status.live
    if live is None or is_quarantined(live, status, fleet):
        return None
    if status.override is not None and pin.names(pin.of_action(status.override), live):
        # A Pin action is a decision made with the monitor in view, unlike spec.pin, which was written before.
        return None
    monitors = {monitor.name: monitor for monitor in fleet.observed.deployment.spec.monitors}
    for state in states:
        monitor = monitors.get(state.name)
        if monitor is None or state.phase != FIRING:
            continue
        if monitor.action == "Rollback" and _is_about_live(monitor, status, fleet, now):
            return RollbackRequest(f"{BY}{state.name}", state.message)
        found = diagnosis.for_state(status, state) if monitor.action == "Recover" else None
        if found is not None and found.verdict == "ModelWorse":
            return RollbackRequest(f"{BY}{state.name}", found.message, diagnosis.excluded(found, live))
    unstable = instability.of_live(status, fleet, now)
    return RollbackRequest(instability.BY, unstable.reason) if unstable and unstable.fails else None


def awaited(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> tuple[Monitor, datetime] | None:
    """Return a monitor that fires and rolls back only at a later time, within the bake; None without one.

    Its window still holds the answers of other pods of the same version until then.
    """
    deployment, live, override = fleet.observed.deployment, status.live, status.override
    pinned = override is not None and live is not None and pin.names(pin.of_action(override), live)
    if deployment.spec.dry_run or pinned:
        return None
    end, firing = bake.until(status, deployment), {state.name for state in status.monitors if state.phase == FIRING}
    for monitor in deployment.spec.monitors:
        at = _alone_since(monitor, status)
        if monitor.action == "Rollback" and monitor.name in firing and at and end and now < at < end:
            return monitor, at
    return None


def is_automatic(by: str) -> bool:
    """Return whether the author of a quarantine is an automatic rollback of what was live."""
    return by == instability.BY or by.startswith(BY)


def changes_at(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> list[datetime]:
    """Return the future times at which the decision may change without a change of what is observed."""
    deployment = fleet.observed.deployment
    times = [entry.at + rollback_limit.DAY for entry in status.rollbacks]
    times += diagnosis.changes_at(status, fleet)
    for monitor in deployment.spec.monitors:
        if monitor.action == "Rollback":
            times += [at for at in (bake.until(status, deployment), _alone_since(monitor, status)) if at]
    return [at for at in times if at > now]


def _is_about_live(monitor: Monitor, status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> bool:
    """Return whether the values of a monitor of action Rollback are of the live revision alone, and it bakes."""
    if not bake.applies(status, fleet.observed.deployment, now):
        return False
    candidate, live = status.candidate, status.live
    if candidate and live and candidate.number == live.number and candidate.analysed_since:
        return False
    since = _alone_since(monitor, status)
    return since is None or since <= now


def _alone_since(monitor: Monitor, status: ModelDeploymentStatus) -> datetime | None:
    """Return when a monitor's window starts to cover the live revision alone; None if it always has.

    Series have the label of the version, not of the revision. If the same version was served by another revision not
    long ago, such as one with a bad server image, its errors are still in the window. A query may have no label at all.
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
    if monitor.query is not None and any(entry.number > live.number for entry in status.quarantine):
        # An expression of one's own may still show the newer version that was rolled back.
        ends.append(live.since)
    return max(*ends, live.since) + parse_duration(monitor.window) if ends else None
