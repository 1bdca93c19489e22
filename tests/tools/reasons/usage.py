"""Compares the words in the source of the operator with the catalogue, without running it.

The type checker rejects an unknown word where the type of a reason is asked for. This check says the same in one line,
for the words that stand in a call, and says what the type checker cannot: that a word stands where the catalogue does
not have it, that a condition is made past the type, and that nothing uses a word.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from steadfit.core.reasons.entry import Reason

OPERATOR = Path("operator/steadfit")
CATALOGUE = OPERATOR / "core/reasons"
# The models say which words may stand in a field; they set none.
API = OPERATOR / "api"
# The one module that makes conditions of `DesiredCondition`, whose reason has the type.
CONDITIONS = OPERATOR / "core/conditions.py"

# The argument of what makes a condition, an Event or a reason for one: its place and its name.
_SINKS = {
    "Event": (1, "reason"),
    "DesiredCondition": (2, "reason"),
    "ready": (0, "reason"),
    "reconciling": (0, "reason"),
    "stalled": (0, "reason"),
    "Problem": (0, "reason"),
    "failure": (0, "failure_class"),
    "Hold": (0, "reason"),
    "NoAnswer": (0, "code"),
    "Signal": (3, "code"),
    "Compared": (5, "code"),
    "SourceHealth": (1, "code"),
    "replace": (1, "reason"),
}


def sources(root: Path) -> dict[Path, str]:
    """Return the sources of the operator without models and catalogue, by their path in the repository."""
    found = {path.relative_to(root): path for path in (root / OPERATOR).rglob("*.py")}
    left_out = (API, CATALOGUE)
    return {
        path: file.read_text() for path, file in sorted(found.items()) if not any(map(path.is_relative_to, left_out))
    }


def faults(code: Mapping[Path, str], catalogue: Mapping[str, Reason]) -> Iterator[str]:
    """Yield where code and catalogue differ, a sentence each."""
    unused = set(catalogue)
    for path, text in code.items():
        tree = ast.parse(text)
        yield from (f"{path}:{line}: {said}" for line, said in _wrong(tree, catalogue))
        yield from (f"{path}:{line}: {said}" for line, said in _past_the_type(tree, catalogue, path == CONDITIONS))
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
        elif name in ("ready", "reconciling", "stalled", "DesiredCondition"):
            for type_ in _types(call) if name == "DesiredCondition" else ("Ready",):
                if not any(place.endswith(f"/{type_}") for place in catalogue[word].conditions):
                    yield call.lineno, f"the catalogue has no condition {type_} of the reason {word}"


def _types(call: ast.Call) -> Iterator[str]:
    """Yield the type of a condition where it is written out; those that repeat the reason of Ready count as Ready."""
    shown_as_ready = dict.fromkeys(("READY", "RECONCILING", "STALLED", "FINISHED"), "Ready")
    for argument in [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "type")]:
        if isinstance(argument, ast.Name) and argument.id in shown_as_ready:
            yield shown_as_ready[argument.id]
        elif isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield shown_as_ready.get(argument.value.upper(), argument.value)


def _past_the_type(tree: ast.Module, catalogue: Mapping[str, Reason], makes: bool) -> Iterator[tuple[int, str]]:
    """Yield calls by which a reason gets into a condition or an Event without the type checker seeing its word."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name == "Condition" and not makes:
            yield call.lineno, f"only {CONDITIONS} makes conditions: return a DesiredCondition"
        if name in _SINKS and name != "replace" and any(keyword.arg is None for keyword in call.keywords):
            yield call.lineno, f"{name} takes its arguments by `**`: write them out"
        if isinstance(call.func, ast.Attribute) and call.func.attr == "model_copy":
            for word in _updated(call):
                if word not in catalogue:
                    yield call.lineno, f"the reason {word} is not in {CATALOGUE}"


def _updated(call: ast.Call) -> Iterator[str]:
    """Yield the words that `model_copy(update={"reason": ...})` sets."""
    for update in (keyword.value for keyword in call.keywords if keyword.arg == "update"):
        if isinstance(update, ast.Dict):
            pairs = zip(update.keys, update.values, strict=True)
            yield from _constants(
                value for key, value in pairs if isinstance(key, ast.Constant) and key.value == "reason"
            )


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
    """Yield every string of a module that is one word and may be set: not in a type, nor compared with."""
    read = (ast.Compare, ast.MatchValue, ast.Subscript)
    only_read = {inner for node in ast.walk(tree) if isinstance(node, read) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if node in only_read:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isalnum():
            yield node.value
