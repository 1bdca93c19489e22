"""`core` decides by its arguments alone: what an import contract cannot see of clocks and files is checked here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import steadfit.core

ROOT = Path(steadfit.core.__file__).parent
IMPURE_CALLS = {"open", "input", "print", "exec", "eval", "__import__"}
IMPURE_METHODS = {"now", "utcnow", "today"}


def impure(source: str) -> list[str]:
    """Return the calls that read a clock, a file or the interpreter's surroundings."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in IMPURE_CALLS:
                found.append(called.id)
            if isinstance(called, ast.Attribute) and called.attr in IMPURE_METHODS:
                found.append(called.attr)
    return found


def test_core_calls_no_clock_and_opens_no_file() -> None:
    modules = {str(path.relative_to(ROOT)): impure(path.read_text()) for path in ROOT.rglob("*.py")}
    assert {name: calls for name, calls in modules.items() if calls} == {}


@pytest.mark.parametrize("source", ["datetime.now(UTC)", "date.today()", "open('/etc/hosts')", "print('here')"])
def test_an_impure_call_is_found(source: str) -> None:
    assert impure(source) != []
