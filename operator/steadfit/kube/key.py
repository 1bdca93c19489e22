"""The identity of an object as work: which resource, where, what name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .resources import Resource, resource_of


class Key(NamedTuple):
    """What the work queue carries. Deleted and recreated objects share a key; uids tell them apart."""

    resource: Resource
    namespace: str | None
    name: str

    def __str__(self) -> str:
        """Return `TrainingJob default/flights`, the form in which logs name an object."""
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.resource.kind} {place}"


def key_of(manifest: Mapping[str, Any]) -> Key:
    """Return the key of an object."""
    metadata = manifest["metadata"]
    return Key(resource_of(manifest), metadata.get("namespace"), metadata["name"])
