"""Refresh with a selector: one ModelDeployment after the other, until one fails.

The action decides only whose turn it is. A ModelDeployment executes it then, and its record under the uid of the action
says what became of it, so the progress follows from what is stored. A pod template that failed goes no further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from steadfit.api.actionrecord import ActionPhase
from steadfit.api.base import parse_duration
from steadfit.api.modelaction import MAX_REFUSALS, ModelAction, Pace, RefreshProgress, RefreshRefusal, RefreshTurn
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core.action_acceptance import expired, precedes
from steadfit.core.reasons.catalogue import ReasonWord
from steadfit.core.serving import bake
from steadfit.core.store_choice import selects
from steadfit.core.text import cut, time_text
from steadfit.core.types import ObservedModelAction

LONGEST_REFUSAL: Final = 256
LONGEST_FAILURE: Final = 512


@dataclass(frozen=True, slots=True)
class Step:
    """How far the action has come: its phase and message, its progress, and when it goes on without any change."""

    phase: ActionPhase
    reason: ReasonWord
    message: str
    progress: RefreshProgress | None = None
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where one ModelDeployment stands."""

    state: Literal["Waiting", "UnderWay", "Refreshed", "Refused", "Failed"]
    reason: str = ""
    message: str = ""
    turn: RefreshTurn | None = None
    until: datetime | None = None


def advance(observed: ObservedModelAction, now: datetime) -> Step:
    """Return the next step of a Refresh with a selector."""
    action = observed.action
    pace, before = action.spec.pace or Pace(), action.status.progress
    members = selected(action, observed.scope)
    if before is None and (why := _returned(action, members)):
        return Step("Rejected", "Expired", why)
    if not members:
        return Step("Rejected", "TargetNotFound", f"no ModelDeployment{_where(action)} matches spec.target.selector")
    turns = {turn.uid: turn for turn in before.under_way} if before else {}
    standings = [(one, _standing(one, action, turns.get(one.uid), pace, now)) for one in members]
    failed = next(((one, at) for one, at in standings if at.state == "Failed"), None)
    if failed is not None:
        return _stopped(action, standings, *failed)
    free = pace.max_concurrent - sum(at.state == "UnderWay" for _, at in standings)
    for index, (one, at) in enumerate(standings):
        if free > 0 and at.state == "Waiting":
            turn = RefreshTurn(namespace=one.metadata.namespace or "", name=one.name, uid=one.uid, since=now)
            standings[index] = one, _under_way(turn, pace)
            free -= 1
    progress = _progress(standings)
    if not progress.under_way:
        return _finished(action, progress)
    ends = [at.until for _, at in standings if at.until is not None]
    under_way = ", ".join(f"{_name(action, turn)} ({_stands(turn, pace)})" for turn in progress.under_way)
    return Step("Pending", "Pending", cut(f"{_count(progress)}; under way: {under_way}"), progress, min(ends))


def selected(action: ModelAction, scope: Sequence[ModelDeployment]) -> list[ModelDeployment]:
    """Return the ModelDeployments that an action selects, in the order of their turns.

    One that is younger than the action has the present pod template from the start.
    """
    selector = action.spec.target.selector
    found = [
        one
        for one in scope
        if selector is not None
        and selects(selector, one.metadata.labels)
        and one.metadata.deletion_timestamp is None
        and not precedes(action, one)
    ]
    return sorted(found, key=lambda one: (one.metadata.namespace or "", one.name))


def _standing(
    member: ModelDeployment, action: ModelAction, turn: RefreshTurn | None, pace: Pace, now: datetime
) -> _Standing:
    record = next((one for one in member.status.actions if one.uid == action.uid), None)
    if record is None and turn is None:
        return _Standing("Waiting")
    if record is not None and record.phase == "Rejected":
        state: Literal["Failed", "Refused"] = "Failed" if record.reason == "RefreshFailed" else "Refused"
        return _Standing(state, record.reason or "ActionRejected", record.message)
    if record is not None and record.phase == "Succeeded":
        return _live(member, turn, turn.since if turn is not None else record.at, pace, now)
    if turn is None:
        at = record.at if record is not None else now
        turn = RefreshTurn(namespace=member.metadata.namespace or "", name=member.name, uid=member.uid, since=at)
    found = _under_way(turn, pace)
    if found.until is not None and found.until <= now:
        step = "its rollout has deadlines of its own, and Abort ends it" if record else "its status says what it does"
        return _Standing("Failed", message=f"it is not live with the new pods after {pace.member_deadline}; {step}")
    return found


