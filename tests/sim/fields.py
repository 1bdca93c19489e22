"""Server-side apply: which fields an object has, who owns them, and what an apply makes of them.

As much of structured-merge-diff as the objects in play need: maps are granular, lists are one value unless they are
list-maps, a selector is one value, and a field that its last applier leaves out goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .objects import JSON, Ref, clone
from .schema import list_map_keys

Path = tuple[str, ...]
"""Names from the root; an entry of a list-map is `[key=value,...]`, of a list `[]` in schema paths."""

_ATOMIC_MAPS = {("spec", "selector")}
_BUILTIN_LIST_KEYS: Mapping[str, tuple[str, ...]] = {
    "ownerReferences": ("uid",),
    "conditions": ("type",),
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
}
_NOT_OWNED = {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"}


@dataclass
class Ownership:
    """Who owns which fields of one object, by field manager and operation."""

    owners: dict[tuple[str, str], set[Path]] = field(default_factory=dict)

    def owned_by_others(self, who: tuple[str, str], path: Path) -> bool:
        """Return whether anyone else owns a field, or something inside it."""
        return any(
            other != who and any(mine[: len(path)] == path for mine in paths) for other, paths in self.owners.items()
        )

    def take(self, who: tuple[str, str], paths: set[Path]) -> None:
        """Make `who` the only owner of `paths`, beside what it owns already."""
        for other, theirs in self.owners.items():
            if other != who:
                theirs -= paths
        self.owners.setdefault(who, set()).update(paths)
        self._drop_empty()

    def forget(self, paths: set[Path]) -> None:
        """Nobody owns fields that are gone."""
        for theirs in self.owners.values():
            theirs -= paths
        self._drop_empty()

    def _drop_empty(self) -> None:
        self.owners = {who: paths for who, paths in self.owners.items() if paths}


class FieldConflict(Exception):  # noqa: N818 - it is what the API server calls it
    """Another manager owns a field with another value, and `force` is not set."""


def paths_of(ref: Ref, obj: Mapping[str, Any]) -> dict[Path, Any]:
    """Return the fields that can be owned, with their values."""
    body = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata")}
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _NOT_OWNED}
    return dict(_leaves(ref, {"metadata": metadata, **body}, (), ()))


def changed_paths(ref: Ref, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> tuple[set[Path], set[Path]]:
    """Return the fields that an update set, and those that it removed."""
    before = paths_of(ref, old) if old is not None else {}
    after = paths_of(ref, new)
    set_now = {path for path, value in after.items() if path not in before or before[path] != value}
    return set_now, set(before) - set(after)


def apply(
    ref: Ref,
    live: Mapping[str, Any] | None,
    wished: Mapping[str, Any],
    ownership: Ownership,
    manager: str,
    *,
    force: bool,
) -> JSON:
    """Return the object after an apply, and note in `ownership` who owns what now.

    Raises
    ------
    FieldConflict
        If another manager owns a field with another value and `force` is not set.
    """
    who = (manager, "Apply")
    before = paths_of(ref, live) if live is not None else {}
    mine = paths_of(ref, wished)
    contested = {
        path
        for path, value in mine.items()
        if path in before and before[path] != value and ownership.owned_by_others(who, path)
    }
    if contested and not force:
        raise FieldConflict(", ".join(".".join(path) for path in sorted(contested)))
    left_out = ownership.owners.get(who, set()) - set(mine)
    empty: JSON = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": {}}
    merged = clone(dict(live)) if live is not None else empty
    for path in sorted(left_out, key=len):
        if not ownership.owned_by_others(who, path):
            _remove(merged, path)
    _merge(ref, merged, {key: value for key, value in wished.items() if key != "metadata"}, ())
    metadata = {key: value for key, value in wished["metadata"].items() if key not in _NOT_OWNED}
    _merge(ref, merged["metadata"], metadata, ("metadata",))
    ownership.owners[who] = set(mine)
    for other, theirs in ownership.owners.items():
        if other != who:
            theirs -= contested
    ownership.forget(left_out - set(paths_of(ref, merged)))
    return merged


def _keys_of(ref: Ref, path: Path) -> tuple[str, ...] | None:
    if path[-1] == "ports":
        return ("port", "protocol") if ref.kind == "Service" else ("containerPort", "protocol")
    builtin = _BUILTIN_LIST_KEYS.get(path[-1])
    if ref.api_version.startswith("steadfit.dev/") and path[0] != "metadata":
        return list_map_keys(ref.kind, path)
    return builtin


def _entry(keys: tuple[str, ...], item: Mapping[str, Any]) -> str:
    return "[" + ",".join(f"{key}={item.get(key, 'TCP' if key == 'protocol' else None)}" for key in keys) + "]"


def _leaves(ref: Ref, value: Any, path: Path, schema_path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping) and value and schema_path not in _ATOMIC_MAPS:
        for key, item in value.items():
            yield from _leaves(ref, item, (*path, key), (*schema_path, key))
        return
    keys = _keys_of(ref, schema_path) if isinstance(value, list) and value else None
    if keys is None:
        yield path, value
        return
    for item in value:
        entry = (*path, _entry(keys, item))
        yield entry, None
        yield from _leaves(ref, item, entry, (*schema_path, "[]"))


def _merge(ref: Ref, target: JSON, wished: Mapping[str, Any], path: Path) -> None:
    for name, value in wished.items():
        here = (*path, name)
        old = target.get(name)
        keys = _keys_of(ref, here) if isinstance(value, list) else None
        if isinstance(value, Mapping) and isinstance(old, dict) and here not in _ATOMIC_MAPS:
            _merge(ref, old, value, here)
        elif keys is not None and isinstance(old, list):
            for item in value:
                known = next((one for one in old if _entry(keys, one) == _entry(keys, item)), None)
                if known is None:
                    old.append(clone(item))
                else:
                    _merge(ref, known, item, (*here, "[]"))
        else:
            target[name] = clone(value)


def _remove(target: Any, path: Path) -> None:
    """Remove a field; an entry of a list-map is found by its `[key=value]` name."""
    head, rest = path[0], path[1:]
    if isinstance(target, list):
        for item in target:
            wanted = dict(term.split("=", 1) for term in head[1:-1].split(","))
            if all(str(item.get(key, "TCP" if key == "protocol" else None)) == value for key, value in wanted.items()):
                if rest:
                    _remove(item, rest)
                else:
                    target.remove(item)
                return
    elif isinstance(target, dict) and head in target:
        if rest:
            _remove(target[head], rest)
            if target[head] in ({}, []):
                del target[head]
        else:
            del target[head]
