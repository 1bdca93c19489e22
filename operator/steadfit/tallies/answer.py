"""The answer of one server: its closed seconds, by group of connections.

Anything but this form, or a server of another model, is refused: numbers of a stranger would become a verdict.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn

MAX_BYTES = 256 * 1024
"""Largest answer."""
MAX_ROWS = 8192


class NoTallies(Exception):  # noqa: N818 - an outcome, not an error of the operator
    """A server has no tallies, or did not answer.

    Attributes
    ----------
    message
        Why, in a sentence whose subject is the server.
    silent
        Whether it did not answer, and may have tallies.
    """

    def __init__(self, message: str, *, silent: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.silent = silent


@dataclass(frozen=True, slots=True)
class Row:
    """Requests of one group of connections that were answered within one second.

    Attributes
    ----------
    server
        Id of the process and of its count.
    voice
        The process and the group.
    requests, failed
        Number of requests, and of those with 5xx.
    latencies
        Number of requests by index of their bucket.
    """

    second: int
    server: str
    voice: str
    requests: int
    failed: int
    latencies: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The closed seconds of one server after a second that was asked for.

    Attributes
    ----------
    server
        Id of the process and of its count.
    closed
        Last second that the rows cover.
    latest
        Last closed second.
    time
        The pod's clock.
    bounds
        Upper bounds of the buckets in seconds.
    """

    server: str
    closed: int
    latest: int
    time: float
    bounds: tuple[float, ...]
    rows: tuple[Row, ...]


def read(body: bytes, namespace: str, model: str, revision: str) -> Answer:
    """Return the answer in a body of HTTP 200 of a server of this model and revision.

    Raises
    ------
    NoTallies
        If it is none.
    """
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NoTallies("answers /tallies with something else than JSON") from error
    if not isinstance(reply, dict):
        _foreign()
    server, closed, latest, time = (reply.get(name) for name in ("server", "closed", "latest", "time"))
    if not isinstance(server, str) or not 0 < len(server) <= 64 or type(closed) is not int or type(latest) is not int:
        _foreign()
    if not isinstance(time, int | float) or not 0 < time < 1e12:
        _foreign()
    if (reply.get("namespace"), reply.get("model"), reply.get("revision")) != (namespace, model, revision):
        raise NoTallies("serves another model or revision")
    rows = reply.get("rows")
    if not isinstance(rows, list) or len(rows) > MAX_ROWS or closed > latest:
        _foreign()
    counted = tuple(_row(server, closed, row) for row in rows)
    return Answer(server, closed, latest, float(time), _bounds(reply.get("bounds")), counted)


def _bounds(bounds: Any) -> tuple[float, ...]:
    if not isinstance(bounds, list) or not 0 < len(bounds) <= 64:
        _foreign()
    if not all(type(bound) in (int, float) for bound in bounds) or sorted(bounds) != bounds:
        _foreign()
    return tuple(map(float, bounds))


def _row(server: str, closed: int, row: Any) -> Row:
    try:
        second, group, requests, failed, latencies = row
        numbers = (second, group, requests, failed, *latencies.values())
        buckets = tuple((int(bucket), count) for bucket, count in latencies.items())
    except (TypeError, ValueError, AttributeError):
        _foreign()
    if not all(type(number) is int and number >= 0 for number in numbers):
        _foreign()
    if second > closed or failed > requests or sum(count for _, count in buckets) > requests:
        _foreign()
    return Row(second, server, f"{server}-{group}", requests, failed, buckets)


def _foreign() -> NoReturn:
    raise NoTallies("answers /tallies in another form")