def _live(member: ModelDeployment, turn: RefreshTurn | None, since: datetime, pace: Pace, now: datetime) -> _Standing:
    """Return the standing of one that went live with its new pods: its turn lasts for the bake.

    A later rollback stops the action too, unless the model alone had changed.
    """
    status, live = member.status, member.status.live
    worse = next((entry for entry in status.quarantine if entry.at >= since and entry.digest is None), None)
    if worse is not None:
        return _Standing("Failed", message=f"version {worse.number} was rolled back: {worse.reason} ({worse.by})")
    end = bake.until(status, member)
    if turn is None or live is None or end is None or live.since < since:
        return _Standing("Refreshed")
    until = min(end, live.since + parse_duration(pace.bake_duration))
    if now >= until:
        return _Standing("Refreshed")
    return _Standing("UnderWay", turn=turn.model_copy(update={"bakes_until": until}), until=until)


def _under_way(turn: RefreshTurn, pace: Pace) -> _Standing:
    turn = turn.model_copy(update={"bakes_until": None})
    return _Standing("UnderWay", turn=turn, until=turn.since + parse_duration(pace.member_deadline))


def _stands(turn: RefreshTurn, pace: Pace) -> str:
    """Return how far the turn of a ModelDeployment is, and when that ends at the latest."""
    if turn.bakes_until is not None:
        return f"live, bakes until {time_text(turn.bakes_until)}"
    return f"to be live by {time_text(turn.since + parse_duration(pace.member_deadline))}"


def _returned(action: ModelAction, members: Sequence[ModelDeployment]) -> str | None:
    """Return why an action is not new, in a sentence; None if it is new to all of its targets."""
    found = (expired(action, member, member.status.actions, ()) for member in members)
    return next((why for why in found if why), None)


def _progress(standings: Sequence[tuple[ModelDeployment, _Standing]]) -> RefreshProgress:
    refusals = [
        RefreshRefusal(
            namespace=one.metadata.namespace or "",
            name=one.name,
            reason=at.reason,
            message=cut(at.message, LONGEST_REFUSAL),
        )
        for one, at in standings
        if at.state == "Refused"
    ]
    return RefreshProgress(
        total=len(standings),
        refreshed=sum(at.state == "Refreshed" for _, at in standings),
        refused=len(refusals),
        under_way=[at.turn for _, at in standings if at.turn is not None],
        refusals=refusals[:MAX_REFUSALS],
    )


def _stopped(
    action: ModelAction,
    standings: Sequence[tuple[ModelDeployment, _Standing]],
    member: ModelDeployment,
    failure: _Standing,
) -> Step:
    """Return the end of an action at the first ModelDeployment that failed; others under way have their own judges."""
    progress = _progress(standings)
    others = [_name(action, turn) for turn in progress.under_way]
    message = (
        f"ModelDeployment {_name(action, member)}: {cut(failure.message, LONGEST_FAILURE)}. Stopped:"
        + f" {_count(progress)};"
        + (f" {', '.join(others)} go on by their own strategies;" if others else "")
        + " the rest keep the pods that they have. Correct the cause, then create another Refresh: it leaves those that"
        " are up to date alone"
    )
    return Step("Rejected", "RefreshStopped", cut(message), progress.model_copy(update={"under_way": []}))


def _finished(action: ModelAction, progress: RefreshProgress) -> Step:
    """Return the end of an action after the last turn."""
    refused = ", ".join(f"{_name(action, one)} ({one.reason})" for one in progress.refusals)
    message = cut(_count(progress) + (f": {refused}" if refused else ""))
    if progress.refreshed == 0:
        return Step("Rejected", "ActionRejected", message, progress)
    return Step("Succeeded", "Succeeded", message, progress)


def _count(progress: RefreshProgress) -> str:
    refused = f", {progress.refused} refused" if progress.refused else ""
    return f"{progress.refreshed} of {progress.total} ModelDeployments are refreshed{refused}"


def _where(action: ModelAction) -> str:
    return "" if action.spec.target.all_namespaces else f" of namespace {action.metadata.namespace}"


def _name(action: ModelAction, one: ModelDeployment | RefreshTurn | RefreshRefusal) -> str:
    namespace = one.metadata.namespace if isinstance(one, ModelDeployment) else one.namespace
    return f"{namespace}/{one.name}" if action.spec.target.all_namespaces else one.name
