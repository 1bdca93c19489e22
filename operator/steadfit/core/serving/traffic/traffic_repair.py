"""Repair of what decides where requests go and someone else has changed: the HTTPRoute and the Services.

Each of them has an annotation with the digest of what the operator wrote last. If something else stands there, or the
annotation is gone as after `kubectl replace`, someone else has written it. The repair has the pauses of
`repair_pauses.py`. A new decision of the operator waits for none: the status has what the last repair has written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.rollout import TrafficRepair
from steadfit.core.serving import ownership, repair_pauses
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.ownership import is_foreign
from steadfit.core.types import Action, Manifest, Replace

from . import http_route, service

MAX_ENTRIES = 6
ROUTE: Final = "HTTPRoute"
Key = tuple[str, str]
"""Kind and name of an object."""
Point = Callable[[ModelDeploymentStatus], Sequence[Action]]


def decide(status: ModelDeploymentStatus, fleet: Fleet, now: datetime, point: Point) -> ModelDeploymentStatus:
    """Return the status with the repairs that are to be made, one entry for each object.

    `point` returns the writes that the status asks for. A changed object that none of them puts right is not counted.
    """
    changed = list(_changed(fleet))
    if not changed and not status.traffic_repairs:
        return status
    known: dict[Key, TrafficRepair] = {(entry.kind, entry.name): entry for entry in status.traffic_repairs}
    writes = {_key(one.manifest): one.manifest for one in point(status) if isinstance(one, Replace)} if changed else {}
    entries = []
    for found in changed:
        key = _key(found)
        if key in writes:
            entries.append(_next(known.pop(key, None), found, writes[key], now))
    right = {_key(found): _written(found) for found in _ours(fleet)} if known else {}
    entries += [
        rested
        for key, entry in known.items()
        if repair_pauses.is_kept(rested := _rest(entry, right.get(key), now), now)
    ]
    entries.sort(key=lambda entry: entry.at)
    return status.model_copy(update={"traffic_repairs": entries[-MAX_ENTRIES:]})


def allowed(actions: Sequence[Action], status: ModelDeploymentStatus) -> Sequence[Action]:
    """Return the actions without the repairs that wait."""
    waiting: set[Key] = {(entry.kind, entry.name) for entry in status.traffic_repairs if repair_pauses.waits(entry)}
    if not waiting:
        return actions
    return [one for one in actions if not (isinstance(one, Replace) and _key(one.manifest) in waiting)]


def due(status: ModelDeploymentStatus) -> datetime | None:
    """Return when a repair has to be made, has failed or is forgotten; None if there is none."""
    return min(map(repair_pauses.due, status.traffic_repairs), default=None)


def contest(status: ModelDeploymentStatus, *, of_route: bool) -> str:
    """Return who has to do what about the HTTPRoute, or a Service, that was put right too often; empty if none was."""
    for entry in status.traffic_repairs:
        if (entry.kind == ROUTE) == of_route:
            command = f"kubectl get {entry.kind.lower()} {entry.name}"
            if found := repair_pauses.contest(entry, f"{entry.kind} {entry.name}", command):
                return found
    return ""


def _next(entry: TrafficRepair | None, found: Manifest, write: Manifest, now: datetime) -> TrafficRepair:
    """Return the entry of a changed object: a repair that is under way, the next one, or the wait for it."""
    change, field, written = _change(found), _first_difference(found, write), _written(write)
    step = repair_pauses.step(entry, now, same=entry is not None and entry.change == change)
    # An earlier operator has stored no `written`; the annotations tell it.
    decided = entry is not None and written != (entry.written or _written(found))
    if entry is not None and step == "go on" and not decided:
        return entry
    if entry is not None and step == "wait" and not decided:
        return entry.model_copy(update={"change": None, "field": field, "since": None, "written": written})
    # A decision is no repair, though it ends a change.
    count = 1 if entry is None else entry.count + (step == "repair")
    return TrafficRepair(
        kind="HTTPRoute" if found["kind"] == ROUTE else "Service",
        name=found["metadata"]["name"],
        change=change,
        field=field,
        at=now,
        count=count,
        written=written,
    )


def _rest(entry: TrafficRepair, written: str | None, now: datetime) -> TrafficRepair:
    """Return the entry of an object that is as it should be, by what the operator has written since."""
    rested = repair_pauses.rest(entry, now)
    return rested.model_copy(update={"written": written}) if written and written != rested.written else rested


def _change(found: Manifest) -> str:
    """Return what names a change: the generation, or the resourceVersion of an object that has none."""
    metadata = found["metadata"]
    return str(metadata.get("generation") or metadata["resourceVersion"])


def _written(manifest: Manifest) -> str:
    """Return the digest of what an object was last given by the operator, and the decision that it follows."""
    return f"{ownership.written(manifest)} {ownership.decided(manifest)}".strip()


def _changed(fleet: Fleet) -> Iterator[Manifest]:
    """Yield the objects of ours in which something else stands than the operator has written last."""
    for found in _ours(fleet):
        if found["kind"] == ROUTE:
            if http_route.is_changed(found):
                yield found
        elif service.is_changed(found):
            yield found


def _ours(fleet: Fleet) -> Iterator[Manifest]:
    observed = fleet.observed
    for found in (observed.route, observed.service, *observed.services):
        if found is None or is_foreign(observed.deployment, found) or "deletionTimestamp" in found["metadata"]:
            continue
        yield found


def _first_difference(found: Manifest, write: Manifest) -> str:
    """Return the first field of the spec that a write changes."""
    stored, wished = found.get("spec", {}), write["spec"]
    differs = (name for name in sorted({*stored, *wished}) if stored.get(name) != wished.get(name))
    return next((f"spec.{name}" for name in differs), "metadata.annotations")


def _key(manifest: Manifest) -> Key:
    return str(manifest["kind"]), str(manifest["metadata"]["name"])
