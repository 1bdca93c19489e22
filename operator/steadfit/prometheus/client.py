"""The HTTP client of one MetricSource.

It does not trust the source: time, size and number of answers are bounded, and it follows no redirect.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from steadfit.api.base import parse_duration
from steadfit.api.metricsource import MetricSourceSpec

from . import address_guard
from .answer import Answer, Lines, NoAnswer, error_message, read, read_range

T = TypeVar("T", Answer, Lines)

Authorize = Callable[[], Awaitable[str | None]]
"""Returns the value of the Authorization header; None without credentials."""

IN_A_THREAD = 128 * 1024
"""Bodies above this size are parsed in a thread, so that they do not block the event loop."""
_GZIP = 16 + zlib.MAX_WBITS
_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


class SourceClient:
    """Queries one MetricSource by POST /api/v1/query and /api/v1/query_range."""

    def __init__(
        self, spec: MetricSourceSpec, authorize: Authorize | None = None, resolver: AbstractResolver | None = None
    ) -> None:
        base = URL(spec.url)
        self._url = base.joinpath("api", "v1", "query").with_query(base.query)
        self._range_url = base.joinpath("api", "v1", "query_range").with_query(base.query)
        self._parameter = spec.tenancy.parameter if spec.tenancy.mode == "Proxied" else None
        self._authorize = authorize
        self._cap = spec.max_response_bytes
        self._seconds = parse_duration(spec.timeout).total_seconds()
        connector = aiohttp.TCPConnector(
            limit=spec.max_concurrent, resolver=address_guard.GuardedResolver(resolver), use_dns_cache=False
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self._seconds),
            headers={"Accept": "application/json", "Accept-Encoding": "gzip"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def query(self, expression: str, namespace: str | None = None) -> Answer:
        """Return the answer to an instant query; a namespace is sent if the source is a proxy that enforces it.

        Raises
        ------
        NoAnswer
            With a sentence whose subject "it" is the source.
        """
        return await self._send(self._url, {"query": expression}, namespace, read)

    async def query_range(
        self, expression: str, start: int, end: int, step: int, namespace: str | None = None
    ) -> Lines:
        """Return the answer to a range query over whole seconds, both ends included.

        Raises
        ------
        NoAnswer
            As for `query`.
        """
        form = {"query": expression, "start": str(start), "end": str(end), "step": str(step)}
        return await self._send(self._range_url, form, namespace, read_range)

    async def _send(self, url: URL, form: Mapping[str, str], namespace: str | None, reader: Callable[[bytes], T]) -> T:
        try:
            status, body = await self._post(url, form, namespace)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._unanswered(error) from error
        if status != 200:
            raise _refused(status, body)
        return await asyncio.to_thread(reader, body) if len(body) > IN_A_THREAD else reader(body)

    async def _post(self, url: URL, form: Mapping[str, str], namespace: str | None) -> tuple[int, bytes]:
        address_guard.check(self._url.host or "")
        headers = {}
        if self._authorize is not None:
            if self._url.scheme == "http" and self._url.host not in _LOCAL:
                raise NoAnswer("PlaintextCredentials", "credentials are not sent over http://: use https://")
            headers["Authorization"] = await self._authorize() or ""
        if self._parameter is not None and namespace is not None:
            # In the URL: not every proxy reads the parameter from the body.
            url = url.update_query({self._parameter: namespace})
        form = {**form, "timeout": f"{self._seconds:g}"}
        async with self._session.post(url, data=form, headers=headers, allow_redirects=False) as response:
            if 300 <= response.status < 400:
                raise NoAnswer("Redirected", "it answers with a redirect, which is not followed: correct spec.url")
            return response.status, await self._body(response)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        """Return the body; neither the compressed nor the decompressed size may exceed the cap."""
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        if encoding not in ("identity", "gzip"):
            raise NoAnswer("NotPrometheus", "its answer has a Content-Encoding that was not requested", encoding[:40])
        unpack = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
        arrived, body = 0, bytearray()
        async for chunk in response.content.iter_any():
            arrived += len(chunk)
            # One byte more than allowed shows that the body is too large.
            room = self._cap - len(body) + 1
            try:
                body += unpack.decompress(chunk, room) if unpack else chunk[:room]
            except zlib.error as error:
                raise _broken() from error
            if arrived > self._cap or len(body) > self._cap:
                raise NoAnswer("ResponseTooLarge", f"its answer is larger than {self._cap} bytes (maxResponseBytes)")
        if unpack and not unpack.eof:
            raise _broken()
        return bytes(body)

    def _unanswered(self, error: Exception) -> NoAnswer:
        cause = getattr(error, "os_error", error)
        if isinstance(cause, address_guard.AddressRefused):
            return NoAnswer("AddressRefused", f"its URL {cause}")
        if isinstance(error, TimeoutError):
            return NoAnswer("Timeout", f"it did not answer within {self._seconds:g} s")
        if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLError | aiohttp.ClientSSLError):
            return NoAnswer("CertificateRefused", "its certificate is not trusted", str(error)[:200])
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return NoAnswer("Unreachable", f"the name {self._url.host} does not resolve")
        if isinstance(error, aiohttp.ClientConnectorError):
            return NoAnswer("Unreachable", f"no connection to {self._url.host}:{self._url.port}")
        if isinstance(error, aiohttp.ClientPayloadError):
            return _broken()
        return NoAnswer("Unreachable", "the connection broke before it had answered", type(error).__name__)


def _broken() -> NoAnswer:
    return NoAnswer("Unreachable", "its answer breaks off or is damaged")


def _refused(status: int, body: bytes) -> NoAnswer:
    try:
        reply: Any = json.loads(body)
    except (ValueError, RecursionError):
        reply = None
    message = error_message(reply)
    if status in (401, 403):
        return NoAnswer("Unauthorized", f"it refuses the operator (HTTP {status}): see credentialsSecretName", message)
    if status in (400, 422) and message:
        return NoAnswer("QueryRefused", "it refuses the query", message)
    if status == 429 or status >= 500:
        return NoAnswer("Unavailable", f"it cannot answer now (HTTP {status})", message)
    return NoAnswer("NotPrometheus", f"it answers HTTP {status}: is spec.url the base of a Prometheus API?", message)
