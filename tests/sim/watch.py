"""The watches of one operator process: late, sometimes repeated, sometimes down.

As with real watches, the news of one resource arrives in order; the resources overtake each other. A watch that was
down comes back with a list of what is there now: changes in between are merged into one, and a deletion is never told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from steadfit.app.engine.refusals import FIELD_SELECTOR
from steadfit.kube.resources import CHILDREN, EVENTS, WATCHED, Resource

from .loop import SimLoop
from .objects import JSON, clone, has_fields, selected
from .store import Change, Store

MANAGED = "app.kubernetes.io/managed-by=steadfit"
_BY_KIND = {(resource.api_version, resource.kind): resource for resource in (*WATCHED, EVENTS)}

OnEvent = Callable[[str | None, JSON], None]


@dataclass(frozen=True, slots=True)
class Lag:
    """How bad the watches are."""

    seconds: float = 0.2
    """Longest delay of one event."""
    repeated: float = 0.0
    """Share of the events that arrive twice."""
    down: float = 0.0
    """Chance that a change breaks the watch of its resource."""
    down_seconds: float = 20.0
    """Longest time a watch stays down."""


class Watches:
    """Tells one process of the commits in the store."""

    def __init__(self, loop: SimLoop, store: Store, rng: Random, lag: Lag, on_event: OnEvent) -> None:
        self._loop = loop
        self._store = store
        self._rng = rng
        self.lag = lag
        self._on_event = on_event
        self._arrival: dict[Resource, float] = {}
        self._down: set[Resource] = set()
        self._held: list[tuple[str | None, JSON]] | None = None
        self._closed = False
        for resource in _BY_KIND.values():
            self._come_back(resource)
        store.listeners.append(self._on_change)

    def close(self) -> None:
        """Tell nothing any more."""
        self._closed = True
        self._store.listeners.remove(self._on_change)

    def pause(self) -> None:
        """Hold everything back: the process does not run."""
        self._held = []

    def resume(self) -> None:
        """Tell what was held back, and go on."""
        held, self._held = self._held or [], None
        for type_, obj in held:
            self._ring(type_, obj)

    def _on_change(self, change: Change) -> None:
        resource = _BY_KIND.get((change.ref.api_version, change.ref.kind))
        if resource is None or resource in self._down or not _is_selected(resource, change.new):
            return
        if self._rng.random() < self.lag.down:
            self._down.add(resource)
            self._loop.call_later(self._rng.uniform(0.1, self.lag.down_seconds), self._come_back, resource)
            return
        selector = MANAGED if resource in CHILDREN else None
        was = change.old is not None and selected(change.old, selector)
        if change.type == "DELETED" or not selected(change.new, selector):
            type_: str | None = "DELETED" if was else None
        else:
            type_ = "MODIFIED" if was else "ADDED"
        if type_ is not None:
            self._send(resource, type_, change.new)
            if self._rng.random() < self.lag.repeated:
                self._send(resource, type_, change.new)

    def _come_back(self, resource: Resource) -> None:
        self._down.discard(resource)
        if self._closed:
            return
        selector = MANAGED if resource in CHILDREN else None
        for obj in self._store.peek(resource.kind, selector=selector, api_version=resource.api_version):
            if _is_selected(resource, obj):
                self._send(resource, None, obj)

    def _send(self, resource: Resource, type_: str | None, obj: Mapping[str, Any]) -> None:
        at = self._loop.time() + self._rng.uniform(0.001, self.lag.seconds)
        # Later than the last one of this resource, so that the loop's shuffle cannot swap the two.
        self._arrival[resource] = at = max(at, self._arrival.get(resource, 0.0) + 1e-6)
        self._loop.call_at(at, self._arrive, type_, clone(dict(obj)))

    def _arrive(self, type_: str | None, obj: JSON) -> None:
        if self._held is not None:
            self._held.append((type_, obj))
        else:
            self._ring(type_, obj)

    def _ring(self, type_: str | None, obj: JSON) -> None:
        if not self._closed:
            self._on_event(type_, obj)


def _is_selected(resource: Resource, obj: Mapping[str, Any]) -> bool:
    return resource != EVENTS or has_fields(obj, FIELD_SELECTOR)
