"""Repair of what decides where requests go and someone else has changed: the HTTPRoute and the Services.

Each of them has an annotation with the digest of what the operator wrote last. If something else stands there, someone
else has written it. The repair has the pauses of `repair_pauses.py`. A new decision of the operator waits for none.
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
            entries.append(_next(known.pop(key, None), found, _first_difference(found, writes[key]), now))
    entries += [
        rested for entry in known.values() if repair_pauses.is_kept(rested := repair_pauses.rest(entry, now), now)
    ]
    entries.sort(key=lambda entry: entry.at)
    return status.model_copy(update={"traffic_repairs": entries[-MAX_ENTRIES:]})


def allowed(actions: Sequence[Action], status: ModelDeploymentStatus, fleet: Fleet) -> Sequence[Action]:
    """Return the actions without the repairs that wait; what the operator has decided since waits for none."""
    waiting: set[Key] = {(entry.kind, entry.name) for entry in status.traffic_repairs if repair_pauses.waits(entry)}
    if not waiting:
        return actions
    observed = {_key(found): found for found in _ours(fleet)}
    return [one for one in actions if not _waits(one, waiting, observed)]


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


def _next(entry: TrafficRepair | None, found: Manifest, field: str, now: datetime) -> TrafficRepair:
    """Return the entry of a changed object: a repair that is under way, the next one, or the wait for it."""
    change = _change(found)
    step = repair_pauses.step(entry, now, same=entry is not None and entry.change == change)
    if entry is not None and step == "go on":
        return entry
    if entry is not None and step == "wait":
        return entry.model_copy(update={"change": None, "field": field, "since": None})
    count = entry.count + 1 if entry is not None else 1
    return TrafficRepair(
        kind="HTTPRoute" if found["kind"] == ROUTE else "Service",
        name=found["metadata"]["name"],
        change=change,
        field=field,
        at=now,
        count=count,
    )


def _change(found: Manifest) -> str:
    """Return what names a change: the generation, or the resourceVersion of an object that has none."""
    metadata = found["metadata"]
    return str(metadata.get("generation") or metadata["resourceVersion"])


def _waits(action: Action, waiting: set[Key], observed: dict[Key, Manifest]) -> bool:
    """Return whether an action is a repair that waits: it says nothing that the operator has not written before."""
    key = _key(action.manifest)
    if not isinstance(action, Replace) or key not in waiting or key not in observed:
        return False
    said = (ownership.written(action.manifest), ownership.decided(action.manifest))
    return said == (ownership.written(observed[key]), ownership.decided(observed[key]))


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
