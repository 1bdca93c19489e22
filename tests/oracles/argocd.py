"""What Argo CD makes of an object: the health scripts that we ship, executed as Argo CD executes them.

Argo CD (`util/lua/lua.go`) opens only the base, table, string and a safe part of the os library for a script, sets the
global `obj`, and expects a table with `status` and optionally `message`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from lupa import lua51

MANIFESTS = Path(__file__).parents[2] / "manifests" / "argocd"
STATUSES = frozenset({"Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"})
_FORBIDDEN = ("io", "debug", "package", "require", "dofile", "loadfile", "coroutine", "python", "math")


@cache
def scripts() -> Mapping[str, str]:
    """Return the health script of every kind by `<group>_<Kind>`, as the kustomization puts them into argocd-cm."""
    prefix = "resource.customizations.health."
    kustomization = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())
    found = {}
    for generator in kustomization["configMapGenerator"]:
        for entry in generator["files"]:
            key, _, file = entry.partition("=")
            found[key.removeprefix(prefix)] = (MANIFESTS / file).read_text()
    return found


def health(obj: Mapping[str, Any]) -> tuple[str, str]:
    """Return the health status and message of an object.

    Raises
    ------
    AssertionError
        If the script gives no health that Argo CD knows; the object would be shown as Unknown.
    """
    if obj["metadata"].get("deletionTimestamp"):
        # Decided before any script is asked.
        return "Progressing", "Pending deletion"
    group = obj["apiVersion"].partition("/")[0]
    script = scripts()[f"{group}_{obj['kind']}"]
    return run(script, obj)


def run(script: str, obj: Mapping[str, Any]) -> tuple[str, str]:
    """Run one health script over an object."""
    lua, check = _compiled(script)
    lua.globals()["obj"] = _to_lua(lua, obj)
    result = check()
    if result is None or result["status"] not in STATUSES:
        raise AssertionError(f"the health script of {obj['kind']} returned {result and dict(result)}")
    return str(result["status"]), str(result["message"] or "")


@cache
def _compiled(script: str) -> tuple[Any, Any]:
    lua = lua51.LuaRuntime(unpack_returned_tuples=True, register_eval=False, register_builtins=False)
    check = lua.compile(script)
    for name in _FORBIDDEN:
        lua.globals()[name] = None
    return lua, check


def _to_lua(lua: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        return lua.table_from({key: _to_lua(lua, item) for key, item in value.items() if item is not None})
    if isinstance(value, list):
        return lua.table_from([_to_lua(lua, item) for item in value])
    return value
