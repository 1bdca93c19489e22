"""The load generator sees what it must: every failure, every revision, on its own schedule."""

import asyncio
import ctypes
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.load import SOURCE_PORTS, Load, LoadProcess, Record, Report, accepts

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
BODIES = [b'{"inputs": []}']


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Return the head of a request, its body read too."""
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(len(BODIES[0]))
    return head


def ok(revision: str = "r1", extra: str = "") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nSteadfit-Version: 7\r\nSteadfit-Revision: {revision}\r\n{extra}"
    return (head + "Content-Length: 2\r\n\r\n{}").encode()


def run(handler: Handler, seconds: float = 0.5, bodies: Sequence[bytes] = BODIES, **options: float) -> Report:
    """Load a server that handles each connection with `handler`; slow machines get time, but where it is the point.

    The load ends with the last request that is due within so many seconds, however late a busy machine sends it.
    """

    async def both() -> Report:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handler(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        stop = asyncio.Event()
        settings = {"rate": 100.0, "timeout": 30.0, **options}

        class Ending(Load):
            def request(self, number: int, *, close: bool) -> bytes:
                if number + 1 >= seconds * settings["rate"]:
                    stop.set()
                return super().request(number, close=close)

        report = await Ending(f"http://127.0.0.1:{port}/infer", bodies, **settings).run(stop)  # type: ignore[arg-type]
        server.close()
        return report

    return asyncio.run(both())


def answering(answer: Callable[[int], bytes], delay: float = 0.0) -> Handler:
    """A handler that answers request i of a connection with `answer(i)`."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = 0
        while True:
            await read_request(reader)
            await asyncio.sleep(delay)
            writer.write(answer(number))
            number += 1

    return handle


def test_a_good_server_has_no_failures_and_its_revision_is_counted() -> None:
    report = run(answering(lambda _: ok()))
    assert report.failed == 0
    assert 45 <= report.requests <= 150
    seen = report.by_revision["r1"]
    assert (seen.version, seen.requests) == ("7", report.requests)
    assert seen.first == report.records[0].at
    assert seen.last == report.records[-1].at


def test_a_slow_server_delays_no_request() -> None:
    report = run(answering(lambda _: ok(), delay=0.6))
    assert 45 <= report.requests <= 150
    gaps = [later.at - earlier.at for earlier, later in zip(report.records, report.records[1:], strict=False)]
    assert max(gaps) == pytest.approx(0.01, abs=1e-6)
    assert report.latency_p50 >= 0.6


def test_latency_counts_from_when_a_request_was_due() -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        time.sleep(0.3)  # noqa: ASYNC251 — server and generator share this thread: the generator stalls too
        writer.write(ok())

    report = run(stall, seconds=0.05, rate=20)
    assert report.records[-1].latency >= 0.3
    assert report.records[-1].client == "keep-alive"


def test_how_late_the_generator_itself_was_is_reported() -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        time.sleep(0.1)  # noqa: ASYNC251
        writer.write(ok())

    assert run(stall, rate=50).max_lag >= 0.05
    # Of a busy machine the generator is late as well, but not every time.
    assert any(run(answering(lambda _: ok()), rate=50).max_lag < 0.05 for _ in range(20))


def test_a_reset_between_send_and_answer_is_a_failure_and_is_not_repeated() -> None:
    received = 0

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        await read_request(reader)
        received += 1
        writer.transport.abort()

    report = run(reset)
    assert report.by_error == {"reset": report.requests}
    assert received == report.requests


def test_an_end_in_the_middle_of_an_answer_is_a_failure() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(ok()[:-1])

    report = run(half)
    assert report.by_error == {"reset": report.requests}


def test_a_connection_closed_while_idle_is_replaced() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(ok())

    report = run(once, keep_alive=2, fresh=0, rate=40)
    assert report.failed == 0


def test_a_connection_that_the_server_closed_while_idle_is_closed_at_once() -> None:
    closed = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(ok())
        writer.write_eof()
        begun = time.monotonic()
        await reader.read()
        closed.append(time.monotonic() - begun)

    run(handler, seconds=3.0, rate=1.0, keep_alive=3, fresh=0)
    assert max(closed[:2]) < 1.0, "the next request of its client was due 3 s later"


def test_an_answer_above_the_time_limit_is_a_failure() -> None:
    report = run(answering(lambda _: ok(), delay=5), timeout=0.2)
    assert report.by_error == {"timeout": report.requests}
    assert report.latency_max < 4


def test_an_answer_that_is_not_2xx_is_a_failure_with_its_status() -> None:
    report = run(answering(lambda _: ok().replace(b"200 OK", b"503 Busy")))
    assert report.by_error == {"status": report.requests}
    assert {record.status for record in report.failures()} == {503}
    assert report.by_revision == {}


def test_an_answer_that_is_no_http_is_a_failure() -> None:
    report = run(answering(lambda _: b"hello\r\n\r\n"))
    assert report.by_error == {"protocol": report.requests}


def test_a_refused_connection_is_a_failure() -> None:
    async def nobody() -> Report:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.2, stop.set)
        return await Load(f"http://127.0.0.1:{port}/", BODIES).run(stop)

    report = asyncio.run(nobody())
    assert report.by_error == {"connect": report.requests}


