"""An open-loop HTTP load generator that notices every failed request and which revision answered.

Open loop: request i is due at start + i / rate whatever became of the ones before it, and its latency counts
from when it was due. A generator that waits for answers slows down with the server it measures and so hides
the very pauses it is to find.

A keep-alive client is a pool of connections, like a real client's: when its connection is still busy at the
next due time, it opens another one. A fresh client opens a connection for each request. A connection that the
server closed while it was idle is replaced without ado; one that breaks between send and answer is a failed
request and is not repeated, because a POST may not be.

The name is resolved once, at the start: glibc asks for both address families at the same time from one socket, and
now and then the kernel's connection tracking drops one of two such packets (the lookup then takes 5 s). A lookup for
each connection, six packets with a cluster's search domains, would measure that.

Before the load, attempts to connect find out when a new Service has come to this node. kube-proxy takes away the rule
that refuses its connections some milliseconds before it writes where they go. A packet in between, or before the
Service is known at all, makes the kernel remember a connection to nowhere, for two minutes, and a request that happens
to have the same source port then goes there too: it times out, whatever the server does. So attempts have source ports
that no request has.

For the same reason a connection that the server closed is closed at once, as event-driven clients do, and not when the
pool comes to use it again: the pod of a server that was killed is gone by then, nobody acknowledges the close, and the
source port leads to that pod for minutes.

As a library:       `report = await Load(url, bodies).run(stop)`
In another process: `with LoadProcess(url, bodies) as load: ...; report = load.finish()`
By hand or in a pod (standard library only, one file):
    python -m tests.support.load --url http://127.0.0.1:8080/v2/models/m/infer --body '{"inputs": […]}' --seconds 10
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self
from urllib.parse import urlsplit

SOURCE_PORTS = range(20_000, 20_400)
"""Of attempts to connect before the load: none that Linux gives to a connection by itself (32768 to 60999)."""
ATTEMPT_SECONDS = 1.0
"""An attempt that went to nowhere gets no answer, however often the kernel sends it again."""


class Record(NamedTuple):
    """One request.

    at: when it was due, seconds since the epoch. latency: seconds from then to the end of its answer or failure.
    status: HTTP status, 0 without an answer. error: empty, or `connect: why`, `reset`, `timeout`, `protocol`,
    `status`.
    """

    at: float
    latency: float
    status: int
    version: str
    revision: str
    error: str
    client: str


@dataclass
class Seen:
    """The successful answers of one revision: how many, and when the first and last request was due."""

    version: str
    requests: int
    first: float
    last: float


@dataclass
class Report:
    """What became of all requests. `max_lag` is how late, at worst, the generator itself sent one, in seconds:
    where it is large, the machine was too busy and the latencies say nothing about the server."""

    requests: int
    failed: int
    seconds: float
    by_error: dict[str, int]
    by_revision: dict[str, Seen]
    latency_p50: float
    latency_p99: float
    latency_max: float
    max_lag: float
    records: list[Record] = field(repr=False)

    @classmethod
    def of(cls, records: Sequence[Record], max_lag: float = 0.0) -> Self:
        """Count records in the order they were due."""
        ordered = sorted(records)
        by_revision: dict[str, Seen] = {}
        for record in ordered:
            if record.error:
                continue
            seen = by_revision.setdefault(record.revision, Seen(record.version, 0, record.at, record.at))
            seen.requests += 1
            seen.last = record.at
        latencies = sorted(record.latency for record in ordered) or [0.0]
        errors = Counter(record.error.partition(":")[0] for record in ordered if record.error)
        return cls(
            requests=len(ordered),
            failed=sum(errors.values()),
            seconds=ordered[-1].at - ordered[0].at if ordered else 0.0,
            by_error=dict(errors),
            by_revision=by_revision,
            latency_p50=latencies[len(latencies) // 2],
            latency_p99=latencies[len(latencies) * 99 // 100],
            latency_max=latencies[-1],
            max_lag=max_lag,
            records=ordered,
        )

    def not_allowed(self, allowed: Callable[[str, float], bool]) -> list[Record]:
        """Return the answers of a revision that `allowed(revision, due time)` says should not have answered."""
        return [each for each in self.records if not each.error and not allowed(each.revision, each.at)]

    def failures(self) -> list[Record]:
        """Return the failed requests."""
        return [each for each in self.records if each.error]

    def to_json(self) -> dict[str, Any]:
        """Return everything but the single records."""
        document = asdict(self)
        del document["records"]
        return document


class Answer(NamedTuple):
    """What a server answered; `keep` says whether the connection may be used again."""

    status: int
    headers: dict[str, str]
    keep: bool
    body: bytes


class _Protocol(asyncio.StreamReaderProtocol):
    def eof_received(self) -> bool:
        """Take the server's end of the connection for ours, too."""
        super().eof_received()
        return False


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @property
    def usable(self) -> bool:
        """Whether the server has not closed it, as far as this side can know before it sends."""
        return not (self._reader.at_eof() or self._writer.is_closing())

    async def ask(self, request: bytes) -> Answer:
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        protocol, status = head[0].split(" ")[:2]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        keep = protocol == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        body = b""
        if "content-length" in headers:
            body = await self._reader.readexactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                body += (await self._reader.readexactly(size + 2))[:size]
            await self._reader.readuntil(b"\r\n")
        else:
            body = await self._reader.read()
            keep = False
        return Answer(int(status), headers, keep, body)

    def close(self) -> None:
        self._writer.transport.abort()


