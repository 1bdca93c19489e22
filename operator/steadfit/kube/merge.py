"""The difference of two JSON objects as a merge patch (RFC 7386)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_patch(stored: Mapping[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    """Return the patch that turns `stored` into `desired`: null for a removed field, lists whole, {} if equal."""
    patch: dict[str, Any] = {name: None for name in stored if name not in desired}
    for name, value in desired.items():
        if name not in stored:
            patch[name] = value
        elif stored[name] != value:
            both = isinstance(stored[name], Mapping) and isinstance(value, Mapping)
            patch[name] = merge_patch(stored[name], value) if both else value
    return patch
