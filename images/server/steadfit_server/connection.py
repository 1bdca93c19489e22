"""uvicorn's HTTP/1.1 connection over httptools, with what it lacks for this server.

- An idle connection is never closed while draining.
- The application learns whether more requests of the same connection wait.
- The size of a request's head is capped; httptools has no limit of its own.
- An offer to upgrade (`Upgrade: h2c` from Java's HTTP client, for one) is ignored, as HTTP allows; httptools
  takes the offer for accepted and drops the body of the request.
"""

from typing import Any

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from steadfit_server.app import PIPELINED
from steadfit_server.lifecycle import Lifecycle

# Most bytes of a request's line and headers.
MAX_HEAD_BYTES = 64 * 1024


def http_protocol(lifecycle: Lifecycle) -> type[HttpToolsProtocol]:
    """Return the class of one connection; uvicorn creates each with arguments of its own."""

    class Protocol(HttpToolsProtocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._in_head = False
            self._head_bytes = 0
            self._upgrading = False

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
            self.scope["extensions"] = {PIPELINED: {"waiting": self.pipeline}}

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
            if not lifecycle.draining:
                super().timeout_keep_alive_handler()

    return Protocol
