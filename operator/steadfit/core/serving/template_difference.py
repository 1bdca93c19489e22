"""Comparison of a Deployment's pod template with the frozen one: only fields of the frozen one count.

What others add is theirs: the annotation of `kubectl rollout restart`, an injected sidecar, a label. Both templates are
as the API server stores them, so no default and no spelling of a quantity makes a difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def first_difference(ours: Any, theirs: Any, path: str = "template") -> str | None:
    """Return the path of the first field of `ours` that `theirs` lacks or has with another value; None without one.

    In a list of objects an object may stand anywhere, and others may stand beside it.
    """
    # Almost always, at once for most of the template: it is compared many times in each pass.
    if ours == theirs:
        return None
    if isinstance(ours, Mapping):
        for key, value in ours.items():
            found = first_difference(value, theirs.get(key) if isinstance(theirs, Mapping) else None, f"{path}.{key}")
            if found:
                return found
        return None
    if isinstance(ours, list) and ours and all(isinstance(item, Mapping) for item in ours):
        others = theirs if isinstance(theirs, list) else []
        for item in ours:
            found = _nearest(item, others, f"{path}[{item.get('name', '')}]")
            if found:
                return found
        return None
    return path


def _nearest(item: Mapping[str, Any], others: list[Any], path: str) -> str | None:
    """Return the difference of an object from the one of its name, or from all that stand in the list."""
    named = [other for other in others if isinstance(other, Mapping) and other.get("name") == item.get("name")]
    differences = [first_difference(item, other, path) for other in named]
    return None if None in differences else next(iter(differences), path)
