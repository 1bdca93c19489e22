"""The pieces of PromQL that rules and queries are made of.

Everything that a user wrote reaches an expression through one of these functions: Prometheus loads none of a file that
it cannot read, and the file holds the rules of all models.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from steadfit.api.base import parse_duration

Rule = Mapping[str, Any]
"""A recording or an alerting rule as Prometheus reads it."""

MODEL = "namespace, model, version"
"""Labels that tell models apart. The revision is not one of them: the same model in other pods is the same model."""

_MEANS_SOMETHING = frozenset(r"\.+*?()|[]{}^$")


def duration(text: str) -> str:
    """Return a Go duration as PromQL writes it: `1.5h` becomes `5400s`. Never zero, which PromQL refuses."""
    return seconds(parse_duration(text).total_seconds())


def seconds(length: float) -> str:
    """Return a length of time as PromQL writes it, rounded up to milliseconds."""
    milliseconds = max(1, math.ceil(round(length * 1000, 6)))
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


def string(text: str) -> str:
    """Return a string literal in ASCII, whatever the text holds."""
    return '"' + "".join(_character(character) for character in text) + '"'


def one_of(values: Iterable[str]) -> str:
    """Return a matcher, without the label's name, for exactly these values."""
    texts = list(values)
    if len(texts) == 1:
        return f"={string(texts[0])}"
    return f"=~{string('|'.join(_literally(text) for text in texts))}"


def number(value: float) -> str:
    """Return a number as people write it, to twelve digits: 0.99, 500; a level less a tenth is 0.18."""
    return f"{value:.12g}"


def record(name: str, expression: str, **labels: str) -> Rule:
    """Return a recording rule."""
    return {"record": str(name), "expr": expression, "labels": labels}


def _literally(text: str) -> str:
    return "".join(f"\\{character}" if character in _MEANS_SOMETHING else character for character in text)


def _character(character: str) -> str:
    point = ord(character)
    if character in '"\\':
        return f"\\{character}"
    if 0x20 <= point < 0x7F:
        return character
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
