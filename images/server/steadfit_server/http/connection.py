"""uvicorn's HTTP/1.1 connection over httptools, extended for this server.

- An idle connection is not closed while the process ends.
- An answer is the last one of its connection while draining, after a number of requests or a time, and when it is a
  failure of the server other than overload: a Service balances connections when they are opened, so a connection that
  never ends keeps its client on one pod. A connection is not closed between pipelined requests: the later ones would
  be lost.
- The size of a request's head is limited; httptools has no limit of its own.
- The requests of a connection are counted as one voice, which ends with it.
- An offer to upgrade (e.g. `Upgrade: h2c` from Java's HTTP client) is ignored, as HTTP allows; httptools treats the
  offer as accepted and drops the body of the request.

uvicorn has no public hooks for this; `tests/unit/server/http/test_uvicorn_seam.py` guards what is overridden.
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
from steadfit_server.telemetry.tallies import Tallies
from steadfit_server.telemetry.voices import Voice

# Limit on a request's line and headers, in bytes.
MAX_HEAD_BYTES = 64 * 1024
# Relative jitter of a connection's bounds, so that clients that connect together do not all reconnect together.
JITTER = 0.25
# Most requests and seconds of a connection while a comparison reads the counts by connection. It learns from each new
# connection: with eight clients and the usual bounds a canary gets one in 8 s, with these one in 2 s.
COMPARED_REQUESTS = 25
COMPARED_SECONDS = 8.0


def http_protocol(lifecycle: Lifecycle, settings: Settings, tallies: Tallies) -> type[HttpToolsProtocol]:
    """Return the class of connections, which uvicorn instantiates with its own arguments."""

    class Protocol(HttpToolsProtocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._in_head = False
            self._head_bytes = 0
            self._upgrading = False
            self._requests = 0
            self._most_requests = _about(settings.max_requests_per_connection)
            self._last_at = self.loop.time() + _about(settings.max_connection_seconds)
            self._compared_requests = min(_about(COMPARED_REQUESTS), self._most_requests)
            self._compared_last_at = min(self.loop.time() + _about(COMPARED_SECONDS), self._last_at)
            self._voice = Voice()
            self._extensions: dict[str, dict[object, object]] = {
                CONNECTION: {"is_last": self._is_last, "voice": self._voice}
            }

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            tallies.left(self._voice)

        def data_received(self, data: bytes) -> None:
            continued = self._in_head
            self._unset_keepalive_if_required()
            try:
                try:
                    self.parser.feed_data(data)
                except HttpParserUpgrade as offer:
                    self.parser.feed_data(self._head_without_offer() + data[offer.args[0] :])
            except (HttpParserError, HttpParserUpgrade):  # a second offer is the method CONNECT
                self.send_400_response("This is not an HTTP/1.1 request that can be answered here.")
                return
            # The chunk in which the head begins is not counted: it may begin with the body of the request before.
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

        def _is_last(self, status: int) -> bool:
            """Return whether the next answer is the last one of this connection; `status` is its HTTP status."""
            bounds = self._most_requests, self._last_at
            if tallies.compared:
                bounds = self._compared_requests, self._compared_last_at
            worn = self._requests >= bounds[0] or self.loop.time() >= bounds[1]
            return (worn or lifecycle.draining or self._is_failure(status)) and not self._more_comes()

        def _is_failure(self, status: int) -> bool:
            """Return whether an answer is a failure that another pod may not have.

            With a model loaded, 503 means too many requests at once, and a new connection for each is more load still.
            """
            return status >= 500 and (status != 503 or lifecycle.predictor is None)

        def _more_comes(self) -> bool:
            """Return whether the client has sent more than the current request, or still sends its body.

            The kernel resets a connection that is closed with unread bytes, and the reset may overtake the answer.
            """
            if self.pipeline or self._in_head or self.cycle.more_body or self.transport.is_closing():
                return True
            descriptor = self.transport.get_extra_info("socket").fileno()
            return any(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))

    return Protocol


def _about(bound: float) -> float:
    """Return a bound with jitter; 0 is no bound."""
    return bound * random.uniform(1 - JITTER, 1 + JITTER) if bound else math.inf  # noqa: S311 - no secret
