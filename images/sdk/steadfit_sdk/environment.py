"""What the training ran in, for the record."""

import importlib.metadata
import os
import platform
from typing import Any


def environment() -> dict[str, Any]:
    """Return interpreter, packages, and the source from STEADFIT_SOURCE_COMMIT, _DIRTY and _URL where they are set."""
    packages = {each.name: each.version for each in importlib.metadata.distributions() if each.name}
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
