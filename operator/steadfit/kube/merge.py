"""The difference of two JSON objects as a merge patch (RFC 7386)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_patch(stored: Mapping[str, Any], wished: Mapping[str, Any]) -> dict[str, Any]:
    """Return the patch that turns `stored` into `wished`: null for what goes, lists whole, {} when they are equal."""
    patch: dict[str, Any] = {name: None for name in stored if name not in wished}
    for name, value in wished.items():
        if name not in stored:
            patch[name] = value
        elif stored[name] != value:
            both = isinstance(stored[name], Mapping) and isinstance(value, Mapping)
            patch[name] = merge_patch(stored[name], value) if both else value
    return patch
