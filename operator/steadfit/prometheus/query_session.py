"""One look at one MetricSource: never more questions at once than it allows, and none once it is down."""

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

LOST = frozenset({"Unreachable", "Timeout", "Unavailable", "AddressRefused", "CertificateRefused", "Unauthorized"})
"""Answers after which more questions are of no use now."""

R = TypeVar("R", Answer, Lines)


class QuerySource(Protocol):
    """Answers queries."""

    async def query(self, expression: str, namespace: str | None = None) -> Answer:
        """Return the answer, or raise NoAnswer."""

    async def query_range(
        self, expression: str, start: int, end: int, step: int, namespace: str | None = None
    ) -> Lines:
        """Return the answer to a range query, or raise NoAnswer."""

    async def close(self) -> None:
        """Release what it holds."""


class Unusable:
    """Stands for a source whose URL passed admission, but which no client can be made for."""

    async def query(self, expression: str, namespace: str | None = None) -> Answer:
        """Raise NoAnswer."""
        raise _invalid()

    async def query_range(
        self, expression: str, start: int, end: int, step: int, namespace: str | None = None
    ) -> Lines:
        """Raise NoAnswer."""
        raise _invalid()

    async def close(self) -> None:
        """Release nothing."""


class QuerySession:
    """Asks one source for as long as one look takes, and remembers how it answered.

    Attributes
    ----------
    fresh
        Seconds for which an answer counts, and a value after its last one.
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
        """Return the namespace to ask for; None where one question may be about all of them.

        A proxy that enforces a namespace is asked for each one by itself: not every such proxy takes several.
        """
        return namespace if self._proxied else None

    async def query(self, expression: str, namespace: str | None, *, ours: bool) -> Answer | NoAnswer:
        """Ask, unless the source is down; an expression of a user's that is refused is not the source's fault."""

        async def asked() -> Answer:
            answer = await self._client.query(expression, namespace)
            check_age(answer, self.clock.now().timestamp(), self.fresh)
            return answer

        return await self._counted(asked, ours=ours)

    async def query_range(self, expression: str, grid: Grid, namespace: str | None) -> Lines | NoAnswer:
        """Ask one of our own expressions for each slice of time, unless the source is down."""

        async def asked() -> Lines:
            return await self._client.query_range(expression, grid.first, grid.last, grid.step, namespace)

        return await self._counted(asked, ours=True)

    def unusable(self, error: NoAnswer, *, ours: bool) -> None:
        """Take note that what was answered is of no use."""
        if ours:
            self._problem = error
        else:
            self._counts[self.source.name, error.code] += 1

    def unanswered(self, error: NoAnswer) -> str:
        """Return that a question got no answer, without the source's own words, which may change with every answer."""
        return f"MetricSource {self.source.name}: {error.message}"

    def forbidden(self) -> str:
        """Return that a namespace may not use the source."""
        return f"MetricSource {self.source.name} is not allowed in this namespace (its allowedNamespaces)"

    def health(self) -> SourceHealth:
        """Return how the source answered."""
        if self._problem is not None:
            return SourceHealth(f"{self.source.spec.url}: {self._problem}", self._problem.code)
        return SourceHealth("", warning="; ".join(self._warnings))

    async def _counted(self, ask: Callable[[], Awaitable[R]], *, ours: bool) -> R | NoAnswer:
        async with self._slots:
            if self._lost is not None and self._losses >= self.source.spec.max_concurrent:
                return self._lost
            try:
                answer = await ask()
            except NoAnswer as error:
                self._counts[self.source.name, error.code] += 1
                if error.code in LOST:
                    self._lost, self._losses = error, self._losses + 1
                if ours or error.code in LOST:
                    self._problem = error
                return error
        self._counts[self.source.name, "Answered"] += 1
        self._warnings |= dict.fromkeys(answer.warnings)
        return answer


def _invalid() -> NoAnswer:
    return NoAnswer("InvalidURL", "this is no URL that can be asked: correct spec.url")
