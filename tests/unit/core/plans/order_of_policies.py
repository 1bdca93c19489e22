"""The policies of each block of a ModelDeployment's plan, with the reasons for their order, read from its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.plans import model_deployment
from steadfit.core.serving.fleet import Fleet

SOURCE = Path(model_deployment.__file__).read_text()
BLOCKS = ("plan", "_recall", "_decide", "_conclude")
"""Functions that pass the status from one policy, or one block, to the next."""
Policy = Callable[[ModelDeploymentStatus, Fleet, datetime], ModelDeploymentStatus]


@dataclass(frozen=True)
class Step:
    """One policy of a block.

    Attributes
    ----------
    name
        Its module, or the name of the block.
    after
        The steps that the comment above it names.
    """

    name: str
    after: frozenset[str]
    policy: Policy


def steps(block: str) -> list[Step]:
    """Return the steps of a block in their order; of `plan` those that do not report."""
    (function,) = (node for node in ast.parse(SOURCE).body if isinstance(node, ast.FunctionDef) and node.name == block)
    found: list[Step] = []
    for statement in function.body:
        call = statement.value if isinstance(statement, ast.Assign | ast.Return) else None
        if not isinstance(call, ast.Call) or not _passes_the_status(call):
            continue
        name = _name(call)
        named = re.findall(r"[a-z_]+", _comment_above(statement.lineno))
        found.append(Step(name, frozenset(one.name for one in found if one.name in named), _policy(call)))
    return found


def _passes_the_status(call: ast.Call) -> bool:
    """Return whether a call gets the status, and nothing that only one block knows."""
    arguments = [ast.unparse(argument) for argument in call.args]
    return arguments[:1] == ["status"] and "desired" not in arguments


def _name(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return function.value.id
    return ast.unparse(function).removeprefix("_")


def _comment_above(line: int) -> str:
    lines = SOURCE.splitlines()[: line - 1]
    comment: list[str] = []
    while lines[-1].strip().startswith("#"):
        comment.insert(0, lines.pop().strip(" #"))
    return " ".join(comment).partition(":")[0]


def _policy(call: ast.Call) -> Policy:
    code = compile(ast.Expression(call), model_deployment.__file__, "eval")

    def policy(status: ModelDeploymentStatus, fleet: Fleet, now: datetime) -> ModelDeploymentStatus:
        after = eval(code, vars(model_deployment), {"status": status, "fleet": fleet, "now": now})
        changed: ModelDeploymentStatus = after[0] if isinstance(after, tuple) else after
        return changed

    return policy
