"""Reads a request's body within limits on size and time."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from steadfit_server.protocol.errors import ClientGone, RequestError, quoted

# aiohttp, and with it tritonclient's asynchronous client, names bytes so, whatever they are.
_MEDIA_TYPES = (b"application/json", b"application/octet-stream")
# zlib finds out which of its two formats it reads: clients use both for `deflate`.
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class Buffered:
    """The bytes of all requests that are being read or answered, within a limit.

    A slow upload holds what has arrived of it, and no place among the requests that are answered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0

    @contextmanager
    def request(self) -> Iterator[Callable[[int], None]]:
        """Return a function that counts bytes of one request until it is over, or raises RequestError (503)."""
        own = 0

        def add(size: int) -> None:
            nonlocal own
            if self._bytes + size > self._most:
                held = f"The server holds {self._bytes} bytes of requests, and its limit is {self._most}; try again."
                raise RequestError(503, held, {b"retry-after": b"1"})
            self._bytes += size
            own += size

        try:
            yield add
        finally:
            self._bytes -= own


async def read_body(
    headers: Iterable[tuple[bytes, bytes]],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    max_bytes: int,
    timeout_seconds: float,
    buffered: Callable[[int], None],
) -> bytes:
    """Return the whole body of a request, decompressed.

    Parameters
    ----------
    max_bytes : int
        Largest size, as sent and decompressed.
    buffered : Callable[[int], None]
        Called with the size of each part.

    Raises
    ------
    RequestError
        415 for another media type or coding, 413 above `max_bytes`, 408 if it did not arrive in time, 400 if it can't
        be decompressed; and what `buffered` raises.
    ClientGone
        The connection closed before the end of the body.
    """
    named = dict(headers)
    # A request without a media type is taken as JSON, as RFC 9110 (8.3) allows.
    media_type = named.get(b"content-type", _MEDIA_TYPES[0]).split(b";")[0].strip().lower()
    if media_type not in _MEDIA_TYPES:
        raise RequestError(415, f"The body must be application/json, not {quoted(media_type.decode('latin-1'))}.")
    body = _body(named.get(b"content-encoding", b"identity").strip().lower(), max_bytes)
    # The parser has checked that a declared length is a number.
    if int(named.get(b"content-length", b"0")) > max_bytes:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(timeout_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                buffered(body.add(message.get("body", b"")))
                if not message.get("more_body", False):
                    return body.end()
    except TimeoutError:
        raise RequestError(
            408, f"The body did not arrive within {timeout_seconds:g} s.", {b"connection": b"close"}
        ) from None


class _Body:
    """The parts of a body."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> int:
        """Add a part as it was sent; return how many bytes it adds."""
        self._size += len(part)
        if self._size > self._max_bytes:
            raise _too_large(self._max_bytes)
        self._parts.append(part)
        return len(part)

    def end(self) -> bytes:
        """Return the whole body."""
        return b"".join(self._parts)


class _CompressedBody(_Body):
    """The parts of a body in gzip or zlib, which is decompressed as it comes, and no further than the limit."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self._sent = 0
        self._decompressor = zlib.decompressobj(_GZIP_OR_ZLIB)

    def add(self, part: bytes) -> int:
        """Add a part as it was sent; return how many bytes it adds."""
        self._sent += len(part)
        if self._sent > self._max_bytes:
            raise _too_large(self._max_bytes)
        before = self._size
        try:
            super().add(self._decompressor.decompress(part, self._max_bytes - self._size + 1))
        except zlib.error as error:
            raise RequestError(400, f"The body can't be decompressed: {error}.") from None
        return self._size - before

    def end(self) -> bytes:
        """Return the whole body."""
        if not self._decompressor.eof:
            raise RequestError(400, "The compressed body ends too early.")
        if self._decompressor.unused_data:
            raise RequestError(400, "The compressed body goes on after its end.")
        return super().end()


def _body(coding: bytes, max_bytes: int) -> _Body:
    if coding == b"identity":
        return _Body(max_bytes)
    if coding in (b"gzip", b"x-gzip", b"deflate"):
        return _CompressedBody(max_bytes)
    name = quoted(coding.decode("latin-1"))
    raise RequestError(415, f"The body may be compressed by gzip or deflate, but its coding is {name}.")


def _too_large(max_bytes: int) -> RequestError:
    return RequestError(413, f"The body is larger than {max_bytes} bytes, which is the most this server takes.")
