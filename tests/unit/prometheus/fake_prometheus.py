"""A local HTTP server in Prometheus's place, which answers as a test says."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from steadfit.api.metricsource import MetricSourceSpec

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Asked:
    """One query that arrived."""

    query: str
    parameters: dict[str, str]
    headers: Mapping[str, str]
    form: Mapping[str, str]


@dataclass
class Prometheus:
    """What it answers, and what it was asked."""

    url: str
    handler: Handler
    asked: list[Asked] = field(default_factory=list)
    busy: int = 0
    most: int = 0
    """How many queries were under way at once, at most."""

    def spec(self, **spec: Any) -> MetricSourceSpec:
        return MetricSourceSpec.model_validate({"url": self.url, **spec})


def vector(*samples: tuple[dict[str, str], str], at: float | None = None, **more: Any) -> dict[str, Any]:
    """Return the answer with these series."""
    when = time.time() if at is None else at
    result = [{"metric": labels, "value": [when, value]} for labels, value in samples]
    return {"status": "success", "data": {"resultType": "vector", "result": result}, **more}


def scalar(value: str, at: float | None = None) -> dict[str, Any]:
    when = time.time() if at is None else at
    return {"status": "success", "data": {"resultType": "scalar", "result": [when, value]}}


def matrix(*lines: tuple[dict[str, str], list[tuple[float, str]]]) -> dict[str, Any]:
    """Return the answer with these lines."""
    result = [{"metric": labels, "values": [list(point) for point in points]} for labels, points in lines]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def says(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Handler:
    """Return a handler that always answers the same; bytes as they are, anything else as JSON."""

    async def handle(request: web.Request) -> web.StreamResponse:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return web.Response(body=raw, status=status, headers=headers)

    return handle


@asynccontextmanager
async def prometheus(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[Prometheus]:
    """Serve on a free port of this machine; with a context, by TLS."""
    server = Prometheus("", handler)

    async def handle(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        texts = {key: str(value) for key, value in form.items()}
        server.asked.append(Asked(texts["query"], dict(request.query), dict(request.headers), texts))
        server.busy += 1
        server.most = max(server.most, server.busy)
        try:
            return await server.handler(request)
        finally:
            server.busy -= 1

    application = web.Application()
    application.router.add_post("/api/v1/query", handle)
    application.router.add_post("/api/v1/query_range", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    server.url = f"http{'s' if context else ''}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def play(
    handler: Handler, story: Callable[[Prometheus], Awaitable[None]], context: ssl.SSLContext | None = None
) -> None:
    """Run a story with a server in an event loop of its own."""

    async def main() -> None:
        async with prometheus(handler, context) as server:
            await story(server)

    asyncio.run(main())
