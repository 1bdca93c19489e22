"""uvicorn with a drain: after SIGTERM it still answers, and each answer closes its connection.

On SIGTERM uvicorn 0.54 sets `should_exit`; within 0.1 s it closes the listening socket and every idle connection. A
keep-alive client that sends at that moment gets a reset: 35 of 180,000 requests in a measurement with replaced pods.
Here the signal only starts the drain: connections are still accepted, idle ones stay open, and clients move because
each answer says `Connection: close`. Then uvicorn's own shutdown runs, which lets requests in flight finish. At last
the process waits until its clients have closed their connections too: the pod's network ends with it (`unclosed.py`).

A pod that stays drains too while the operator says so, because the traffic has moved to other pods (`drain_file.py`).
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
from steadfit_server.http.unclosed import closed_by_clients
from steadfit_server.inference.lifecycle import Lifecycle
from steadfit_server.settings import Settings
from steadfit_server.telemetry.tallies import Tallies

LOG = logging.getLogger(__name__)

# Time between two reads of the drain file.
POLL_SECONDS = 0.2


class DrainingServer(uvicorn.Server):
    """A uvicorn server for one process that drains before it exits.

    Parameters
    ----------
    settings : Settings
        Address, port and times.
    app : App
        The ASGI application.
    lifecycle : Lifecycle
        State of the process; this server sets `ending` and `left`.
    tallies : Tallies
        Counts by connection and second; this server closes the seconds.
    """

    def __init__(self, settings: Settings, app: App, lifecycle: Lifecycle, tallies: Tallies) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                http=http_protocol(lifecycle, settings, tallies),
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # Also on answers of uvicorn itself, e.g. 400 to bytes that are not HTTP.
                headers=[("Steadfit-Version", settings.version), ("Steadfit-Revision", settings.revision)],
                proxy_headers=False,
                timeout_keep_alive=settings.keep_alive_seconds,
                timeout_graceful_shutdown=math.ceil(settings.request_timeout_seconds) + 1,
            )
        )
        self._lifecycle = lifecycle
        self._tallies = tallies
        self._drain_seconds = settings.drain_seconds
        self._linger_seconds = settings.linger_seconds
        self._port = settings.port
        self._hurry = asyncio.Event()
        self._drain_file = DrainFile(settings.drain_file)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until `should_exit` is set; meanwhile follow the drain file, and close the seconds of the tallies."""
        watching = asyncio.create_task(self._watch_drain_file())
        # Without it the pod would keep its clients when the traffic leaves: then the server ends, and is restarted.
        watching.add_done_callback(lambda _: self._end())
        beside = [watching, asyncio.create_task(self._tallies.keep_time())]
        try:
            await super().serve(sockets)
            await self._linger()
        finally:
            for task in beside:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals within the block: start the drain.

        uvicorn's own handler also remembers the signal and raises it again after the shutdown, which would end the
        process by the signal. After a drain the exit code is 0.
        """
        loop = asyncio.get_running_loop()
        for each in HANDLED_SIGNALS:
            loop.add_signal_handler(each, self._signalled, signal.Signals(each))
        yield

    def _signalled(self, received: signal.Signals) -> None:
        """Start the drain. A second signal ends it; without a loaded model the process ends at once."""
        if self._lifecycle.ending or self._lifecycle.predictor is None:
            self.should_exit = True
            self._hurry.set()
            return
        self._lifecycle.ending = True
        asyncio.get_running_loop().call_later(self._drain_seconds, self._end)
        LOG.info("draining", extra={"fields": {"signal": received.name, "seconds": self._drain_seconds}})

    async def _linger(self) -> None:
        """Wait until the clients have closed their connections; a second signal ends that too."""
        waiting = asyncio.create_task(closed_by_clients(self._port, self._linger_seconds))
        hurried = asyncio.create_task(self._hurry.wait())
        await asyncio.wait([waiting, hurried], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        hurried.cancel()

    def _end(self) -> None:
        """End uvicorn's main loop, which reads the flag ten times a second."""
        self.should_exit = True

    async def _watch_drain_file(self) -> None:
        """Poll the drain file and set `left` accordingly."""
        while True:
            if (left := self._drain_file.requested()) != self._lifecycle.left:
                self._lifecycle.left = left
                LOG.info("the traffic has left" if left else "the traffic is back")
            await asyncio.sleep(POLL_SECONDS)
