"""What clients see of a server that is told to end, on real sockets."""

import time
from pathlib import Path

import orjson
import pytest

from tests.support.load import LoadProcess
from tests.unit.server.harness import mixed
from tests.unit.server.processes import Connection, Service, request, serving


def test_clients_of_a_service_move_to_the_new_server_without_a_failed_request(tmp_path: Path) -> None:
    with (
        serving(tmp_path, STEADFIT_REVISION="aaaaaaaaaa", STEADFIT_DRAIN_SECONDS="2") as old,
        serving(tmp_path, STEADFIT_REVISION="bbbbbbbbbb") as new,
    ):
        old.wait_ready()
        new.wait_ready()
        with Service(old.port) as service:
            url = f"http://127.0.0.1:{service.port}/v2/models/flights/infer"
            # The time limit is generous: this is about broken connections, not about a busy machine.
            with LoadProcess(url, [orjson.dumps({"inputs": mixed()})], rate=300.0, timeout=20.0) as load:
                time.sleep(1)
                service.backend = new.port
                old.terminate()
                assert old.exit_code() == 0
                gone = time.time()
                time.sleep(0.5)
                report = load.finish()
    assert report.failures() == []
    assert report.requests > 900
    assert set(report.by_revision) == {"aaaaaaaaaa", "bbbbbbbbbb"}
    assert report.not_allowed(lambda revision, at: revision == "bbbbbbbbbb" or at < gone) == []
    moving = [each for each in report.records if gone - 0.5 < each.at < gone]
    assert sum(each.revision == "bbbbbbbbbb" for each in moving) > 0.9 * len(moving)


def test_an_idle_connection_stays_open_while_draining_and_its_next_answer_closes_it(tmp_path: Path) -> None:
    environment = {"STEADFIT_DRAIN_SECONDS": "30", "STEADFIT_KEEP_ALIVE_SECONDS": "1"}
    with serving(tmp_path, **environment) as server:
        server.wait_ready()
        connection = Connection(server.port)
        assert "connection" not in connection.ask(request()).headers
        server.terminate()
        assert not connection.closed_within(1.5)
        answer = connection.ask(request())
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert connection.closed_within(10)


def test_an_idle_connection_is_closed_after_its_time_when_not_draining(tmp_path: Path) -> None:
    with serving(tmp_path, STEADFIT_KEEP_ALIVE_SECONDS="1") as server:
        server.wait_ready()
        connection = Connection(server.port)
        connection.ask(request())
        assert connection.closed_within(20)


def test_new_connections_are_answered_and_the_server_stays_ready_while_draining(tmp_path: Path) -> None:
    with serving(tmp_path, STEADFIT_DRAIN_SECONDS="3") as server:
        server.wait_ready()
        server.terminate()
        time.sleep(0.5)
        assert server.ask(request()).headers["connection"] == "close"
        assert server.get("/v2/health/ready").status == 200
        assert server.exit_code() == 0


def test_a_request_in_flight_at_the_end_of_the_drain_is_finished(tmp_path: Path) -> None:
    with serving(tmp_path, STEADFIT_DRAIN_SECONDS="0.2", PREDICTION_SECONDS="1") as server:
        server.wait_ready()
        connection = Connection(server.port)
        connection.send(request())
        time.sleep(0.2)
        server.terminate()
        answer = connection.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert server.exit_code() == 0


def test_the_process_outlives_its_connections_until_the_clients_have_closed_them(tmp_path: Path) -> None:
    with serving(tmp_path, STEADFIT_DRAIN_SECONDS="0.2", STEADFIT_LINGER_SECONDS="60") as server:
        server.wait_ready()
        connections = [Connection(server.port) for _ in range(3)]
        for connection in connections:
            connection.ask(request())
        server.terminate()
        assert all(connection.closed_within(10) for connection in connections)
        for connection in connections:
            time.sleep(0.5)
            assert server.is_running()
            connection.close()
        assert server.exit_code() == 0


def test_a_client_that_never_closes_does_not_keep_the_process(tmp_path: Path) -> None:
    with serving(tmp_path, STEADFIT_DRAIN_SECONDS="0.2", STEADFIT_LINGER_SECONDS="0.5") as server:
        server.wait_ready()
        connection = Connection(server.port)
        connection.ask(request())
        server.terminate()
        assert server.exit_code() == 0
        connection.close()


def test_a_second_signal_ends_the_wait_for_clients(tmp_path: Path) -> None:
    with serving(tmp_path, STEADFIT_DRAIN_SECONDS="0.2", STEADFIT_LINGER_SECONDS="600") as server:
        server.wait_ready()
        connection = Connection(server.port)
        connection.ask(request())
        server.terminate()
        assert connection.closed_within(10)
        time.sleep(0.3)
        assert server.is_running()
        server.terminate()
        assert server.exit_code() == 0
        connection.close()


def test_a_second_signal_ends_the_drain(tmp_path: Path) -> None:
    with serving(tmp_path, STEADFIT_DRAIN_SECONDS="60") as server:
        server.wait_ready()
        server.terminate()
        time.sleep(0.3)
        server.terminate()
        assert server.exit_code(30) == 0


def test_a_server_that_was_never_ready_ends_at_once(tmp_path: Path) -> None:
    with serving(tmp_path, STEADFIT_DRAIN_SECONDS="60", NEVER_READY="1") as server:
        server.wait_listening()
        assert server.get("/v2/health/ready").status == 503
        server.terminate()
        assert server.exit_code(30) == 0


@pytest.mark.parametrize("draining", [False, True])
def test_requests_sent_together_are_all_answered_in_order(tmp_path: Path, draining: bool) -> None:
    with serving(tmp_path, STEADFIT_DRAIN_SECONDS="30") as server:
        server.wait_ready()
        connection = Connection(server.port)
        connection.ask(request())
        if draining:
            server.terminate()
            time.sleep(0.3)
        connection.send(b"".join(request({"inputs": mixed(), "id": str(number)}) for number in range(5)))
        answers = [connection.answer() for _ in range(5)]
        assert [answer.body["id"] for answer in answers] == ["0", "1", "2", "3", "4"]
        closes = [answer.headers.get("connection") for answer in answers]
        assert closes == [None] * 4 + (["close"] if draining else [None])
        assert connection.closed_within(10 if draining else 0.3) is draining
