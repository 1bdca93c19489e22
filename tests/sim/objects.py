"""Small tools over Kubernetes objects as JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import orjson

JSON = dict[str, Any]
T = TypeVar("T")


class Ref(NamedTuple):
    """The place of an object; its uid tells apart those that take the same place one after the other."""

    api_version: str
    kind: str
    namespace: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def ref_of(obj: Mapping[str, Any]) -> Ref:
    """Return the place of an object."""
    metadata = obj["metadata"]
    return Ref(obj["apiVersion"], obj["kind"], metadata.get("namespace"), metadata["name"])


def clone(value: T) -> T:
    """Return a deep copy of JSON; several times faster than `copy.deepcopy`."""
    return orjson.loads(orjson.dumps(value))  # type: ignore[no-any-return]


def merge(base: Any, patch: Any) -> Any:
    """Return `base` after a merge patch (RFC 7386)."""
    if not isinstance(patch, Mapping):
        return clone(patch)
    merged = dict(base) if isinstance(base, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def selected(obj: Mapping[str, Any], selector: str | None) -> bool:
    """Return whether an object's labels match an equality-based selector such as `a=b,c`."""
    labels = obj["metadata"].get("labels", {})
    for term in filter(None, (selector or "").split(",")):
        key, equals, value = term.partition("=")
        if key not in labels or (equals and labels[key] != value):
            return False
    return True


def has_fields(obj: Mapping[str, Any], selector: str | None) -> bool:
    """Return whether an object's fields match a selector such as `reason=FailedCreate,regarding.uid=…`."""
    for term in filter(None, (selector or "").split(",")):
        path, _, value = term.partition("=")
        found: Any = obj
        for name in path.split("."):
            found = found.get(name, {})
        if found != value:
            return False
    return True


def stable_uid(*parts: object) -> str:
    """Return a uid that looks like one and is a function of its parts, so that two runs can be compared."""
    digits = hashlib.sha256(repr(parts).encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"
