"""Keys of the work queue: resource, namespace and name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .resources import Resource, resource_of


class Key(NamedTuple):
    """Identifies an object in the work queue. A recreated object has the same key; its uid differs."""

    resource: Resource
    namespace: str | None
    name: str

    def __str__(self) -> str:
        """Return `TrainingJob default/flights`, as logs name an object."""
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.resource.kind} {place}"


def key_of(manifest: Mapping[str, Any]) -> Key:
    """Return the key of an object."""
    metadata = manifest["metadata"]
    return Key(resource_of(manifest), metadata.get("namespace"), metadata["name"])
