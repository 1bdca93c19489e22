"""uvicorn with a drain: after SIGTERM it goes on answering, and each answer closes its connection.

uvicorn 0.54 on SIGTERM sets `should_exit`; within 0.1 s it closes the listening socket and every idle
connection at once. A keep-alive client that is just sending on one of them gets a reset: 35 of 180,000
requests in a measurement with pods being replaced. Here the signal only starts the drain: connections are
still accepted, none is closed while idle, and clients move because each answer says `Connection: close`.
Only after that uvicorn's own shutdown runs, which lets requests in flight finish.

The operator can ask for the same of a pod that stays, because the traffic has moved to other pods (`drain_file.py`).
"""

import asyncio
import contextlib
import logging
import math
import signal
import socket
from collections.abc import Iterator

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from steadfit_server.http.app import App
from steadfit_server.http.connection import http_protocol
from steadfit_server.http.drain_file import DrainFile
from steadfit_server.inference.lifecycle import Lifecycle
from steadfit_server.settings import Settings

LOG = logging.getLogger(__name__)

# Between two reads of the drain file.
POLL_SECONDS = 1.0


class DrainingServer(uvicorn.Server):
    """A uvicorn server for one process that drains before it exits.

    Parameters
    ----------
    settings : Settings
        Address, port and times.
    app : App
        What answers.
    lifecycle : Lifecycle
        Whose `ending` and `left` this server sets.
    """

    def __init__(self, settings: Settings, app: App, lifecycle: Lifecycle) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                http=http_protocol(lifecycle, settings),
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # Also on what uvicorn answers by itself, e.g. 400 to bytes that are no HTTP.
                headers=[("Steadfit-Version", settings.version), ("Steadfit-Revision", settings.revision)],
                proxy_headers=False,
                timeout_keep_alive=settings.keep_alive_seconds,
                timeout_graceful_shutdown=math.ceil(settings.request_timeout_seconds) + 1,
            )
        )
        self._lifecycle = lifecycle
        self._drain_seconds = settings.drain_seconds
        self._drain_file = DrainFile(settings.drain_file)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until `should_exit` is set, and follow the drain file meanwhile."""
        watching = asyncio.create_task(self._watch_drain_file())
        try:
            await super().serve(sockets)
        finally:
            watching.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain on a signal, for the time of the block.

        uvicorn's own handler would also remember the signal and raise it again after the shutdown, so that the
        process dies of it. An ordered end is exit code 0.
        """
        loop = asyncio.get_running_loop()
        for each in HANDLED_SIGNALS:
            loop.add_signal_handler(each, self._signalled, signal.Signals(each))
        yield

    def _signalled(self, received: signal.Signals) -> None:
        """Begin the drain. A second signal ends it, and there is nothing to drain before the first answer."""
        if self._lifecycle.ending or self._lifecycle.predictor is None:
            self.should_exit = True
            return
        self._lifecycle.ending = True
        asyncio.get_running_loop().call_later(self._drain_seconds, self._end)
        LOG.info("draining", extra={"fields": {"signal": received.name, "seconds": self._drain_seconds}})

    def _end(self) -> None:
        """End uvicorn's main loop, which reads the flag ten times a second."""
        self.should_exit = True

    async def _watch_drain_file(self) -> None:
        """Drain while the file says so."""
        while True:
            if (left := self._drain_file.requested()) != self._lifecycle.left:
                self._lifecycle.left = left
                LOG.info("the traffic has left" if left else "the traffic is back")
            await asyncio.sleep(POLL_SECONDS)
