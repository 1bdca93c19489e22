"""A cache of every watched object in its newest known state.

Four sources fill it: watch events, the replies to our own writes, live reads and the periodic full list. They overtake
each other, so the order of arrival counts for nothing: an object is stored only if its resourceVersion is newer than
the cached one of that name, and a deleted uid leaves a tombstone that an older state cannot replace.

resourceVersions are compared as integers. The API server's own are etcd revisions, one sequence for all objects, and
Kubernetes has promised since 1.35 that they are comparable.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .key import Key, key_of
from .resources import Resource

JSONObject = dict[str, Any]
Index = Callable[[JSONObject], Iterable[Hashable]]
"""Returns the values that index an object."""
Listener = Callable[[JSONObject], None]
"""Called with every object that was added, changed or deleted (then with its last known state)."""

MAX_TOMBSTONES = 10_000


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """Sizes and counts of the cache."""

    objects: Mapping[str, int]
    """Objects by kind."""
    tombstones: int
    updates: int
    """States that were stored."""
    stale: int
    """States that were ignored: older than the cached one, or the same."""


class Cache:
    """The newest known state of every object, by name or by index. It never goes back in time."""

    def __init__(self, indexes: Mapping[str, Index] | None = None) -> None:
        self._objects: dict[Resource, dict[Key, JSONObject]] = defaultdict(dict)
        self._tombstones: OrderedDict[str, int] = OrderedDict()
        self._index_functions = dict(indexes or {})
        # Dicts serve as ordered sets: iteration must not depend on the process's hash seed.
        self._indexed: dict[tuple[str, Resource, Hashable], dict[Key, None]] = {}
        self._newest: dict[Resource, int] = {}
        self._lacking: set[Resource] = set()
        self._listeners: list[Listener] = []
        self._updates = 0
        self._stale = 0

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every object that is added, changed or deleted."""
        self._listeners.append(listener)

    def get(self, key: Key) -> JSONObject | None:
        """Return the object of this name, or None. The caller must not change it."""
        return self._objects[key.resource].get(key)

    def all(self, resource: Resource) -> list[JSONObject]:
        """Return all objects of a resource, ordered by namespace and name."""
        objects = self._objects[resource]
        return [objects[key] for key in sorted(objects, key=_order)]

    def by(self, resource: Resource, index: str, value: Hashable) -> list[JSONObject]:
        """Return the objects of a resource under one value of an index, ordered by namespace and name."""
        objects = self._objects[resource]
        keys = self._indexed.get((index, resource, value), {})
        return [objects[key] for key in sorted(keys, key=_order)]

    def newest(self, resource: Resource) -> int:
        """Return the highest resourceVersion at which a resource was seen; 0 before the first."""
        return self._newest.get(resource, 0)

    def put(self, obj: JSONObject) -> bool:
        """Store a state of an object unless a newer one is cached; return whether anything changed."""
        obj = _slim(obj)
        key = key_of(obj)
        uid, version = obj["metadata"]["uid"], resource_version(obj)
        self._see(key.resource, version)
        known = self._objects[key.resource].get(key)
        newest = max(self._tombstones.get(uid, -1), resource_version(known) if known else -1)
        if version <= newest:
            self._stale += 1
            return False
        gone = None
        if known is not None:
            self._unindex(key, known)
            if known["metadata"]["uid"] != uid:
                # The name was reused: the old object is gone although no DELETED event came.
                self._bury(known["metadata"]["uid"], version - 1)
                gone = known
        self._objects[key.resource][key] = obj
        self._index(key, obj)
        self._updates += 1
        if gone is not None:
            self._notify(gone)
        self._notify(obj)
        return True

    def delete(self, obj: JSONObject, at_version: int | None = None) -> bool:
        """Remove an object; return whether anything changed.

        `at_version` is the resourceVersion at which the object is known to be absent; by default that of the given
        state. An object that leaves a watch's label selector looks deleted too, and may come back with a newer one.
        """
        key = key_of(obj)
        uid = obj["metadata"]["uid"]
        known = self._objects[key.resource].get(key)
        absent_at = resource_version(obj) if at_version is None else at_version
        self._see(key.resource, absent_at)
        self._bury(uid, absent_at)
        if known is None or known["metadata"]["uid"] != uid:
            self._stale += 1
            return False
        self._bury(uid, resource_version(known))
        self._unindex(key, known)
        del self._objects[key.resource][key]
        self._updates += 1
        self._notify(known)
        return True

    def replace(
        self, resource: Resource, namespace: str | None, items: Iterable[JSONObject], version: int
    ) -> tuple[list[JSONObject], list[JSONObject]]:
        """Store a complete list as of `version`; return the objects that were newer in it, and those that were gone.

        `namespace` None means that the list spans all namespaces. States newer than the list stay.
        """
        items = list(items)
        self._see(resource, version)
        self._lacking.discard(resource)
        newer = [item for item in items if self.put(item)]
        listed = {item["metadata"]["uid"] for item in items}
        gone = [
            known
            for known in self.all(resource)
            if known["metadata"]["uid"] not in listed
            and namespace in (None, known["metadata"].get("namespace"))
            and resource_version(known) <= version
        ]
        for known in gone:
            self.delete(known, at_version=version)
        return newer, gone

    def lacks(self, resource: Resource) -> bool:
        """Return whether the cluster does not serve a resource."""
        return resource in self._lacking

    def mark_lacking(self, resource: Resource) -> None:
        """Record that the cluster does not serve a resource, and remove its objects."""
        self._lacking.add(resource)
        for known in self.all(resource):
            self.delete(known)

    def statistics(self) -> CacheStatistics:
        """Return sizes and counts."""
        return CacheStatistics(
            objects={resource.kind: len(objects) for resource, objects in self._objects.items()},
            tombstones=len(self._tombstones),
            updates=self._updates,
            stale=self._stale,
        )

    def _see(self, resource: Resource, version: int) -> None:
        self._newest[resource] = max(version, self.newest(resource))

    def _bury(self, uid: str, version: int) -> None:
        self._tombstones[uid] = max(version, self._tombstones.pop(uid, -1))
        if len(self._tombstones) > MAX_TOMBSTONES:
            self._tombstones.popitem(last=False)

    def _index(self, key: Key, obj: JSONObject) -> None:
        for name, function in self._index_functions.items():
            for value in function(obj):
                self._indexed.setdefault((name, key.resource, value), {})[key] = None

    def _unindex(self, key: Key, obj: JSONObject) -> None:
        for name, function in self._index_functions.items():
            for value in function(obj):
                entry = (name, key.resource, value)
                keys = self._indexed.get(entry, {})
                keys.pop(key, None)
                if not keys:
                    self._indexed.pop(entry, None)

    def _notify(self, obj: JSONObject) -> None:
        for listener in self._listeners:
            listener(obj)


def resource_version(obj: Mapping[str, Any]) -> int:
    """Return the resourceVersion of an object as a number that grows with every change."""
    return int(obj["metadata"]["resourceVersion"])


def _order(key: Key) -> tuple[str, str]:
    return (key.namespace or "", key.name)


def _slim(obj: JSONObject) -> JSONObject:
    """Return the object without `managedFields`: half of its bytes, and the operator does not read them."""
    if "managedFields" not in obj["metadata"]:
        return obj
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    return {**obj, "metadata": metadata}
