"""uvicorn's HTTP/1.1 connection over httptools, with what it lacks for this server.

- An idle connection is never closed while the process ends.
- An answer is the connection's last one while draining, and after some requests or some time: a Service decides when a
  connection is opened, so one that never ends keeps its client where it is, and makes it one voice of thousands.
  Never is it the last between requests that were sent together: the later ones would be lost.
- The size of a request's head is capped; httptools has no limit of its own.
- An offer to upgrade (`Upgrade: h2c` from Java's HTTP client, for one) is ignored, as HTTP allows; httptools
  takes the offer for accepted and drops the body of the request.
"""

import fcntl
import math
import random
import termios
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from steadfit_server.http.app import CONNECTION
from steadfit_server.inference.lifecycle import Lifecycle
from steadfit_server.settings import Settings

# Most bytes of a request's line and headers.
MAX_HEAD_BYTES = 64 * 1024
# So far a connection's bounds are from the settings, up or down: clients that began together do not all come back so.
JITTER = 0.25


def http_protocol(lifecycle: Lifecycle, settings: Settings) -> type[HttpToolsProtocol]:
    """Return the class of one connection; uvicorn creates each with arguments of its own."""

    class Protocol(HttpToolsProtocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._in_head = False
            self._head_bytes = 0
            self._upgrading = False
            self._requests = 0
            self._most_requests = _about(settings.max_requests_per_connection)
            self._last_at = self.loop.time() + _about(settings.max_connection_seconds)
            self._extensions: dict[str, dict[object, object]] = {CONNECTION: {"is_last": self._is_last}}

        def data_received(self, data: bytes) -> None:
            continued = self._in_head
            self._unset_keepalive_if_required()
            try:
                try:
                    self.parser.feed_data(data)
                except HttpParserUpgrade as offer:
                    self.parser.feed_data(self._head_without_offer() + data[offer.args[0] :])
            except (HttpParserError, HttpParserUpgrade):  # the second offer is the method CONNECT
                self.send_400_response("This is not an HTTP/1.1 request that can be answered here.")
                return
            # Only what came after the chunk that began the head is counted: that chunk may begin with a body.
            if continued and self._in_head:
                self._head_bytes += len(data)
                if self._head_bytes > MAX_HEAD_BYTES:
                    self.send_400_response(f"The request's headers are larger than {MAX_HEAD_BYTES} bytes.")

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._in_head, self._head_bytes = True, 0
            self._requests += 1
            self.scope["extensions"] = self._extensions

        def on_headers_complete(self) -> None:
            self._in_head = False
            self._upgrading = self.parser.should_upgrade()
            if not self._upgrading:
                super().on_headers_complete()

        def on_message_complete(self) -> None:
            if not self._upgrading:
                super().on_message_complete()

        def _head_without_offer(self) -> bytes:
            lines = [b"%s %s HTTP/1.1" % (self.parser.get_method(), self.url)]
            lines += [b"%s: %s" % each for each in self.headers if each[0] not in (b"upgrade", b"connection")]
            return b"\r\n".join([*lines, b"", b""])

        def timeout_keep_alive_handler(self) -> None:
            if not lifecycle.ending:
                super().timeout_keep_alive_handler()

        def _is_last(self) -> bool:
            """Return whether the answer that is about to be sent is the last one of this connection."""
            worn = self._requests >= self._most_requests or self.loop.time() >= self._last_at
            return (worn or lifecycle.draining) and not self._more_comes()

        def _more_comes(self) -> bool:
            """Return whether something was sent beyond the request that is answered, or of it is still to come.

            A connection that is closed on unread bytes is reset, and the reset may overtake the answer.
            """
            if self.pipeline or self._in_head or self.cycle.more_body or self.transport.is_closing():
                return True
            descriptor = self.transport.get_extra_info("socket").fileno()
            return any(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))

    return Protocol


def _about(bound: float) -> float:
    """Return a bound of one connection's own; 0 is none."""
    return bound * random.uniform(1 - JITTER, 1 + JITTER) if bound else math.inf  # noqa: S311 - no secret
