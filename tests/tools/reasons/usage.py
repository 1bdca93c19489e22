"""Compares the words in the source of the operator with the catalogue, without running it.

The type checker rejects an unknown word wherever it comes from. This check says the same in one line, for the words
that stand in a call, and says what the type checker cannot: that an Event has another type than in the catalogue, and
that nothing uses a word.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from steadfit.core.reasons.entry import Reason

OPERATOR = Path("operator/steadfit")
CATALOGUE = OPERATOR / "core/reasons"

# The argument of what makes a condition, an Event or a reason for one: its place and its name.
_SINKS = {
    "Event": (1, "reason"),
    "DesiredCondition": (2, "reason"),
    "ready": (0, "reason"),
    "reconciling": (0, "reason"),
    "stalled": (0, "reason"),
    "Problem": (0, "reason"),
    "Hold": (0, "reason"),
    "NoAnswer": (0, "code"),
    "Signal": (3, "code"),
    "Compared": (5, "code"),
    "SourceHealth": (1, "code"),
}


def sources(root: Path) -> dict[Path, str]:
    """Return the sources of the operator without the catalogue, by their path in the repository."""
    found = {path.relative_to(root): path for path in (root / OPERATOR).rglob("*.py")}
    return {path: file.read_text() for path, file in sorted(found.items()) if not path.is_relative_to(CATALOGUE)}


def faults(code: Mapping[Path, str], catalogue: Mapping[str, Reason]) -> Iterator[str]:
    """Yield where code and catalogue differ, a sentence each."""
    unused = set(catalogue)
    for path, text in code.items():
        tree = ast.parse(text)
        yield from (f"{path}:{line}: {said}" for line, said in _wrong(tree, catalogue))
        unused -= set(_words(tree))
    yield from (f"{CATALOGUE}: nothing uses the reason {word}: remove it" for word in sorted(unused))


def setters(code: Mapping[Path, str], catalogue: Mapping[str, Reason]) -> dict[str, list[Path]]:
    """Return the files that set each word: where it stands in a call, or else where it stands at all."""
    in_calls: dict[str, list[Path]] = {word: [] for word in catalogue}
    anywhere: dict[str, list[Path]] = {word: [] for word in catalogue}
    for path, text in code.items():
        tree = ast.parse(text)
        for word in {word for _, _, word in _calls(tree)} & set(catalogue):
            in_calls[word].append(path)
        for word in set(_words(tree)) & set(catalogue):
            anywhere[word].append(path)
    return {word: in_calls[word] or anywhere[word] for word in catalogue}


def _calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call, str]]:
    """Yield each call that takes a reason: the name of what is called, the call, and the word."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name in _SINKS:
            place, argument = _SINKS[name]
            named = [keyword.value for keyword in call.keywords if keyword.arg == argument]
            yield from ((name, call, word) for word in _constants([*call.args[place : place + 1], *named]))


def _wrong(tree: ast.Module, catalogue: Mapping[str, Reason]) -> Iterator[tuple[int, str]]:
    for name, call, word in _calls(tree):
        if word not in catalogue:
            yield call.lineno, f"the reason {word} is not in {CATALOGUE}"
        elif name == "Event":
            for severity in _constants(call.args[:1]):
                if not (catalogue[word].normal if severity == "Normal" else catalogue[word].warning):
                    yield call.lineno, f"the catalogue has no {severity} Event of the reason {word}"


def _constants(expressions: Iterable[ast.expr]) -> Iterator[str]:
    """Yield the words that an argument can be, as far as they stand in it."""
    for expression in expressions:
        if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
            yield expression.value
        elif isinstance(expression, ast.IfExp):
            yield from _constants([expression.body, expression.orelse])
        elif isinstance(expression, ast.BoolOp):
            yield from _constants(expression.values)


def _words(tree: ast.Module) -> Iterator[str]:
    """Yield every string of a module that is one word, docstrings and longer texts excluded."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isalnum():
            yield node.value
