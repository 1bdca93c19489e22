"""What the server does under load, when it fails, and what it counts."""

import asyncio
import logging
import threading
import time

import orjson
import pytest
from steadfit_server.telemetry.voices import Voice

from tests.unit.server.harness import INFER, NUMBERS, Caller, FakeModel, Feature, mixed, tensor

BODY = orjson.dumps({"inputs": mixed()})
LABELS = {"namespace": "team", "model": "flights", "version": "7", "revision": "0a1b2c3d4e"}


class Gate:
    """Stops a model's predictions until it is opened; open while the predictor measures."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        assert self.open.wait(10)


def in_worker(caller: Caller) -> Caller:
    assert caller.lifecycle.predictor is not None
    caller.lifecycle.predictor.inline_rows = 0
    return caller


def test_more_requests_at_once_than_the_cap_get_503_and_when_to_try_again() -> None:
    gate = Gate()
    caller = in_worker(Caller(FakeModel(act=gate), max_concurrent_requests=2))

    async def three_at_once() -> list[int]:
        gate.open.clear()
        held = [asyncio.create_task(caller.ask("POST", INFER, BODY)) for _ in range(2)]
        await asyncio.sleep(0.05)
        refused = await caller.ask("POST", INFER, BODY)
        assert refused.headers["retry-after"] == "1"
        assert refused.error == "The server is answering 2 requests, which is its limit; try again."
        gate.open.set()
        return [refused.status, *[(await each).status for each in held]]

    assert asyncio.run(three_at_once()) == [503, 200, 200]


def test_a_prediction_above_the_time_cap_gets_504_and_those_behind_it_never_run() -> None:
    gate = Gate()
    caller = in_worker(Caller(FakeModel(act=gate), request_timeout_seconds=0.1))

    async def two_at_once() -> list[int]:
        gate.open.clear()
        gate.calls = 0
        answers = await asyncio.gather(*(caller.ask("POST", INFER, BODY) for _ in range(2)))
        assert answers[0].error == "The prediction took longer than 0.1 s."
        gate.open.set()
        await asyncio.sleep(0.1)
        return [answer.status for answer in answers]

    assert asyncio.run(two_at_once()) == [504, 504]
    assert gate.calls == 1


def test_health_answers_while_a_long_prediction_runs() -> None:
    gate = Gate()
    caller = in_worker(Caller(FakeModel(act=gate)))

    async def health_during_prediction() -> int:
        gate.open.clear()
        held = asyncio.create_task(caller.ask("POST", INFER, BODY))
        await asyncio.sleep(0.05)
        health = await caller.ask("GET", "/v2/health/live")
        assert not held.done()
        gate.open.set()
        await held
        return health.status

    assert asyncio.run(health_during_prediction()) == 200


def test_a_short_prediction_runs_on_the_event_loop_and_a_long_one_does_not() -> None:
    threads: list[threading.Thread] = []
    caller = Caller(FakeModel(NUMBERS, act=lambda: threads.append(threading.current_thread())))
    assert caller.lifecycle.predictor is not None
    caller.lifecycle.predictor.inline_rows = 10
    threads.clear()
    for rows in (10, 11, 8_000):
        assert caller.infer(tensor("x", "FP64", [1.0] * rows * 2, [rows, 2])).status == 200
    assert [thread is threading.main_thread() for thread in threads] == [True, False, False]


def test_the_longest_prediction_on_the_event_loop_is_measured_with_the_model() -> None:
    def inline_rows(model: FakeModel) -> int:
        predictor = Caller(model).lifecycle.predictor
        assert predictor is not None
        return predictor.inline_rows

    assert inline_rows(FakeModel()) > 100
    assert inline_rows(FakeModel(act=lambda: time.sleep(0.003))) == 0


def test_a_failure_in_the_model_gets_500_with_an_id_that_is_in_the_log_and_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caller = Caller()

    def fail() -> None:
        raise RuntimeError("secret of the model")

    caller.fake.act = fail
    with caplog.at_level(logging.ERROR):
        failed = caller.post(BODY)
    assert failed.status == 500
    incident = failed.error.removeprefix("The server failed; its log has the cause under ").removesuffix(".")
    assert "secret" not in failed.error
    assert [record.__dict__["fields"] for record in caplog.records] == [{"incident": incident}]
    assert failed.body["parameters"] == {"revision": "0a1b2c3d4e"}


def test_a_client_that_goes_away_gets_no_answer_and_its_place_is_free_again() -> None:
    caller = Caller(max_concurrent_requests=1)

    async def gone() -> dict[str, object]:
        return {"type": "http.disconnect"}

    with pytest.raises(IndexError):  # nothing was sent
        caller.post(b"", receive=gone)
    assert caller.post(BODY).status == 200


def test_every_answer_of_a_draining_server_closes_its_connection() -> None:
    caller = Caller()
    assert "connection" not in caller.post(BODY).headers
    caller.lifecycle.ending = True
    for answer in (caller.post(BODY), caller.infer(), caller.get("/v2/health/ready"), caller.get("/nothing")):
        assert answer.headers["connection"] == "close"
    assert caller.get("/v2/health/ready").status == 200


def test_a_server_that_the_traffic_has_left_closes_connections_until_it_is_back_and_stays_ready() -> None:
    caller = Caller()
    assert caller.value("steadfit_server_draining") == 0
    caller.lifecycle.left = True
    assert caller.value("steadfit_server_draining") == 1
    assert caller.post(BODY).headers["connection"] == "close"
    assert caller.get("/v2/health/ready").status == 200
    caller.lifecycle.left = False
    assert caller.value("steadfit_server_draining") == 0
    assert "connection" not in caller.post(BODY).headers


@pytest.mark.parametrize("is_last", [False, True])
def test_the_connection_says_whether_an_answer_is_its_last(is_last: bool) -> None:
    caller = Caller()
    caller.lifecycle.ending = not is_last
    connection = {"is_last": lambda status: is_last and status == 200, "voice": Voice()}
    answer = caller.post(BODY, extensions={"steadfit.connection": connection})
    assert answer.headers.get("connection") == ("close" if is_last else None)


def test_requests_are_counted_by_their_connection() -> None:
    caller = Caller()
    voices = Voice(), Voice()
    for voice, body in ((voices[0], BODY), (voices[0], b"{"), (voices[1], BODY)):
        caller.post(body, extensions={"steadfit.connection": {"is_last": lambda status: False, "voice": voice}})
    caller.post(BODY)  # without a connection of the server's own it has no voice
    second = orjson.loads(caller.tallies.document())["closed"] + 1

    def counted() -> list[list[int]]:
        caller.tallies.tick()
        return [row[1:4] for row in orjson.loads(caller.tallies.document(second - 1))["rows"]]

    deadline = time.monotonic() + 5
    while sum(row[1] for row in counted()) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    totals: dict[int, int] = {}
    for group, requests, failed in counted():
        assert failed == 0
        totals[group] = totals.get(group, 0) + requests
    assert totals == {voices[0].group: 2, voices[1].group: 1}


def value(caller: Caller, name: str, **labels: str) -> float | None:
    return caller.metrics.registry.get_sample_value(name, LABELS | labels)


def test_requests_are_counted_by_code_from_zero() -> None:
    caller = Caller()
    for code in ("200", "400", "413", "500", "503"):
        assert value(caller, "steadfit_server_requests_total", code=code) == 0
    caller.post(BODY)
    caller.post(b"{")
    caller.post(BODY, headers={"content-type": "text/csv"})
    assert value(caller, "steadfit_server_requests_total", code="200") == 1
    assert value(caller, "steadfit_server_requests_total", code="400") == 1
    assert value(caller, "steadfit_server_requests_total", code="415") == 1
    assert value(caller, "steadfit_server_request_duration_seconds_count") == 3


def test_health_metadata_and_unknown_paths_are_not_counted_as_requests() -> None:
    caller = Caller()
    for path in ("/v2/health/ready", "/v2/models/flights", "/v2/models/boats/infer", INFER):
        caller.get(path)
    assert value(caller, "steadfit_server_request_duration_seconds_count") == 0


def test_the_loaded_model_is_told_with_its_digest_and_format() -> None:
    caller = Caller()
    caller.metrics.loaded("sha256:00", "onnx")
    assert value(caller, "steadfit_model_info", digest="sha256:00", format="onnx") == 1


def test_a_model_that_fails_on_an_example_row_is_refused_before_it_is_ready() -> None:
    def fail() -> None:
        raise ValueError("broken graph")

    with pytest.raises(ValueError, match="broken graph"):
        Caller(FakeModel((Feature("wind", "FP32"),), act=fail))
