"""Reading what a source answers. Whatever is not exactly the Prometheus API is no answer, with a sentence that says so.

A lenient reader makes verdicts of garbage: an error read as 0, a NaN that compares false, the first of several series.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from steadfit.core.reasons.metrics import NoDataReason

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|NaN|[+-]?Inf")
SHOWN = 200
"""Characters of a source's own words that are repeated."""


class NoAnswer(Exception):  # noqa: N818 - what it is, not an error of ours
    """A source did not answer, or not usably.

    Attributes
    ----------
    code
        Why, in CamelCase.
    message
        Why, in a sentence that stays the same while the cause does.
    detail
        The source's own words, which may change with every answer.
    """

    def __init__(self, code: NoDataReason, message: str, detail: str = "") -> None:
        super().__init__(f"{message}: {detail}" if detail else message)
        self.code = code
        self.message = message
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series; it may be NaN or infinite."""

    labels: Mapping[str, str]
    at: float
    """When, in seconds since 1970."""
    value: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of an instant query."""

    kind: Literal["vector", "scalar"]
    samples: tuple[Sample, ...]
    warnings: tuple[str, ...] = ()
    """What the source warned of, for example that a part of it did not answer."""


@dataclass(frozen=True, slots=True)
class Line:
    """The values of one series over time; they may be NaN or infinite."""

    labels: Mapping[str, str]
    points: Mapping[float, float]
    """By the time they are of, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The result of a range query."""

    lines: tuple[Line, ...]
    warnings: tuple[str, ...] = ()


def read(body: bytes) -> Answer:
    """Return the answer that a body of HTTP 200 holds.

    Raises
    ------
    NoAnswer
        If it holds anything but a vector of numbers or a scalar.
    """
    kind, result, told = _success(body)
    if kind in ("matrix", "string"):
        raise NoAnswer("WrongType", f"the expression gives a {kind}; it must give a scalar or a vector of one series")
    if not isinstance(result, list):
        raise _foreign()
    if kind == "scalar":
        return Answer("scalar", (Sample({}, *_pair(result)),), told)
    if kind == "vector":
        return Answer("vector", tuple(map(_sample, result)), told)
    raise _foreign()


def read_range(body: bytes) -> Lines:
    """Return the answer to a range query that a body of HTTP 200 holds.

    Raises
    ------
    NoAnswer
        If it holds anything but lines of numbers.
    """
    kind, result, told = _success(body)
    if kind != "matrix" or not isinstance(result, list):
        raise _foreign()
    return Lines(tuple(map(_line, result)), told)


def _success(body: bytes) -> tuple[object, Any, tuple[str, ...]]:
    """Return the type, the result and the warnings of an answer that says it is one."""
    try:
        reply = json.loads(body, parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        raise NoAnswer("NotPrometheus", "its answer is not JSON, so it is no Prometheus API") from error
    if not isinstance(reply, dict):
        raise _foreign()
    if reply.get("status") == "error":
        raise NoAnswer("QueryRefused", "it refuses the query", words(reply))
    data = reply.get("data")
    if reply.get("status") != "success" or not isinstance(data, dict):
        raise _foreign()
    warnings = reply.get("warnings") or []
    if not isinstance(warnings, list):
        raise _foreign()
    return data.get("resultType"), data.get("result"), tuple(str(warning)[:SHOWN] for warning in warnings[:10])


def words(reply: Any) -> str:
    """Return what an error answer says, cut."""
    if not isinstance(reply, dict):
        return ""
    said = ": ".join(str(reply[key]) for key in ("errorType", "error") if reply.get(key))
    return " ".join(said.split())[:SHOWN]


def one_number(answer: Answer) -> float:
    """Return the one finite number that an answer holds.

    Raises
    ------
    NoAnswer
        If there is none, more than one, or it is not finite.
    """
    if not answer.samples:
        raise NoAnswer("NoSeries", "the expression has no result")
    if len(answer.samples) > 1:
        raise NoAnswer("SeveralSeries", "the expression gives several series; it must give one, for example by sum()")
    value = answer.samples[0].value
    if not math.isfinite(value):
        raise NoAnswer("NotANumber", f"the value of the expression is {value}, which is no number to judge by")
    return value


def check_age(answer: Answer, now: float, limit: float) -> None:
    """Return if every sample is of about now.

    Raises
    ------
    NoAnswer
        If one is older than the limit, or as far ahead.
    """
    if any(not abs(now - sample.at) <= limit for sample in answer.samples):
        raise NoAnswer(
            "Stale",
            f"its answer is of another time, more than {limit:g} s away: a stale copy, or a clock that is wrong",
        )


def _sample(entry: Any) -> Sample:
    if not isinstance(entry, dict) or not isinstance(entry.get("metric"), dict):
        raise _foreign()
    if "histogram" in entry:
        raise NoAnswer("WrongType", "the expression gives a histogram; it must give numbers")
    labels = entry["metric"]
    if not all(isinstance(value, str) for value in labels.values()):
        raise _foreign()
    return Sample(labels, *_pair(entry.get("value")))


def _line(entry: Any) -> Line:
    if not isinstance(entry, dict) or "histograms" in entry or not isinstance(entry.get("values"), list):
        raise _foreign()
    labels = entry.get("metric")
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise _foreign()
    return Line(labels, dict(map(_pair, entry["values"])))


def _pair(value: Any) -> tuple[float, float]:
    """Return time and value of `[1700000000.1, "0.25"]`."""
    if not isinstance(value, list) or len(value) != 2:
        raise _foreign()
    at, text = value
    if isinstance(at, bool) or not isinstance(at, int | float) or not isinstance(text, str):
        raise _foreign()
    if not _NUMBER.fullmatch(text):
        raise _foreign()
    try:
        return float(at), float(text)
    except OverflowError as error:
        raise _foreign() from error


def _foreign() -> NoAnswer:
    return NoAnswer("NotPrometheus", "its answer has not the form of the Prometheus API")


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