class Load:
    """Sends POST requests at a fixed rate, in turn from each client.

    Args:
        url: `http://host:port/path`.
        bodies: JSON bodies, used in turn.
        keep_alive: number of clients that keep their connections.
        fresh: number of clients that open a connection for each request.
        rate: requests per second of all clients together.
        timeout: seconds from the due time after which a request counts as failed.
        on_record: called with each record when its request is over.
    """

    def __init__(
        self,
        url: str,
        bodies: Sequence[bytes],
        *,
        keep_alive: int = 8,
        fresh: int = 8,
        rate: float = 300.0,
        timeout: float = 2.0,
        on_record: Callable[[Record], None] | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"The URL must be http://host:port/path, not {url!r}.")
        self._host, self._port = parts.hostname, parts.port or 80
        self._address = self._host
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._head = f"POST {path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        self._kept = [self.message(body, close=False) for body in bodies]
        self._closed = [self.message(body, close=True) for body in bodies]
        self._pools: list[deque[_Connection]] = [deque() for _ in range(keep_alive)]
        self._clients = keep_alive + fresh
        self._rate, self._timeout = rate, timeout
        self._records: list[Record] = []
        self._on_record = on_record
        self._max_lag = 0.0

    @property
    def max_lag(self) -> float:
        """How late, at worst, a request was sent, in seconds."""
        return self._max_lag

    def message(self, body: bytes, *, close: bool) -> bytes:
        """Return a body as the request that a client sends; `close` for one that keeps no connection."""
        last = "Connection: close\r\n\r\n" if close else "\r\n"
        return f"{self._head}Content-Length: {len(body)}\r\n{last}".encode() + body

    def request(self, number: int, *, close: bool) -> bytes:
        """Return request `number`; a subclass may make it up only now."""
        requests = self._closed if close else self._kept
        return requests[number % len(requests)]

    def answered(self, number: int, answer: Answer) -> None:
        """Take notice of an answer, whatever its status; for subclasses."""

    async def run(self, stop: asyncio.Event) -> Report:
        """Send until `stop` is set, wait for what is under way, and report."""
        loop = asyncio.get_running_loop()
        (*_, address), *_ = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        self._address = str(address[0])
        start, epoch = loop.time(), time.time()
        under_way: set[asyncio.Task[None]] = set()
        number = 0
        while not stop.is_set():
            due = start + number / self._rate
            if due > loop.time():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(due):
                        await stop.wait()
                continue
            task = loop.create_task(self._request(number, due, epoch + due - start))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            number += 1
            if number % 64 == 0:  # a generator that lags must still read answers
                await asyncio.sleep(0)
        await asyncio.gather(*under_way)
        for pool in self._pools:
            for connection in pool:
                connection.close()
        return Report.of(self._records, self._max_lag)

    async def _request(self, number: int, due: float, at: float) -> None:
        loop = asyncio.get_running_loop()
        self._max_lag = max(self._max_lag, loop.time() - due)
        client = number % self._clients
        pool = self._pools[client] if client < len(self._pools) else None
        status, version, revision = 0, "", ""
        try:
            async with asyncio.timeout_at(due + self._timeout):
                answer = await self._ask(pool, self.request(number, close=pool is None))
            status = answer.status
            version = answer.headers.get("steadfit-version", "")
            revision = answer.headers.get("steadfit-revision", "")
            error = "" if 200 <= status < 300 else "status"
            self.answered(number, answer)
        except TimeoutError:
            error = "timeout"
        except _ConnectError as problem:
            error = f"connect: {problem}"
        except (ConnectionError, asyncio.IncompleteReadError):
            error = "reset"
        except (ValueError, asyncio.LimitOverrunError):
            error = "protocol"
        record = Record(
            at, loop.time() - due, status, version, revision, error, "fresh" if pool is None else "keep-alive"
        )
        self._records.append(record)
        if self._on_record is not None:
            self._on_record(record)

    async def _ask(self, pool: deque[_Connection] | None, request: bytes) -> Answer:
        connection = self._idle(pool) or await self._connect()
        keep = False
        try:
            answer = await connection.ask(request)
            keep = answer.keep
        finally:
            if keep and pool is not None:
                pool.append(connection)
            else:
                connection.close()
        return answer

    def _idle(self, pool: deque[_Connection] | None) -> _Connection | None:
        while pool:
            connection = pool.pop()
            if connection.usable:
                return connection
            connection.close()
        return None

    async def _connect(self) -> _Connection:
        try:
            loop = asyncio.get_running_loop()
            reader = asyncio.StreamReader()
            protocol = _Protocol(reader)
            transport, _ = await loop.create_connection(lambda: protocol, self._address, self._port)
            return _Connection(reader, asyncio.StreamWriter(transport, protocol, reader, loop))
        except TimeoutError:
            raise
        except OSError as error:
            raise _ConnectError(str(error)) from error


