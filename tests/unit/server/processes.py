"""Server processes on loopback, raw connections to them, and a Service that decides per connection."""

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from tests.support.ports import free_port
from tests.unit.server.harness import ARTIFACT, INFER, Answer, mixed

ROOT = Path(__file__).parents[3]
FAKE = "tests.unit.server.serve_fake"


def request(document: Any = None, path: str = INFER, method: str = "POST", headers: str = "") -> bytes:
    body = b"" if method == "GET" else orjson.dumps({"inputs": mixed()} if document is None else document)
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Connection:
    """One TCP connection, for tests that look at when it closes."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> Answer:
        """Read one answer; the body of an answer that is not JSON stays text."""
        status = int(self._file.readline().split()[1])
        headers: dict[str, str] = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = self._file.read(int(headers["content-length"]))
        return Answer(status, headers, orjson.loads(body) if "json" in headers["content-type"] else body.decode())

    def ask(self, data: bytes) -> Answer:
        self.send(data)
        return self.answer()

    def closed_within(self, seconds: float) -> bool:
        """Whether the server closes the connection in this time without sending more."""
        readable, _, _ = select.select([self.socket], [], [], seconds)
        return bool(readable) and self.socket.recv(1, socket.MSG_PEEK) == b""

    def close(self) -> None:
        self._file.close()
        self.socket.close()


class ServerProcess:
    """One server process; `environment` overrides what a pod's would say."""

    def __init__(self, directory: Path, module: str = FAKE, **environment: str) -> None:
        self.port, self.metrics_port = free_port(), free_port()
        self.termination_log = directory / f"termination-{self.port}"
        self.log = directory / f"log-{self.port}"
        values = {
            "STEADFIT_NAMESPACE": "team",
            "STEADFIT_MODEL_NAME": "flights",
            "STEADFIT_VERSION": "7",
            "STEADFIT_REVISION": "aaaaaaaaaa",
            "STEADFIT_ARTIFACT": json.dumps(ARTIFACT),
            "STEADFIT_MODEL_DIR": str(directory / f"model-{self.port}"),
            "STEADFIT_TERMINATION_LOG": str(self.termination_log),
            "STEADFIT_HOST": "127.0.0.1",
            "STEADFIT_PORT": str(self.port),
            "STEADFIT_METRICS_PORT": str(self.metrics_port),
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("STEADFIT_", "AWS_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env=inherited | values | environment,
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
        )

    def ask(self, data: bytes) -> Answer:
        connection = Connection(self.port)
        try:
            return connection.ask(data)
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.ask(request(path=path, method="GET"))

    def wait_listening(self) -> None:
        wait_for(lambda: self.get("/v2/health/live").status == 200, self)

    def wait_ready(self) -> None:
        wait_for(lambda: self.get("/v2/health/ready").status == 200, self)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def is_running(self) -> bool:
        return self.process.poll() is None

    def exit_code(self, timeout: float = 60) -> int:
        return self.process.wait(timeout)

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextlib.contextmanager
def serving(directory: Path, module: str = FAKE, **environment: str) -> Iterator[ServerProcess]:
    server = ServerProcess(directory, module, **environment)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait()


def wait_for(condition: Any, server: ServerProcess, seconds: float = 60) -> None:
    """Wait until `condition()` holds; a connection refused counts as not yet."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(ConnectionError):
            if condition():
                return
        assert server.process.poll() is None, server.log.read_text()
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {server.log.read_text()}")


class Service:
    """Forwards each new connection to the port that is selected at that moment, as kube-proxy does."""

    def __init__(self, backend: int) -> None:
        self.backend = backend
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> "Service":
        async def start() -> int:
            server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
            return int(server.sockets[0].getsockname()[1])

        self.port = self._loop.run_until_complete(start())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        async def cancel_all() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(cancel_all(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.backend)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(self._copy(reader, back), self._copy(there, writer))

    @staticmethod
    async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()
        except ConnectionError:
            sink.transport.abort()
