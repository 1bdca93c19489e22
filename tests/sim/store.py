"""The API server's side of a simulated cluster: objects with the semantics that an operator depends on.

Nothing here waits or fails by chance: latency, faults and crashes belong to `client`, lag to `watch`. Whoever writes
(operator, kubelet, user) goes through the same methods, and every commit is told to all listeners in order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from steadfit.kube.client import AlreadyExists, Conflict, Invalid, NotFound

from . import fields
from .builtin import complete
from .objects import JSON, Ref, clone, merge, ref_of, selected, stable_uid
from .schema import admit

Operation = Literal["create", "replace", "apply", "adopt", "patch", "status", "edit", "delete"]

_STATUS_SUBRESOURCE = {"Job", "Deployment", "ReplicaSet", "Pod", "Service", "Namespace", "HTTPRoute"}
_WITHOUT_GENERATION = {"Service", "Namespace", "Secret", "Lease", "Event", "Pod"}


@dataclass(frozen=True, slots=True)
class Change:
    """One commit. Of a deletion `new` is the last state, at the resourceVersion of the deletion."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    ref: Ref
    old: JSON | None
    new: JSON
    manager: str
    operation: Operation
    at: float


class Store:
    """All objects of the cluster, and who owns their fields."""

    def __init__(self, now: Callable[[], datetime], time: Callable[[], float]) -> None:
        self._now = now
        self._time = time
        self._objects: dict[Ref, JSON] = {}
        self._ownership: dict[str, fields.Ownership] = defaultdict(fields.Ownership)
        self._incarnations: dict[Ref, int] = defaultdict(int)
        self.resource_version = 100
        self.unserved: set[str] = {"HTTPRoute"}
        """Kinds of which the cluster has no CRD."""
        self.policies: list[Callable[[JSON, Mapping[str, Any] | None], object]] = []
        """What admission makes of each object that is written, in place; with the stored one, None at its creation."""
        self.listeners: list[Callable[[Change], None]] = []

    def find(self, ref: Ref) -> JSON | None:
        """Return a copy of an object, or None."""
        obj = self._objects.get(ref)
        return clone(obj) if obj is not None else None

    def look(self, ref: Ref) -> Mapping[str, Any] | None:
        """Return the stored object without copying it, or None. A change puts another object in its place."""
        return self._objects.get(ref)

    def get(self, ref: Ref) -> JSON:
        """Return a copy of an object, or raise `NotFound`."""
        return clone(self._stored(ref))

    def peek(
        self, kind: str, namespace: str | None = None, selector: str | None = None, api_version: str | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the stored objects of a kind without copying them, by namespace and name."""
        for ref in sorted(self._objects, key=lambda ref: (ref.namespace or "", ref.name)):
            if ref.kind != kind or namespace not in (None, ref.namespace):
                continue
            if api_version in (None, ref.api_version) and selected(self._objects[ref], selector):
                yield self._objects[ref]

    def all(self) -> list[Mapping[str, Any]]:
        """Return all stored objects without copying them, by kind, namespace and name."""
        return [self._objects[ref] for ref in sorted(self._objects, key=lambda ref: (ref[1], ref[2] or "", ref[3]))]

    def owners_of(self, ref: Ref) -> Mapping[tuple[str, str], set[fields.Path]]:
        """Return who owns which fields of an object."""
        return self._ownership[self._stored(ref)["metadata"]["uid"]].owners

    def check_served(self, kind: str) -> None:
        """Raise `NotFound` if the cluster has no CRD of a kind."""
        if kind in self.unserved:
            raise NotFound(404, "NotFound", "404 page not found")

    def create(self, manifest: Mapping[str, Any], manager: str) -> JSON:
        """Create an object."""
        ref = ref_of(manifest)
        self.check_served(ref.kind)
        if ref in self._objects:
            raise AlreadyExists(409, "AlreadyExists", f"{ref} already exists")
        if "resourceVersion" in manifest["metadata"]:
            raise Invalid(400, "BadRequest", "resourceVersion should not be set on objects to be created")
        if ref.namespace is not None and Ref("v1", "Namespace", None, ref.namespace) not in self._objects:
            raise NotFound(404, "NotFound", f'namespaces "{ref.namespace}" not found')
        new = self._born(ref, manifest)
        set_now, _ = fields.changed_paths(ref, None, new)
        self._ownership[new["metadata"]["uid"]].take((manager, "Update"), set_now)
        return self._commit("ADDED", ref, None, new, manager, "create")

    def replace(self, manifest: Mapping[str, Any], manager: str) -> JSON:
        """Replace all but the status; a resourceVersion or uid in the manifest must be the stored one."""
        ref = ref_of(manifest)
        old = self._fenced(ref, manifest)
        new = clone(dict(manifest))
        return self._update(ref, old, self._with_server_fields(ref, new, old), manager, "replace")

    def apply(self, manifest: Mapping[str, Any], manager: str, *, force: bool = True) -> JSON:
        """Server-side apply, creating the object if need be; a resourceVersion or uid must be the stored one."""
        ref = ref_of(manifest)
        wished = {key: value for key, value in manifest.items() if key != "status" or not _has_status(ref)}
        if ref not in self._objects:
            for fence in ("uid", "resourceVersion"):
                if manifest["metadata"].get(fence):
                    raise Conflict(409, "Conflict", f"{ref} does not exist, but {fence} was given")
            new = self._born(ref, wished)
            fields.apply(ref, None, wished, self._ownership[new["metadata"]["uid"]], manager, force=force)
            return self._commit("ADDED", ref, None, new, manager, "apply")
        old = self._fenced(ref, manifest)
        try:
            new = fields.apply(ref, old, wished, self._ownership[old["metadata"]["uid"]], manager, force=force)
        except fields.FieldConflict as error:
            raise Conflict(409, "Conflict", f"other managers own {error}") from None
        return self._settle(ref, old, self._with_server_fields(ref, new, old), manager, "apply")

    def patch_status(self, manifest: Mapping[str, Any], patch: Mapping[str, Any], manager: str) -> JSON:
        """Merge-patch the status; nothing else of the object changes."""
        ref = ref_of(manifest)
        old = self._fenced(ref, manifest)
        new = {**old, "status": merge(old.get("status", {}), patch)}
        return self._update(ref, old, new, manager, "status")

    def patch_spec(self, manifest: Mapping[str, Any], patch: Mapping[str, Any], manager: str) -> JSON:
        """Merge-patch the spec, and add labels and annotations."""
        ref = ref_of(manifest)
        old = self._fenced(ref, manifest)
        added = {key: manifest["metadata"][key] for key in ("labels", "annotations") if key in manifest["metadata"]}
        new = {**old, "metadata": merge(old["metadata"], added), "spec": merge(old.get("spec", {}), patch)}
        return self._update(ref, old, new, manager, "patch")

    def patch_owners(self, manifest: Mapping[str, Any], manager: str) -> JSON:
        """Replace the owners, and add labels; an object has one controller."""
        ref = ref_of(manifest)
        old = self._fenced(ref, manifest)
        if sum(bool(owner.get("controller")) for owner in manifest["metadata"]["ownerReferences"]) > 1:
            raise Invalid(422, "Invalid", f"{ref} has two controllers")
        added = {key: manifest["metadata"][key] for key in ("labels", "ownerReferences") if key in manifest["metadata"]}
        return self._update(ref, old, {**old, "metadata": merge(old["metadata"], added)}, manager, "adopt")

    def set_status(self, ref: Ref, status: Mapping[str, Any], manager: str) -> JSON:
        """Replace the whole status, as built-in controllers do."""
        old = self._stored(ref)
        return self._update(ref, old, {**old, "status": clone(dict(status))}, manager, "status")

    def edit(self, ref: Ref, change: Callable[[JSON], object], manager: str) -> JSON:
        """Read, change in place and write an object, as `kubectl edit` does, which cannot write a status.

        Raises
        ------
        ValueError
            If the status is changed: the API server ignores that, and a test would prove nothing.
        """
        old = self._stored(ref)
        new = clone(old)
        change(new)
        if _has_status(ref) and new.get("status") != old.get("status"):
            raise ValueError(f"an edit of {ref} cannot change its status")
        return self._update(ref, old, self._with_server_fields(ref, new, old), manager, "edit")

    def delete(
        self,
        ref: Ref,
        manager: str,
        *,
        preconditions: Mapping[str, str] | None = None,
        propagation: str = "Background",
        graceful: bool = True,
    ) -> None:
        """Delete an object. Pods and objects with finalizers only begin to go."""
        old = self._stored(ref)
        for fence, wanted in (preconditions or {}).items():
            if wanted != old["metadata"][fence]:
                raise Conflict(409, "Conflict", f"{fence} of {ref} is {old['metadata'][fence]}, not {wanted}")
        finalizers = list(old["metadata"].get("finalizers", []))
        if propagation == "Foreground":
            finalizers = [*finalizers, "foregroundDeletion"]
        if finalizers or (ref.kind == "Pod" and graceful and old.get("spec", {}).get("nodeName")):
            if "deletionTimestamp" in old["metadata"]:
                return
            metadata = {**old["metadata"], "deletionTimestamp": self._time_text()}
            if finalizers:
                metadata["finalizers"] = finalizers
            self._commit("MODIFIED", ref, old, {**old, "metadata": metadata}, manager, "delete")
            return
        self.purge(ref, manager)

    def purge(self, ref: Ref, manager: str) -> None:
        """Remove an object at once, whatever holds it."""
        old = self._objects.pop(ref)
        self._ownership.pop(old["metadata"]["uid"], None)
        self._commit("DELETED", ref, old, clone(old), manager, "delete")

    def _stored(self, ref: Ref) -> JSON:
        try:
            return self._objects[ref]
        except KeyError:
            raise NotFound(404, "NotFound", f"{ref} not found") from None

    def _fenced(self, ref: Ref, manifest: Mapping[str, Any]) -> JSON:
        old = self._stored(ref)
        for fence in ("uid", "resourceVersion"):
            wanted = manifest["metadata"].get(fence)
            if wanted and wanted != old["metadata"][fence]:
                raise Conflict(409, "Conflict", f"{fence} of {ref} is {old['metadata'][fence]}, not {wanted}")
        return old

    def _born(self, ref: Ref, manifest: Mapping[str, Any]) -> JSON:
        new = clone(dict(manifest))
        if _has_status(ref):
            new.pop("status", None)
        self._incarnations[ref] += 1
        new["metadata"] = {
            **new["metadata"],
            "uid": stable_uid(*ref, self._incarnations[ref]),
            "creationTimestamp": self._time_text(),
        }
        if ref.kind not in _WITHOUT_GENERATION:
            new["metadata"]["generation"] = 1
        return self._admitted(ref, self._mutated(new, None), None)

    def _mutated(self, new: JSON, old: Mapping[str, Any] | None) -> JSON:
        mutated = clone(new) if self.policies else new
        for policy in self.policies:
            policy(mutated, old)
        return mutated

    def _admitted(self, ref: Ref, new: JSON, old: JSON | None) -> JSON:
        stored, errors = admit(ref.kind, complete(ref, new), old)
        if errors:
            raise Invalid(422, "Invalid", f"{ref} is invalid: " + "; ".join(errors))
        return stored

    def _with_server_fields(self, ref: Ref, new: JSON, old: JSON) -> JSON:
        kept = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "resourceVersion")
        metadata = {key: value for key, value in new["metadata"].items() if key not in kept}
        metadata |= {key: old["metadata"][key] for key in kept if key in old["metadata"]}
        new = {**new, "metadata": metadata}
        if _has_status(ref):
            new.pop("status", None)
            if "status" in old:
                new["status"] = old["status"]
        return new

    def _update(self, ref: Ref, old: JSON, new: JSON, manager: str, operation: Operation) -> JSON:
        stored = self._settle(ref, old, new, manager, operation)
        if operation != "status":
            # Nobody applies a status, so who owns its fields decides nothing.
            set_now, gone = fields.changed_paths(ref, old, new)
            ownership = self._ownership[old["metadata"]["uid"]]
            ownership.take((manager, "Update"), set_now)
            ownership.forget(gone)
        return stored

    def _settle(self, ref: Ref, old: JSON, new: JSON, manager: str, operation: Operation) -> JSON:
        # A rule for an object selects none of its subresources.
        new = self._admitted(ref, new if operation == "status" else self._mutated(new, old), old)
        if new == old:
            return clone(old)
        if "generation" in old["metadata"] and _without(new) != _without(old):
            new = {**new, "metadata": {**new["metadata"], "generation": old["metadata"]["generation"] + 1}}
        if "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers") and ref.kind != "Pod":
            self.purge(ref, manager)
            return clone(new)
        return self._commit("MODIFIED", ref, old, new, manager, operation)

    def _commit(
        self,
        type_: Literal["ADDED", "MODIFIED", "DELETED"],
        ref: Ref,
        old: JSON | None,
        new: JSON,
        manager: str,
        operation: Operation,
    ) -> JSON:
        self.resource_version += 1
        new = {**new, "metadata": {**new["metadata"], "resourceVersion": str(self.resource_version)}}
        if type_ != "DELETED":
            self._objects[ref] = new
        change = Change(type_, ref, old, new, manager, operation, self._time())
        for listener in list(self.listeners):
            listener(change)
        return clone(new)

    def _time_text(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _has_status(ref: Ref) -> bool:
    return ref.api_version.startswith("steadfit.dev/") or ref.kind in _STATUS_SUBRESOURCE


def _without(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a generation counts the changes of."""
    return {key: value for key, value in obj.items() if key not in ("metadata", "status")}
