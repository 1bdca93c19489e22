"""The two listeners of every replica: the intake over TLS, and probes and metrics over plain HTTP."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from . import metrics
from .health import Health

SHUTDOWN_SECONDS = 5.0


def probes(health: Health, exposition: Callable[[], bytes]) -> web.Application:
    """Return the application of /healthz, /readyz and /metrics."""

    async def liveness(request: web.Request) -> web.Response:
        status, text = health.liveness()
        return web.Response(status=status, text=text)

    async def readiness(request: web.Request) -> web.Response:
        status, text = health.readiness()
        return web.Response(status=status, text=text)

    async def scrape(request: web.Request) -> web.Response:
        return web.Response(body=exposition(), headers={"Content-Type": metrics.CONTENT_TYPE})

    application = web.Application()
    application.router.add_get("/healthz", liveness)
    application.router.add_get("/readyz", readiness)
    application.router.add_get("/metrics", scrape)
    return application


@asynccontextmanager
async def listening(
    application: web.Application, port: int, context: ssl.SSLContext | None = None, host: str | None = None
) -> AsyncIterator[int]:
    """Serve an application while the block runs, on all addresses when `host` is None; yields the port."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, ssl_context=context)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