class _ConnectError(Exception):
    pass


class LoadProcess:
    """A generator in a process of its own, so that the test's work does not delay its schedule.

    Args:
        url: as for `Load`.
        bodies: as for `Load`.
        options: `keep_alive`, `fresh`, `rate`, `timeout` as for `Load`.
    """

    def __init__(self, url: str, bodies: Sequence[bytes], **options: float) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="load-")
        self._records = Path(self._directory.name) / "records"
        bodies_file = Path(self._directory.name) / "bodies"
        bodies_file.write_bytes(b"\n".join(bodies))
        self._command = [sys.executable, str(Path(__file__)), "--url", url, "--bodies", str(bodies_file)]
        self._command += ["--records", str(self._records)]
        for name, value in options.items():
            self._command += [f"--{name.replace('_', '-')}", str(value)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start sending; returns when the first request is over."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE)
        while not self._records.exists() or not self._records.stat().st_size:
            if self._process.poll() is not None:
                raise RuntimeError(f"The load generator ended at once with code {self._process.returncode}.")
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop sending and remove the records."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
        self._directory.cleanup()

    def so_far(self) -> Report:
        """Return a report of the requests that are over (up to 0.2 s ago)."""
        with self._records.open() as lines:
            return Report.of([_record(line) for line in lines if line.endswith("\n")])

    def finish(self) -> Report:
        """Stop sending, wait for what is under way, and return the report."""
        if self._process is None:
            raise RuntimeError("The load generator was not started.")
        self._process.send_signal(signal.SIGTERM)
        summary, _ = self._process.communicate(timeout=30)
        report = self.so_far()
        report.max_lag = float(json.loads(summary)["max_lag"])
        return report


def _record(line: str) -> Record:
    return Record(*json.loads(line))


@contextlib.contextmanager
def _writer(path: str | None) -> Iterator[Callable[[Record], None] | None]:
    """Give a function that writes records as lines, flushed five times a second."""
    if path is None:
        yield None
        return
    with contextlib.ExitStack() as stack:
        out: IO[str] = sys.stdout if path == "-" else stack.enter_context(Path(path).open("w"))
        flushed = time.monotonic()

        def write(record: Record) -> None:
            nonlocal flushed
            out.write(json.dumps(record) + "\n")
            if time.monotonic() - flushed > 0.2:
                out.flush()
                flushed = time.monotonic()

        yield write
        out.flush()


def _bodies(arguments: argparse.Namespace) -> list[bytes]:
    if arguments.bodies:
        return [line for line in Path(arguments.bodies).read_bytes().split(b"\n") if line]
    return [arguments.body.encode()]


async def accepts(host: str, port: int, patience: float) -> None:
    """Return once the address takes a connection, or after `patience` seconds: a new Service needs a moment."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            for source in itertools.cycle(SOURCE_PORTS):
                with contextlib.suppress(OSError):
                    await _attempt(host, port, source)
                    return
                await asyncio.sleep(0.1)


async def _attempt(host: str, port: int, source: int) -> None:
    loop = asyncio.get_running_loop()
    (family, *_, address), *_ = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    with socket.socket(family, socket.SOCK_STREAM) as attempt:
        attempt.setblocking(False)
        attempt.bind(("", source))
        async with asyncio.timeout(ATTEMPT_SECONDS):
            await loop.sock_connect(attempt, address)


async def _main(arguments: argparse.Namespace) -> Report:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    if arguments.seconds:
        loop.call_later(arguments.seconds, stop.set)
    host, port = urlsplit(arguments.url).hostname or "", urlsplit(arguments.url).port or 80
    await accepts(host, port, arguments.patience)
    with _writer(arguments.records) as write:
        load = Load(
            arguments.url,
            _bodies(arguments),
            keep_alive=arguments.keep_alive,
            fresh=arguments.fresh,
            rate=arguments.rate,
            timeout=arguments.timeout,
            on_record=write,
        )
        return await load.run(stop)


def main(argv: Iterable[str] | None = None) -> int:
    """Send until told to stop; print the report as JSON; exit 1 if a request failed."""
    parser = argparse.ArgumentParser(description="Open-loop load over HTTP/1.1; ends on SIGTERM, SIGINT or --seconds.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--body", default='{"inputs": []}', help="one JSON body")
    parser.add_argument("--bodies", help="a file with one JSON body a line, used in turn")
    parser.add_argument("--keep-alive", type=int, default=8, help="clients that keep their connection")
    parser.add_argument("--fresh", type=int, default=8, help="clients that open one for each request")
    parser.add_argument("--rate", type=float, default=300.0, help="requests a second, all clients together")
    parser.add_argument("--timeout", type=float, default=2.0, help="seconds after which a request has failed")
    parser.add_argument("--patience", type=float, default=0.0, help="seconds to wait for the address before the start")
    parser.add_argument("--seconds", type=float, default=0.0, help="how long; 0 = until a signal")
    parser.add_argument("--records", help="write each request as a JSON line to this file, or - for standard output")
    arguments = parser.parse_args(None if argv is None else list(argv))
    report = asyncio.run(_main(arguments))
    print(json.dumps(report.to_json()))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
