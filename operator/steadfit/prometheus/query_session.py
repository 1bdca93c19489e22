"""One round of queries to one MetricSource: never more at once than it allows, and none once it is down."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from steadfit.api.base import parse_duration
from steadfit.api.metricsource import MetricSource
from steadfit.core.types import SourceHealth
from steadfit.kube.clock import Clock

from .answer import Answer, Lines, NoAnswer, check_age
from .canary_queries import Grid

SOURCE_DOWN = frozenset(
    {"Unreachable", "Timeout", "Unavailable", "AddressRefused", "CertificateRefused", "Unauthorized"}
)
"""Codes after which further queries in the same round are useless."""

R = TypeVar("R", Answer, Lines)


class QuerySource(Protocol):
    """A client that sends queries."""

    async def query(self, expression: str, namespace: str | None = None) -> Answer:
        """Return the answer, or raise NoAnswer."""

    async def query_range(
        self, expression: str, start: int, end: int, step: int, namespace: str | None = None
    ) -> Lines:
        """Return the answer to a range query, or raise NoAnswer."""

    async def close(self) -> None:
        """Close its connections."""


class Unusable:
    """The client of a source whose URL passed admission but cannot be used."""

    async def query(self, expression: str, namespace: str | None = None) -> Answer:
        """Raise NoAnswer."""
        raise _invalid()

    async def query_range(
        self, expression: str, start: int, end: int, step: int, namespace: str | None = None
    ) -> Lines:
        """Raise NoAnswer."""
        raise _invalid()

    async def close(self) -> None:
        """Do nothing."""


class QuerySession:
    """The queries of one round to one source, and the source's health that follows from the answers.

    Attributes
    ----------
    fresh
        Seconds for which an answer counts, and for which a value stays when answers fail.
    """

    def __init__(
        self, source: MetricSource, client: QuerySource, clock: Clock, counts: Counter[tuple[str, str]]
    ) -> None:
        self.source = source
        self.clock = clock
        self.interval = parse_duration(source.spec.interval).total_seconds()
        self.fresh = 2 * self.interval + 60
        self._client = client
        self._counts = counts
        self._proxied = source.spec.tenancy.mode == "Proxied"
        self._problem: NoAnswer | None = None
        self._slots = asyncio.Semaphore(source.spec.max_concurrent)
        self._lost: NoAnswer | None = None
        self._losses = 0
        self._warnings: dict[str, None] = {}

    def scope(self, namespace: str) -> str | None:
        """Return the namespace to send; None if one query may cover all namespaces.

        A proxy that enforces a namespace gets one query for each: not every such proxy accepts several.
        """
        return namespace if self._proxied else None

    async def query(self, expression: str, namespace: str | None, *, ours: bool) -> Answer | NoAnswer:
        """Send a query, unless the source is down.

        `ours` is False for a user's expression: an error in it is not a problem of the source.
        """

        async def send() -> Answer:
            answer = await self._client.query(expression, namespace)
            check_age(answer, self.clock.now().timestamp(), self.fresh)
            return answer

        return await self._counted(send, ours=ours)

    async def query_range(self, expression: str, grid: Grid, namespace: str | None) -> Lines | NoAnswer:
        """Send a range query of the operator's own, unless the source is down."""

        async def send() -> Lines:
            return await self._client.query_range(expression, grid.first, grid.last, grid.step, namespace)

        return await self._counted(send, ours=True)

    def unusable(self, error: NoAnswer, *, ours: bool) -> None:
        """Store that an answer cannot be used."""
        if ours:
            self._problem = error
        else:
            self._counts[self.source.name, error.code] += 1

    def unanswered(self, error: NoAnswer) -> str:
        """Return the sentence for a failed query, without the source's message, which may change with every answer."""
        return f"MetricSource {self.source.name}: {error.message}"

    def forbidden(self) -> str:
        """Return the sentence for a namespace that may not use the source."""
        return f"MetricSource {self.source.name} is not allowed in this namespace (its allowedNamespaces)"

    def health(self) -> SourceHealth:
        """Return the health of the source."""
        if self._problem is not None:
            return SourceHealth(f"{self.source.spec.url}: {self._problem}", self._problem.code)
        return SourceHealth("", warning="; ".join(self._warnings))

    async def _counted(self, send: Callable[[], Awaitable[R]], *, ours: bool) -> R | NoAnswer:
        async with self._slots:
            if self._lost is not None and self._losses >= self.source.spec.max_concurrent:
                return self._lost
            try:
                answer = await send()
            except NoAnswer as error:
                self._counts[self.source.name, error.code] += 1
                if error.code in SOURCE_DOWN:
                    self._lost, self._losses = error, self._losses + 1
                if ours or error.code in SOURCE_DOWN:
                    self._problem = error
                return error
        self._counts[self.source.name, "Answered"] += 1
        self._warnings |= dict.fromkeys(answer.warnings)
        return answer


def _invalid() -> NoAnswer:
    return NoAnswer("InvalidURL", "the URL cannot be used: correct spec.url")