def test_keep_alive_clients_keep_their_connections_and_fresh_clients_open_one_for_each_request() -> None:
    heads: list[list[bytes]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine: list[bytes] = []
        heads.append(mine)
        while True:
            mine.append(await read_request(reader))
            writer.write(ok())

    # A client that is still busy when its next request is due, 0.2 s later, opens another connection: on a busy machine
    # that happens, but not every time.
    for _ in range(20):
        heads.clear()
        report = run(handle, keep_alive=4, fresh=4, rate=40)
        if report.latency_max < 0.2:
            break
    assert report.latency_max < 0.2
    kept = [mine for mine in heads if b"Connection: close" not in mine[0]]
    fresh = [mine for mine in heads if b"Connection: close" in mine[0]]
    assert len(kept) == 4
    assert all(len(mine) == 1 for mine in fresh)
    assert sum(map(len, heads)) == report.requests


def test_an_answer_that_closes_the_connection_moves_the_client_to_a_new_one() -> None:
    connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await read_request(reader)
        writer.write(ok(extra="Connection: close\r\n"))
        await asyncio.sleep(1)

    report = run(handle, keep_alive=4, fresh=0)
    assert report.failed == 0
    assert connections == report.requests


def test_a_chunked_answer_is_read_to_its_end() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert run(answering(lambda _: chunked), keep_alive=2, fresh=0).failed == 0


def test_an_answer_of_a_revision_that_should_not_answer_is_found() -> None:
    # Each request says which revision answers it: on a busy machine requests meet on two connections, in any order.
    async def asked_for(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ok((await reader.readexactly(3)).decode()))

    report = run(asked_for, bodies=[b"old", b"old", *[b"new"] * 1000], keep_alive=1, fresh=0, rate=40)
    assert set(report.by_revision) == {"old", "new"}
    moved = report.by_revision["new"].first
    assert report.not_allowed(lambda revision, at: revision == "new" or at < moved) == []
    assert len(report.not_allowed(lambda revision, at: revision == "new")) == 2


def test_a_report_of_nothing_is_empty() -> None:
    assert Report.of([]).to_json()["requests"] == 0


def test_records_sort_by_when_they_were_due() -> None:
    records = [Record(float(at), 0.1, 200, "7", "r", "", "fresh") for at in (3, 1, 2)]
    assert [record.at for record in Report.of(records).records] == [1.0, 2.0, 3.0]


def source_port_of_attempt(deaf_to: int | None = None) -> int:
    """Let `accepts` find a server, and return where the first connection came from that reached it."""

    async def both() -> int:
        seen: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.set_result(writer.get_extra_info("peername")[1])
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        listening = server.sockets[0]
        if deaf_to is not None:
            drop_what_comes_from(deaf_to, listening.fileno())
        await accepts("127.0.0.1", listening.getsockname()[1], patience=30)
        port = await seen
        server.close()
        return port

    return asyncio.run(both())


def drop_what_comes_from(port: int, listening: int) -> None:
    """Have the kernel drop every packet from a source port, as one that is remembered to go to nowhere."""
    load_source_port, if_equal, drop, keep = (0x28, 0, 0, 0), (0x15, 0, 1, port), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFF)
    program = b"".join(struct.pack("HBBI", *each) for each in (load_source_port, if_equal, drop, keep))
    buffer = ctypes.create_string_buffer(program)
    attach_filter = 26
    with socket.socket(fileno=os.dup(listening)) as same:
        same.setsockopt(socket.SOL_SOCKET, attach_filter, struct.pack("HP", 4, ctypes.addressof(buffer)))


def test_attempts_before_the_load_have_source_ports_that_no_request_has() -> None:
    least, most = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert not set(range(least, most + 1)) & set(SOURCE_PORTS)
    assert source_port_of_attempt() in SOURCE_PORTS


def test_an_attempt_that_went_to_nowhere_is_given_up_for_one_from_another_port() -> None:
    began = time.monotonic()
    assert source_port_of_attempt(deaf_to=SOURCE_PORTS[0]) in SOURCE_PORTS[1:]
    assert time.monotonic() - began < 20


@contextmanager
def threaded_server() -> Iterator[int]:
    loop = asyncio.new_event_loop()

    async def start() -> int:
        server = await asyncio.start_server(answering(lambda _: ok()), "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])

    loop.set_exception_handler(lambda loop, context: None)
    port = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def test_it_runs_in_a_process_of_its_own_and_can_be_watched() -> None:
    with threaded_server() as port:
        with LoadProcess(f"http://127.0.0.1:{port}/x", BODIES, rate=100.0, keep_alive=3, fresh=2, timeout=20.0) as load:
            while (before := load.so_far()).requests < 80:
                time.sleep(0.1)
            report = load.finish()
        assert 0 < before.requests <= report.requests
        assert report.failed == 0
        assert report.by_revision["r1"].requests == report.requests
        assert 80 <= report.requests <= 400


def test_the_file_alone_runs_with_nothing_but_the_standard_library() -> None:
    import subprocess

    file = Path(__file__).parents[2] / "support" / "load.py"
    with threaded_server() as port:
        command = [sys.executable, "-I", "-S", str(file), "--url", f"http://127.0.0.1:{port}/x", "--seconds", "0.3"]
        done = subprocess.run([*command, "--body", BODIES[0].decode()], capture_output=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert b'"failed": 0' in done.stdout
