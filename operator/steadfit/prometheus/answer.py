"""The answers of a source. Anything but the format of the Prometheus API is refused with a sentence.

A lenient parser would turn errors into verdicts: an error page read as 0, a NaN that compares false, the first of
several series.
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
"""Characters of a source's own message that are shown."""


class NoAnswer(Exception):  # noqa: N818 - an outcome, not an error of the operator
    """A source did not answer, or its answer cannot be used.

    Attributes
    ----------
    code
        Why, in CamelCase.
    message
        Why, in a sentence that stays the same while the cause does.
    detail
        The source's own message, which may change with every answer.
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
    """Warnings of the source, for example that a part of it did not answer."""


@dataclass(frozen=True, slots=True)
class Line:
    """The values of one series over time; they may be NaN or infinite."""

    labels: Mapping[str, str]
    points: Mapping[float, float]
    """By time, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The result of a range query."""

    lines: tuple[Line, ...]
    warnings: tuple[str, ...] = ()


def read(body: bytes) -> Answer:
    """Return the answer in a body of HTTP 200.

    Raises
    ------
    NoAnswer
        If it is anything but a vector of numbers or a scalar.
    """
    kind, result, warnings = _success(body)
    if kind in ("matrix", "string"):
        raise NoAnswer("WrongType", f"the expression gives a {kind}; it must give a scalar or a vector of one series")
    if not isinstance(result, list):
        raise _foreign()
    if kind == "scalar":
        return Answer("scalar", (Sample({}, *_pair(result)),), warnings)
    if kind == "vector":
        return Answer("vector", tuple(map(_sample, result)), warnings)
    raise _foreign()


def read_range(body: bytes) -> Lines:
    """Return the answer to a range query in a body of HTTP 200.

    Raises
    ------
    NoAnswer
        If it is anything but a matrix of numbers.
    """
    kind, result, warnings = _success(body)
    if kind != "matrix" or not isinstance(result, list):
        raise _foreign()
    return Lines(tuple(map(_line, result)), warnings)


def _success(body: bytes) -> tuple[object, Any, tuple[str, ...]]:
    """Return type, result and warnings of an answer with status `success`."""
    try:
        reply = json.loads(body, parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        raise NoAnswer("NotPrometheus", "its answer is not JSON, so it is no Prometheus API") from error
    if not isinstance(reply, dict):
        raise _foreign()
    if reply.get("status") == "error":
        raise NoAnswer("QueryRefused", "it refuses the query", error_message(reply))
    data = reply.get("data")
    if reply.get("status") != "success" or not isinstance(data, dict):
        raise _foreign()
    warnings = reply.get("warnings") or []
    if not isinstance(warnings, list):
        raise _foreign()
    return data.get("resultType"), data.get("result"), tuple(str(warning)[:SHOWN] for warning in warnings[:10])


def error_message(reply: Any) -> str:
    """Return the message of an error answer, shortened to `SHOWN` characters."""
    if not isinstance(reply, dict):
        return ""
    message = ": ".join(str(reply[key]) for key in ("errorType", "error") if reply.get(key))
    return " ".join(message.split())[:SHOWN]


def one_number(answer: Answer) -> float:
    """Return the only number of an answer.

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
        raise NoAnswer("NotANumber", f"the value of the expression is {value}, which is not a finite number")
    return value


def check_age(answer: Answer, now: float, limit: float) -> None:
    """Check that every sample is of the present time; `limit` is in seconds.

    Raises
    ------
    NoAnswer
        If a sample is older than the limit, or as far in the future.
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
