"""The API server's rules in memory, behind the client protocol: enough to test one part at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from steadfit.kube.client import AlreadyExists, APIError, Conflict, Listing, NotFound
from steadfit.kube.key import Key, key_of
from steadfit.kube.resources import Resource

JSONObject = dict[str, Any]


class MemoryAPI:
    """Objects with uids and resourceVersions. `watch` is told of every change; `fail` may raise before a call."""

    def __init__(self) -> None:
        self.objects: dict[Key, JSONObject] = {}
        self.writes: list[str] = []
        self.watch: Callable[[str, JSONObject], None] = lambda event, obj: None
        self.fail: Callable[[str, Key], APIError | None] = lambda verb, key: None
        self._version = 100
        self._uids = 0

    def add(self, manifest: Mapping[str, Any]) -> JSONObject:
        """Create an object as a user does."""
        obj = copy.deepcopy(dict(manifest))
        self._uids += 1
        obj["metadata"] = {**obj["metadata"], "uid": f"uid-{self._uids}", "generation": 1}
        return self._store("ADDED", obj)

    def edit(self, key: Key, **parts: Any) -> JSONObject:
        """Replace top-level parts of an object as a user does."""
        return self._store("MODIFIED", {**copy.deepcopy(self.objects[key]), **parts})

    def remove(self, key: Key, *, silently: bool = False) -> None:
        """Delete an object as a user does; silently = while the watch is down."""
        obj = copy.deepcopy(self.objects.pop(key))
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        if not silently:
            self.watch("DELETED", obj)

    def backup(self) -> tuple[dict[Key, JSONObject], int]:
        """Return a copy of the state and its resourceVersion."""
        return copy.deepcopy(self.objects), self._version

    def restore(self, backup: tuple[dict[Key, JSONObject], int]) -> None:
        """Go back to a copy, as etcd does when it is restored: resourceVersions go back too."""
        self.objects, self._version = copy.deepcopy(backup[0]), backup[1]

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> JSONObject:
        return copy.deepcopy(self._found("get", Key(resource, namespace, name)))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        label_selector: str | None = None,
    ) -> Listing:
        self._check("list", Key(resource, namespace, ""))
        wanted = dict([label_selector.split("=")]) if label_selector else {}
        items = [
            copy.deepcopy(obj)
            for key, obj in self.objects.items()
            if key.resource == resource
            and namespace in (None, key.namespace)
            and wanted.items() <= obj["metadata"].get("labels", {}).items()
        ]
        return Listing(items, str(self._version))

    async def create(self, manifest: Mapping[str, Any]) -> JSONObject:
        key = key_of(manifest)
        self._check("create", key)
        if key in self.objects:
            raise AlreadyExists(409, "AlreadyExists", f"{key} exists")
        self.writes.append(f"create {key}")
        return copy.deepcopy(self.add(manifest))

    async def apply(self, manifest: Mapping[str, Any], field_manager: str) -> JSONObject:
        key = key_of(manifest)
        self._check("apply", key)
        self.writes.append(f"apply {key}")
        if key not in self.objects:
            return copy.deepcopy(self.add(manifest))
        stored = self.objects[key]
        self._fence(manifest, stored)
        merged = _merge(stored, {name: value for name, value in manifest.items() if name != "metadata"})
        return copy.deepcopy(self._store("MODIFIED", merged))

    async def patch_status(self, manifest: Mapping[str, Any], patch: Mapping[str, Any]) -> JSONObject:
        stored = self._found("patch_status", key_of(manifest))
        self._fence(manifest, stored)
        self.writes.append(f"status {key_of(manifest)}")
        return copy.deepcopy(self._store("MODIFIED", _merge(stored, {"status": patch})))

    async def patch_spec(self, manifest: Mapping[str, Any], patch: Mapping[str, Any]) -> JSONObject:
        stored = self._found("patch_spec", key_of(manifest))
        self._fence(manifest, stored)
        self.writes.append(f"patch {key_of(manifest)}")
        return copy.deepcopy(self._store("MODIFIED", _merge(stored, {"spec": patch})))

    async def patch_owners(self, manifest: Mapping[str, Any]) -> JSONObject:
        stored = self._found("patch_owners", key_of(manifest))
        self._fence(manifest, stored)
        self.writes.append(f"adopt {key_of(manifest)}")
        metadata = {key: manifest["metadata"][key] for key in ("labels", "ownerReferences")}
        return copy.deepcopy(self._store("MODIFIED", _merge(stored, {"metadata": metadata})))

    async def replace(self, manifest: Mapping[str, Any]) -> JSONObject:
        stored = self._found("replace", key_of(manifest))
        self._fence(manifest, stored)
        self.writes.append(f"replace {key_of(manifest)}")
        obj = copy.deepcopy(dict(manifest))
        obj["metadata"] = {**stored["metadata"], **obj["metadata"]}
        return copy.deepcopy(self._store("MODIFIED", obj))

    async def delete(self, manifest: Mapping[str, Any], propagation: str = "Background") -> None:
        key = key_of(manifest)
        self._check("delete", key)
        self.writes.append(f"delete {key}")
        if key not in self.objects:
            return
        if manifest["metadata"]["uid"] != self.objects[key]["metadata"]["uid"]:
            raise Conflict(409, "Conflict", "the uid is another")
        self.remove(key)

    def _check(self, verb: str, key: Key) -> None:
        error = self.fail(verb, key)
        if error is not None:
            raise error

    def _found(self, verb: str, key: Key) -> JSONObject:
        self._check(verb, key)
        if key not in self.objects:
            raise NotFound(404, "NotFound", f"{key} is not there")
        return self.objects[key]

    def _fence(self, manifest: Mapping[str, Any], stored: Mapping[str, Any]) -> None:
        for field in ("uid", "resourceVersion"):
            wanted = manifest["metadata"].get(field)
            if wanted not in (None, stored["metadata"][field]):
                raise Conflict(409, "Conflict", f"the {field} is another")

    def _store(self, event: str, obj: JSONObject) -> JSONObject:
        key = key_of(obj)
        stored = self.objects.get(key)
        if stored is not None and _without_version(stored) == _without_version(obj):
            return stored
        self._version += 1
        obj["metadata"] = {**obj["metadata"], "resourceVersion": str(self._version)}
        self.objects[key] = obj
        self.watch(event, copy.deepcopy(obj))
        return obj


def _merge(stored: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    merged = dict(stored) if isinstance(stored, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merge(merged.get(name), value)
    return merged


def _without_version(obj: Mapping[str, Any]) -> JSONObject:
    metadata = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
    return {**obj, "metadata": metadata}
