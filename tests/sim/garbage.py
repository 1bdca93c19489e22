"""The garbage collector: what has lost all its owners goes, and what is deleted in the foreground goes last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from steadfit.kube.client import APIError

from .loop import SimLoop
from .objects import Ref, ref_of
from .store import Change, Store

MANAGER = "kube-controller-manager"
DELAY = 0.5


class GarbageCollector:
    """Follows owner references by uid."""

    def __init__(self, loop: SimLoop, store: Store) -> None:
        self._loop = loop
        self._store = store
        store.listeners.append(self._on_change)

    def _on_change(self, change: Change) -> None:
        if change.type == "MODIFIED" and "deletionTimestamp" not in change.new["metadata"]:
            return
        self._loop.call_later(DELAY, self._collect, change)

    def _collect(self, change: Change) -> None:
        if change.type == "ADDED":
            self._delete_if_orphan(self._store.find(change.ref))
            return
        dependents = list(self._dependents(change.new))
        for dependent in dependents:
            if change.type == "DELETED":
                self._delete_if_orphan(dependent)
            elif "foregroundDeletion" in change.new["metadata"].get("finalizers", ()):
                self._delete(ref_of(dependent), dependent, "Foreground")
        if change.type == "DELETED":
            for reference in change.new["metadata"].get("ownerReferences", ()):
                self._release(Ref(reference["apiVersion"], reference["kind"], change.ref.namespace, reference["name"]))
        elif not dependents:
            self._release(change.ref)

    def _dependents(self, owner: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        uid = owner["metadata"]["uid"]
        for obj in self._store.all():
            if any(reference["uid"] == uid for reference in obj["metadata"].get("ownerReferences", ())):
                yield obj

    def _delete_if_orphan(self, obj: Mapping[str, Any] | None) -> None:
        references = obj["metadata"].get("ownerReferences", ()) if obj else ()
        if obj is not None and references and not any(self._exists(obj, reference) for reference in references):
            self._delete(ref_of(obj), obj, "Background")

    def _exists(self, obj: Mapping[str, Any], reference: Mapping[str, Any]) -> bool:
        namespace = obj["metadata"].get("namespace")
        owner = self._store.find(Ref(reference["apiVersion"], reference["kind"], namespace, reference["name"]))
        return owner is not None and owner["metadata"]["uid"] == reference["uid"]

    def _delete(self, ref: Ref, obj: Mapping[str, Any], propagation: str) -> None:
        try:
            self._store.delete(ref, MANAGER, preconditions={"uid": obj["metadata"]["uid"]}, propagation=propagation)
        except APIError:
            return

    def _release(self, ref: Ref) -> None:
        """Let an object go that waited for its dependents."""
        owner = self._store.find(ref)
        if owner is None or "foregroundDeletion" not in owner["metadata"].get("finalizers", ()):
            return
        if not any(self._dependents(owner)):
            self._store.edit(ref, lambda obj: obj["metadata"]["finalizers"].remove("foregroundDeletion"), MANAGER)
