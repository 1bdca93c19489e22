"""`core` and `api` decide by their arguments alone: what they import and call has no clock, chance, file or network.

A list of what is forbidden is never whole, so this is a list of what is allowed; the import contracts, which work on
packages, name the usual offenders for a better message.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import steadfit

ROOT = Path(steadfit.__file__).parent
# `api/crd.py` is the generator of the CRDs and no part of the operator: core may not import it, by contract.
FILES = sorted({*(ROOT / "core").rglob("*.py"), *(ROOT / "api").rglob("*.py")} - {ROOT / "api/crd.py"})
ALLOWED = {
    "__future__": None,
    "collections": {"defaultdict"},
    "collections.abc": None,
    "cronsim": {"CronSim", "CronSimError"},
    "dataclasses": {"dataclass", "field", "fields", "replace"},
    "datetime": {"UTC", "datetime", "timedelta"},
    "enum": {"StrEnum"},
    "functools": {"cache", "cached_property"},
    "hashlib": None,
    "itertools": {"pairwise", "takewhile"},
    "json": None,
    "math": None,
    "pydantic": None,
    "pydantic.alias_generators": {"to_camel"},
    "pydantic.fields": {"FieldInfo"},
    "pydantic_core": {"core_schema", "to_jsonable_python"},
    "re": None,
    "typing": None,
    "zoneinfo": {"ZoneInfo", "ZoneInfoNotFoundError"},
}
"""By module the names that may be taken from it; None = the module itself and every name of it."""
IMPURE_NAMES = {
    "open",
    "input",
    "print",
    "exec",
    "eval",
    "compile",
    "__import__",
    "__builtins__",
    "globals",
    "breakpoint",
}
IMPURE_ATTRIBUTES = {"now", "utcnow", "today", "file_digest", "__import__", "__builtins__", "__globals__", "__loader__"}


def impure(source: str) -> list[str]:
    """Return what a module imports or uses that could read more than its arguments."""
    return list(_impure(ast.parse(source)))


def _impure(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name not in ALLOWED or ALLOWED[alias.name] is not None:
                    yield alias.name
        elif isinstance(node, ast.ImportFrom):
            yield from _imported_from(node)
        elif isinstance(node, ast.Name) and node.id in IMPURE_NAMES:
            yield node.id
        elif isinstance(node, ast.Attribute) and node.attr in IMPURE_ATTRIBUTES:
            yield node.attr


def _imported_from(node: ast.ImportFrom) -> Iterator[str]:
    module = node.module or ""
    if node.level > 1 or module == "steadfit":
        yield f"{'.' * node.level}{module}"  # The way past the contracts: `..kube`, or `steadfit.kube` as an attribute.
    if node.level or module.split(".")[0] == "steadfit":
        return  # The contracts say which floors and rooms.
    allowed = ALLOWED.get(module, set())
    for alias in node.names:
        if allowed is not None and alias.name not in allowed:
            yield f"{module}.{alias.name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_core_and_api_import_and_call_only_what_decides_by_its_arguments(path: Path) -> None:
    assert impure(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "datetime.now(UTC)",
        "date.today()",
        "open('/etc/hosts')",
        "print('here')",
        "x = open",
        "import builtins\nbuiltins.open",
        "import asyncio",
        "import _asyncio",
        "import codecs",
        "import email.utils",
        "import gc",
        "import glob",
        "import importlib",
        "import numpy",
        "import pkgutil",
        "import platform",
        "import posix",
        "import runpy",
        "import sqlite3",
        "import steadfit\nsteadfit.kube",
        "import yaml",
        "import zoneinfo",
        "from datetime import date",
        "from . import _io\nfrom .. import kube",
        "from steadfit import kube",
        "def f():\n    from random import random",
        "__import__('steadfit.kube.cache')",
        "exec('import steadfit.kube.cache')",
        "hashlib.file_digest(x, 'sha256')",
        "f.__globals__['__builtins__']",
    ],
)
def test_an_impure_import_or_call_is_found(source: str) -> None:
    assert impure(source) != []


def test_what_the_contracts_see_and_what_is_allowed_are_no_fault() -> None:
    assert impure("from .text import cut\nfrom steadfit.core.text import cut\nimport json") == []
