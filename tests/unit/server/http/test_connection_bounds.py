"""Connections end after some requests or some time, on real sockets, and no request is lost by it."""

import time
import urllib.request
from pathlib import Path

import orjson
from steadfit_server.http.connection import COMPARED_REQUESTS, JITTER

from tests.support.load import LoadProcess
from tests.unit.server.harness import mixed
from tests.unit.server.processes import Connection, ServerProcess, request, serving


def requests_until_closed(server: ServerProcess, most: int = 1000) -> int:
    """Return how many requests a connection answers; each answer but the last leaves it open."""
    connection = Connection(server.port)
    try:
        for number in range(1, most + 1):
            answer = connection.ask(request())
            assert answer.status == 200
            if answer.headers.get("connection") == "close":
                assert connection.closed_within(10)
                return number
        return most
    finally:
        connection.close()


def test_a_connection_ends_after_about_as_many_requests_as_set_and_each_after_another_number(tmp_path: Path) -> None:
    with serving(tmp_path, STEADFIT_MAX_REQUESTS_PER_CONNECTION="40") as server:
        server.wait_ready()
        counts = [requests_until_closed(server) for _ in range(12)]
    assert all(40 * (1 - JITTER) <= count <= 40 * (1 + JITTER) + 1 for count in counts)
    assert len(set(counts)) > 3


def test_a_connection_ends_after_about_the_time_that_is_set(tmp_path: Path) -> None:
    with serving(tmp_path, STEADFIT_MAX_CONNECTION_SECONDS="1.5") as server:
        server.wait_ready()
        connection = Connection(server.port)
        begin = time.monotonic()
        assert "connection" not in connection.ask(request()).headers
        assert not connection.closed_within(2)  # it is an answer that ends it, never the time alone
        assert connection.ask(request()).headers["connection"] == "close"
        assert time.monotonic() - begin > 1.5 * (1 + JITTER)
        assert connection.closed_within(10)


def test_a_failed_answer_is_the_last_of_its_connection_and_a_refused_one_is_not(tmp_path: Path) -> None:
    with serving(tmp_path, STEADFIT_MAX_CONNECTION_SECONDS="0", NEVER_READY="1") as server:
        server.wait_listening()
        connection = Connection(server.port)
        assert "connection" not in connection.ask(request(path="/v2/nothing", method="GET")).headers
        failed = connection.ask(request())
        assert (failed.status, failed.headers["connection"]) == (503, "close")
        assert connection.closed_within(10)


def test_an_overloaded_server_keeps_the_connections_that_it_turns_away(tmp_path: Path) -> None:
    whole = request()
    limits = {"STEADFIT_MAX_CONNECTION_SECONDS": "0", "STEADFIT_MAX_BUFFERED_BYTES": str(len(whole))}
    with serving(tmp_path, **limits) as server:
        server.wait_ready()
        slow, other = Connection(server.port), Connection(server.port)
        slow.send(whole[:-1])
        time.sleep(0.5)
        turned_away = other.ask(request())
        assert (turned_away.status, turned_away.headers.get("connection")) == (503, None)
        slow.send(whole[-1:])
        assert slow.answer().status == 200
        assert other.ask(request()).status == 200, "the same connection serves on"


def test_while_a_comparison_reads_the_counts_connections_end_sooner_also_without_bounds(tmp_path: Path) -> None:
    bounds = {"STEADFIT_MAX_REQUESTS_PER_CONNECTION": "0", "STEADFIT_MAX_CONNECTION_SECONDS": "0"}
    with serving(tmp_path, **bounds) as server:
        server.wait_ready()
        url = f"http://127.0.0.1:{server.metrics_port}/tallies"
        with urllib.request.urlopen(url, timeout=10) as response:
            assert response.status == 200
        # A person who looks at the counts changes nothing.
        assert requests_until_closed(server, most=100) == 100
        with urllib.request.urlopen(f"{url}?comparing=true", timeout=10) as response:
            assert response.status == 200
        counts = [requests_until_closed(server) for _ in range(5)]
    assert all(COMPARED_REQUESTS * (1 - JITTER) <= count <= COMPARED_REQUESTS * (1 + JITTER) + 1 for count in counts)


def test_a_connection_without_bounds_lasts(tmp_path: Path) -> None:
    bounds = {"STEADFIT_MAX_REQUESTS_PER_CONNECTION": "0", "STEADFIT_MAX_CONNECTION_SECONDS": "0"}
    with serving(tmp_path, **bounds) as server:
        server.wait_ready()
        assert requests_until_closed(server, most=300) == 300


def test_no_request_is_lost_while_connections_end_all_the_time(tmp_path: Path) -> None:
    with serving(tmp_path, STEADFIT_MAX_REQUESTS_PER_CONNECTION="3") as server:
        server.wait_ready()
        url = f"http://127.0.0.1:{server.port}/v2/models/flights/infer"
        # The time limit is generous: this is about broken connections, not about a busy machine.
        with LoadProcess(url, [orjson.dumps({"inputs": mixed()})], rate=400.0, timeout=20.0) as load:
            time.sleep(2)
            report = load.finish()
    assert report.failures() == []
    assert report.requests > 600


def test_a_connection_never_ends_between_requests_that_were_sent_together(tmp_path: Path) -> None:
    with serving(tmp_path, STEADFIT_MAX_REQUESTS_PER_CONNECTION="4") as server:
        server.wait_ready()
        connection = Connection(server.port)
        connection.send(b"".join(request({"inputs": mixed(), "id": str(number)}) for number in range(20)))
        answers = [connection.answer() for _ in range(20)]
        assert [answer.body["id"] for answer in answers] == [str(number) for number in range(20)]
        assert [answer.headers.get("connection") for answer in answers] == [None] * 19 + ["close"]


def test_a_connection_does_not_end_while_the_next_request_has_begun_to_arrive(tmp_path: Path) -> None:
    with serving(tmp_path, STEADFIT_MAX_REQUESTS_PER_CONNECTION="1") as server:
        server.wait_ready()
        connection = Connection(server.port)
        whole = request()
        connection.send(whole + whole[:20])
        assert "connection" not in connection.answer().headers
        connection.send(whole[20:])
        answer = connection.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_a_connection_does_not_end_on_bytes_that_nobody_has_read(tmp_path: Path) -> None:
    # Of two rows, predicted on the event loop: what arrives meanwhile stays with the kernel.
    slow = {"PREDICTION_SECONDS": "0.3", "PREDICTION_INLINE": "2", "STEADFIT_MAX_REQUESTS_PER_CONNECTION": "1"}
    with serving(tmp_path, **slow) as server:
        server.wait_ready()
        connection = Connection(server.port)
        connection.send(request())
        time.sleep(0.1)
        connection.send(request())
        answers = [connection.answer() for _ in range(2)]
        assert [answer.status for answer in answers] == [200] * 2
        assert [answer.headers.get("connection") for answer in answers] == [None, "close"]


def test_a_connection_does_not_end_on_a_body_that_is_still_coming(tmp_path: Path) -> None:
    with serving(tmp_path, STEADFIT_MAX_REQUESTS_PER_CONNECTION="1", STEADFIT_MAX_BODY_BYTES="1000") as server:
        server.wait_ready()
        connection = Connection(server.port)
        large = b"x" * 100_000
        connection.send(request(headers="Expect: nothing\r\n").split(b"Content-Length")[0])
        connection.send(b"Content-Length: %d\r\n\r\n" % len(large) + large[:10])
        answer = connection.answer()
        assert answer.status == 413
        assert "connection" not in answer.headers
        connection.send(large[10:])
        assert connection.ask(request()).headers["connection"] == "close"
