"""Rollback: the live revision goes into quarantine, and the last good one, or a named version, replaces it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from steadfit.api.modelaction import ModelAction
from steadfit.api.modeldeployment import ModelDeploymentStatus, Pin
from steadfit.api.rollout import RevisionRef
from steadfit.core.problem import Problem
from steadfit.core.serving import permitted, quarantine, subject
from steadfit.core.serving.action_result import ActionResult, author
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.messages import describe
from steadfit.core.serving.rollout.rollout import full_candidate
from steadfit.core.serving.selection import going_back, pin, served
from steadfit.core.text import time_text


def roll_back(
    status: ModelDeploymentStatus, action: ModelAction, fleet: Fleet, now: datetime
) -> ActionResult | Problem:
    """Return the result of a Rollback by a person, or why it is rejected.

    It is about the revision that was live when it was created. Two people who roll back one fault want it gone: the
    second Rollback succeeds with the first one, and quarantines nothing.
    """
    spec, live = action.spec, status.live
    if live is not None and subject.precedes_live(action, status, fleet):
        return _of_replaced(status, live, action, fleet)
    entry = quarantine.entry_of(live, status, fleet) if live is not None and spec.version is None else None
    if live is not None and entry is not None:
        return ActionResult(status, f"version {live.number} is being rolled back already, by {entry.by}", done=False)
    after = restore(status, fleet, number=spec.version, reason=spec.reason, by=author(action), now=now)
    return after if isinstance(after, Problem) else ActionResult(after, "rolling back", done=False)


def _of_replaced(
    status: ModelDeploymentStatus, live: RevisionRef, action: ModelAction, fleet: Fleet
) -> ActionResult | Problem:
    """Return the result of a Rollback that was created before the live revision took over."""
    then = subject.replaced_live(action, status, fleet)
    entry = subject.quarantine_of(then, status) if then is not None else None
    if then is None or entry is None or action.spec.version not in (None, live.number):
        return subject.live_problem(action, live, then)
    return ActionResult(
        status,
        f"{describe(then)} is in quarantine already, by {entry.by}; {describe(live)} serves since"
        f" {time_text(live.since)}, and is not rolled back by this action",
    )


def restore(
    status: ModelDeploymentStatus,
    fleet: Fleet,
    *,
    number: int | None,
    reason: str,
    by: str,
    now: datetime,
    excluding: Collection[str] = (),
) -> ModelDeploymentStatus | Problem:
    """Return the status with the live revision in quarantine and a good one as candidate, or why there is none.

    Both are one write, so that a crash leaves no quarantine without a replacement. The bad revision answers until the
    good one is ready. A previous candidate is dropped without quarantine, as a rollback is about the live version. The
    pin of a Pin action is removed, or it would serve the bad version again.

    Parameters
    ----------
    number
        Version to roll back to; None for the best one.
    excluding
        Digests of artifacts of which no revision may replace the live one.
    """
    live = status.live
    if live is None:
        return Problem("NotServing", "no version serves yet, so there is nothing to roll back")
    good = _replacement(status, live, number, excluding, fleet, now)
    if isinstance(good, Problem):
        return good
    quarantined = quarantine.enter(status, live, good, reason=reason, by=by, now=now)
    update = {
        "override": None,
        "promoted": None,
        "candidate": full_candidate(status.model_copy(update={"candidate": None}), good, fleet),
        # What a person names serves although it was abandoned before, as by a Promote.
        "abandoned": [entry for entry in status.abandoned if entry.revision != good.revision],
    }
    return served.enter(quarantined, good, now).model_copy(update=update)


def next_step(live: RevisionRef, status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return what a person does about a live version where no version that served before is left."""
    others = (one for one in fleet.versions.newest_first if one.spec.artifact.digest != live.digest)
    other = next((one.spec.number for one in others if not permitted.bar(one, status, fleet)), None)
    step = "train another version" if other is None else f"a Rollback to version {other}, by its number, replaces it"
    if fleet.desired_replicas == 0:
        return f"{step}; nothing answers meanwhile, as spec.server.replicas is 0"
    return f"{step}; spec.server.replicas 0 stops serving meanwhile"


def _replacement(
    status: ModelDeploymentStatus,
    live: RevisionRef,
    number: int | None,
    excluding: Collection[str],
    fleet: Fleet,
    now: datetime,
) -> RevisionRef | Problem:
    """Return the revision that replaces the live one: the best one, or that of the named version."""
    if number is None:
        back = going_back.best(status, fleet, now, excluding=excluding)
        problem = back.problem(live)
        return back.revision or replace(problem, message=f"{problem.message}; {next_step(live, status, fleet)}")
    proven = going_back.proven(status, fleet, now)
    named = pin.find(Pin(version=number), fleet)

    def is_meant(ref: RevisionRef) -> bool:
        # A version of another TrainingJob may have the number.
        return ref.number == number and (named is None or named.spec.artifact.digest == ref.digest)

    if isinstance(proven, RevisionRef) and is_meant(proven):
        return proven
    if is_meant(live):
        return Problem("AlreadyServing", f"version {number} serves already; name another version")
    return pin.resolve(Pin(version=number), status, fleet, now)
