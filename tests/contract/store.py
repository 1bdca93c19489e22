"""The rules of the API server's storage: resourceVersions, generations, preconditions, finalizers, history."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from steadfit.kube.resources import OWN, Resource

JSONObject = dict[str, Any]
Name = tuple[str | None, str]

RESERVED = ("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp")


class Refused(Exception):  # noqa: N818
    """An answer other than 2xx."""

    def __init__(self, code: int, reason: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.field = field


@dataclass(frozen=True)
class Change:
    """One entry of the history, as a watch tells it."""

    version: int
    resource: Resource
    type: str
    obj: JSONObject


@dataclass(frozen=True)
class Backup:
    """A copy of the state at a resourceVersion."""

    objects: dict[Resource, dict[Name, JSONObject]]
    version: int


class Store:
    """Objects by resource and name, and the history that watches replay."""

    def __init__(self) -> None:
        self.objects: dict[Resource, dict[Name, JSONObject]] = {}
        self.history: list[Change] = []
        self.version = 100
        self.oldest = 0
        self.listeners: set[Callable[[Change | None], None]] = set()
        self._uids = 0

    def list(self, resource: Resource, namespace: str | None, labels: Mapping[str, str]) -> list[JSONObject]:
        objects = self.objects.get(resource, {})
        return [
            copy.deepcopy(objects[name])
            for name in sorted(objects, key=lambda name: (name[0] or "", name[1]))
            if namespace in (None, name[0]) and labels.items() <= objects[name]["metadata"].get("labels", {}).items()
        ]

    def get(self, resource: Resource, name: Name) -> JSONObject:
        try:
            return copy.deepcopy(self.objects[resource][name])
        except KeyError:
            raise Refused(404, "NotFound", f'{resource.plural} "{name[1]}" not found') from None

    def create(self, resource: Resource, name: Name, body: Mapping[str, Any]) -> JSONObject:
        if name in self.objects.get(resource, {}):
            raise Refused(409, "AlreadyExists", f'{resource.plural} "{name[1]}" already exists')
        self._uids += 1
        obj = copy.deepcopy(dict(body))
        metadata = {**obj.get("metadata", {}), "uid": f"uid-{self._uids}", "generation": 1, "name": name[1]}
        if name[0] is not None:
            metadata["namespace"] = name[0]
        obj |= {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
        if resource in OWN:
            # A create through the main resource cannot set the status.
            obj["status"] = {"observedGeneration": -1}
        return self._write(resource, name, "ADDED", obj)

    def update(self, resource: Resource, name: Name, body: Mapping[str, Any], *, status: bool) -> JSONObject:
        stored = self.get(resource, name)
        for field in ("resourceVersion", "uid"):
            wanted = body.get("metadata", {}).get(field)
            if wanted not in (None, stored["metadata"][field]):
                raise Refused(409, "Conflict", f"the object has been modified; its {field} is another")
        obj = copy.deepcopy(dict(body))
        if status:
            obj = {**stored, "status": obj.get("status", {})}
        elif resource in OWN:
            obj["status"] = stored.get("status", {})
        kept = {field: stored["metadata"][field] for field in RESERVED if field in stored["metadata"]}
        obj["metadata"] = {**(stored if status else obj)["metadata"], **kept}
        if obj == stored:
            return stored
        if obj.get("spec") != stored.get("spec"):
            obj["metadata"]["generation"] += 1
        return self._write(resource, name, "MODIFIED", obj)

    def delete(self, resource: Resource, name: Name, uid: str | None = None, *, silently: bool = False) -> None:
        stored = self.get(resource, name)
        if uid not in (None, stored["metadata"]["uid"]):
            raise Refused(409, "Conflict", "the uid in the precondition is another")
        del self.objects[resource][name]
        self.version += 1
        stored["metadata"]["resourceVersion"] = str(self.version)
        if not silently:
            self._tell(Change(self.version, resource, "DELETED", stored))

    def backup(self) -> Backup:
        """Return a copy of the state."""
        return Backup(copy.deepcopy(self.objects), self.version)

    def restore(self, backup: Backup) -> None:
        """Go back to a copy, as etcd does when it is restored: resourceVersions go back too, and watches end."""
        self.objects, self.version = copy.deepcopy(backup.objects), backup.version
        self.history = [change for change in self.history if change.version <= backup.version]
        self.hang_up()

    def compact(self) -> None:
        """Forget the history: whoever watches from an older version gets a 410."""
        self.version += 1
        self.oldest = self.version
        self.history.clear()

    def hang_up(self) -> None:
        """Close all watches."""
        for listener in list(self.listeners):
            listener(None)

    def _write(self, resource: Resource, name: Name, kind: str, obj: JSONObject) -> JSONObject:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self.objects.setdefault(resource, {})[name] = obj
        self._tell(Change(self.version, resource, kind, copy.deepcopy(obj)))
        return copy.deepcopy(obj)

    def _tell(self, change: Change) -> None:
        self.history.append(change)
        for listener in list(self.listeners):
            listener(change)


def merge(stored: Any, patch: Any) -> Any:
    """A merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(stored) if isinstance(stored, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged
