"""The metrics port of a real server process: the counts by connection, beside those for Prometheus."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server.processes import Connection, ServerProcess, request, serving, wait_for


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("server")) as process:
        process.wait_ready()
        yield process


def get(server: ServerProcess, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    url = f"http://127.0.0.1:{server.metrics_port}{path}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as response:
            return response.status, response.headers["Content-Type"], response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def rows(server: ServerProcess, since: int) -> list[list[Any]]:
    document: dict[str, Any] = json.loads(get(server, f"/tallies?since={since}")[2])
    return [*document["rows"]]


def test_a_server_says_which_connection_had_which_answers_in_which_second(server: ServerProcess) -> None:
    begin = int(time.time()) - 1
    kept = Connection(server.port)
    for _ in range(3):
        assert kept.ask(request()).status == 200
    assert kept.ask(request({"inputs": []})).status == 400
    for _ in range(2):
        assert server.ask(request()).status == 200
    kept.close()
    wait_for(lambda: sum(row[2] for row in rows(server, begin)) == 6, server, 10)
    found = rows(server, begin)
    by_group: dict[int, int] = {}
    for second, group, requests, failed, latencies in found:
        assert begin < second <= time.time()
        assert (failed, sum(latencies.values())) == (0, requests)
        by_group[group] = by_group.get(group, 0) + requests
    assert sorted(by_group.values()) == [1, 1, 4]


def test_probes_and_metadata_have_no_voice(server: ServerProcess) -> None:
    begin = int(time.time())
    assert server.get("/v2/health/ready").status == 200
    assert server.get("/v2").status == 200
    wait_for(lambda: json.loads(get(server, "/tallies")[2])["closed"] > begin, server, 10)
    assert rows(server, begin) == []


def test_the_seconds_of_an_idle_server_are_closed_within_a_second(server: ServerProcess) -> None:
    late = []
    for _ in range(5):
        late.append(time.time() - 1 - json.loads(get(server, "/tallies")[2])["closed"])
        time.sleep(0.23)
    assert min(late) < 1.3


def test_the_answer_names_the_model_and_the_process(server: ServerProcess) -> None:
    status, kind, body = get(server, "/tallies?since=0")
    document = json.loads(body)
    assert (status, kind) == (200, "application/json")
    assert (document["namespace"], document["model"], document["revision"]) == ("team", "flights", "aaaaaaaaaa")
    assert document["server"] == json.loads(get(server, "/tallies")[2])["server"]


def test_another_process_has_another_id(server: ServerProcess, tmp_path: Path) -> None:
    with serving(tmp_path) as other:
        other.wait_ready()
        assert json.loads(get(other, "/tallies")[2])["server"] != json.loads(get(server, "/tallies")[2])["server"]


@pytest.mark.parametrize("since", ["x", "-1", "1.5", "9" * 13, "%D9%A1"])
def test_a_since_that_is_no_second_is_refused(server: ServerProcess, since: str) -> None:
    assert get(server, f"/tallies?since={since}")[0] == 400


def test_only_get_is_answered(server: ServerProcess) -> None:
    assert get(server, "/tallies", "POST")[0] == 405


def test_prometheus_gets_its_series_from_the_same_port(server: ServerProcess) -> None:
    status, _, body = get(server, "/metrics")
    assert status == 200
    assert b"steadfit_server_requests_total" in body
