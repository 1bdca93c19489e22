"""HTTP as it is on the wire: headers on every answer, odd requests, the metrics port."""

from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from tests.unit.server.harness import INFER
from tests.unit.server.processes import Connection, ServerProcess, request, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("server"), STEADFIT_MAX_BODY_BYTES="2000") as server:
        server.wait_ready()
        yield server


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request(), 200),
        (request({}), 400),
        (request(path="/v2/health/live", method="GET"), 200),
        (request(path="/v2", method="GET"), 200),
        (request(path="/nothing", method="GET"), 404),
        (request(path=INFER, method="GET"), 405),
        (b"no http\r\n\r\n", 400),
        (b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", 400),
    ],
)
def test_every_answer_names_version_and_revision_in_its_headers(
    server: ServerProcess, data: bytes, status: int
) -> None:
    answer = server.ask(data)
    assert answer.status == status
    assert answer.headers["steadfit-version"] == "7"
    assert answer.headers["steadfit-revision"] == "aaaaaaaaaa"


def test_after_a_body_above_the_cap_the_connection_goes_on(server: ServerProcess) -> None:
    connection = Connection(server.port)
    assert connection.ask(request({"inputs": ["x" * 300_000]})).status == 413
    assert connection.ask(request()).status == 200


def test_headers_without_end_are_refused(server: ServerProcess) -> None:
    connection = Connection(server.port)
    connection.send(b"POST / HTTP/1.1\r\nHost: x\r\nX: ")
    with pytest.raises(ConnectionError):
        connection.send(b"x" * 50_000_000)
    assert server.ask(request()).status == 200


def test_an_offer_of_http_2_is_answered_in_http_1(server: ServerProcess) -> None:
    connection = Connection(server.port)
    offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"
    assert connection.ask(request(headers=offer)).status == 200
    assert connection.ask(request()).status == 200


def test_a_client_that_waits_for_100_continue_gets_it(server: ServerProcess) -> None:
    connection = Connection(server.port)
    whole = request(headers="Expect: 100-continue\r\n")
    head, _, body = whole.partition(b"\r\n\r\n")
    connection.send(head + b"\r\n\r\n")
    assert connection.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert connection.ask(body).status == 200


def test_metrics_are_on_a_port_of_their_own(server: ServerProcess) -> None:
    server.ask(request())
    with urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics") as answer:
        text = answer.read().decode()
    line = (
        'steadfit_server_requests_total{code="200",model="flights",namespace="team",revision="aaaaaaaaaa",version="7"}'
    )
    assert line in text
    assert server.get("/metrics").status == 404


def test_the_log_is_json_without_a_word_of_a_request(server: ServerProcess) -> None:
    server.ask(request({"inputs": [{"name": "private"}]}))
    server.ask(b"no http\r\n\r\n")
    assert all({"time", "level", "message"} <= line.keys() for line in server.log_lines())
    assert "private" not in server.log.read_text()
