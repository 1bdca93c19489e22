"""Reads a request's body within limits on size and time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from steadfit_server.protocol.errors import ClientGone, RequestError, quoted


async def read_json_body(
    headers: Iterable[tuple[bytes, bytes]],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    max_bytes: int,
    timeout_seconds: float,
) -> bytes:
    """Return the whole body of a JSON request.

    Raises
    ------
    RequestError
        415 for another media type or coding, 413 above `max_bytes`, 408 if it did not arrive in time.
    ClientGone
        The connection closed before the end of the body.
    """
    named = dict(headers)
    # A request without a media type is taken as JSON, as RFC 9110 (8.3) allows.
    media_type = named.get(b"content-type", b"application/json").split(b";")[0].strip().lower()
    if media_type != b"application/json":
        raise RequestError(415, f"The body must be application/json, not {quoted(media_type.decode('latin-1'))}.")
    coding = named.get(b"content-encoding", b"identity").strip().lower()
    if coding != b"identity":
        raise RequestError(
            415, f"The body must not be compressed, but its coding is {quoted(coding.decode('latin-1'))}."
        )
    # The parser has checked that a declared length is a number.
    if int(named.get(b"content-length", b"0")) > max_bytes:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(timeout_seconds):
            parts = []
            size = 0
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part = message.get("body", b"")
                size += len(part)
                if size > max_bytes:
                    raise _too_large(max_bytes)
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise RequestError(
            408, f"The body did not arrive within {timeout_seconds:g} s.", {b"connection": b"close"}
        ) from None


def _too_large(max_bytes: int) -> RequestError:
    return RequestError(413, f"The body is larger than {max_bytes} bytes, which is the most this server takes.")
