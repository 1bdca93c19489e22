"""The environment of a training, for the record."""

import importlib.metadata
import os
import platform
from typing import Any


def environment() -> dict[str, Any]:
    """Return Python's version, the packages, and the source from STEADFIT_SOURCE_COMMIT, _DIRTY and _URL if set."""
    # Each access to `metadata`, also by `name` or `version`, reads and parses a file.
    known = [each.metadata for each in importlib.metadata.distributions()]
    packages = {each["Name"]: each["Version"] for each in known if each["Name"]}
    found: dict[str, Any] = {"python": platform.python_version(), "packages": dict(sorted(packages.items()))}
    source: dict[str, Any] = {
        name: os.environ[f"STEADFIT_SOURCE_{name.upper()}"]
        for name in ("commit", "url")
        if os.environ.get(f"STEADFIT_SOURCE_{name.upper()}")
    }
    dirty = os.environ.get("STEADFIT_SOURCE_DIRTY", "").lower()
    if dirty in ("true", "false", "1", "0"):
        source["dirty"] = dirty in ("true", "1")
    if source:
        found["source"] = source
    return found
