"""What clients do by default: bytes instead of JSON, compressed bodies, large requests, slow networks."""

import asyncio
import gzip
import time
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pytest
import tritonclient.http
import tritonclient.http.aio
from tritonclient.utils import InferenceServerException

from tests.unit.server.harness import INFER, Caller, FakeModel, Feature, mixed, tensor
from tests.unit.server.processes import Connection, ServerProcess, request, serving

COLUMNS: dict[str, np.ndarray[Any, Any]] = {
    "hour": np.array([12, 13]),
    "wind": np.array([3.5, np.nan]),
    "holiday": np.array([False, True]),
    "carrier": np.array(["UA", "Ü"], object),
}
DATATYPES = {"hour": "INT64", "wind": "FP64", "holiday": "BOOL", "carrier": "BYTES"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("server"), STEADFIT_REQUEST_TIMEOUT_SECONDS="30") as running:
        running.wait_ready()
        yield running


def inputs(module: Any, columns: dict[str, Any] = COLUMNS, **options: Any) -> list[Any]:
    found = []
    for name, values in columns.items():
        found.append(module.InferInput(name, list(values.shape), DATATYPES[name]))
        found[-1].set_data_from_numpy(values, **options)
    return found


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_tritonclient_gets_answers_with_its_defaults(server: ServerProcess, compression: str | None) -> None:
    client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{server.port}")
    assert client.is_server_live()
    assert client.is_model_ready("flights")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    assert [each["name"] for each in client.get_model_metadata("flights")["inputs"]] == list(COLUMNS)
    answer = client.infer(
        "flights", inputs(tritonclient.http), request_compression_algorithm=compression, request_id="mine"
    )
    assert answer.get_response()["id"] == "mine"
    assert answer.as_numpy("label").tolist() == [1, 1]
    assert answer.as_numpy("probabilities").tolist() == [[0.25, 0.75]] * 2
    client.close()


@pytest.mark.parametrize("binary", [True, False])
def test_tritonclient_gets_the_outputs_that_it_asks_for(server: ServerProcess, binary: bool) -> None:
    client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{server.port}")
    wanted = [tritonclient.http.InferRequestedOutput("probabilities", binary_data=binary)]
    answer = client.infer("flights", inputs(tritonclient.http), outputs=wanted)
    assert answer.as_numpy("label") is None
    assert answer.as_numpy("probabilities").tolist() == [[0.25, 0.75]] * 2
    (output,) = answer.get_response()["outputs"]
    assert output["parameters"]["classes"] == [0, 1]
    assert ("data" in output) is not binary
    client.close()


def test_tritonclient_is_told_what_is_wrong_with_its_input(server: ServerProcess) -> None:
    client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{server.port}")
    with pytest.raises(InferenceServerException, match="Input 'carrier' is missing"):
        client.infer("flights", inputs(tritonclient.http)[:3])
    client.close()


@pytest.mark.parametrize("binary", [True, False])
def test_tritonclients_asynchronous_client_gets_answers(server: ServerProcess, binary: bool) -> None:
    async def story() -> Any:
        columns = (
            COLUMNS if binary else {**COLUMNS, "wind": np.array([3.5, 1.0]), "carrier": np.array(["UA", "DL"], object)}
        )
        async with tritonclient.http.aio.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
            asked = inputs(tritonclient.http, columns, binary_data=binary)
            return (await client.infer("flights", asked)).as_numpy("label").tolist()

    assert asyncio.run(story()) == [1, 1]


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_body_is_read(coding: str, compress: Any) -> None:
    headers = {"content-type": "application/json", "content-encoding": coding}
    assert Caller().post(compress(orjson.dumps({"inputs": mixed()})), headers=headers).status == 200


def test_a_compressed_body_that_is_damaged_gets_400() -> None:
    whole = gzip.compress(orjson.dumps({"inputs": mixed()}))
    for body, sentence in (
        (whole[:-9], "The compressed body ends too early."),
        (whole + b"x", "The compressed body goes on after its end."),
        (b"no gzip", "The body can't be decompressed: Error -3 while decompressing data: incorrect header check."),
    ):
        refused = Caller().post(body, headers={"content-encoding": "gzip"})
        assert (refused.status, refused.error) == (400, sentence)


def test_a_small_body_that_is_large_once_decompressed_gets_413_and_is_not_decompressed_whole() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    started = time.process_time()
    refused = Caller(max_body_bytes=100_000).post(bomb, headers={"content-encoding": "gzip"})
    assert refused.status == 413
    assert time.process_time() - started < 0.05 * 50


def test_ten_thousand_rows_of_twenty_doubles_fit_into_one_request() -> None:
    features = tuple(Feature(f"x{number}", "FP64") for number in range(20))
    rows = np.random.default_rng(1).normal(size=(10_000, 20)).ravel().tolist()
    assert Caller(FakeModel(features)).infer(tensor("x", "FP64", rows, [10_000, 20])).status == 200


def test_slow_uploads_do_not_stop_predictions(server: ServerProcess) -> None:
    whole = request(path=INFER)
    slow = [Connection(server.port) for _ in range(160)]
    for connection in slow:
        connection.send(whole[:-1])
    assert server.ask(whole).status == 200
    for connection in slow:
        connection.send(whole[-1:])
    assert {connection.answer().status for connection in slow} == {200}
    for connection in slow:
        connection.close()


def test_more_bytes_of_requests_than_the_limit_get_503_and_are_forgotten_with_their_requests() -> None:
    body = orjson.dumps({"inputs": mixed()})
    caller = Caller(max_buffered_bytes=len(body) + 10)

    async def story() -> list[int]:
        more = asyncio.Event()

        async def slowly() -> dict[str, Any]:
            if not more.is_set():
                await asyncio.sleep(0)
                more.set()
                return {"type": "http.request", "body": body[:-1], "more_body": True}
            await asyncio.sleep(0.05)
            return {"type": "http.request", "body": body[-1:], "more_body": False}

        held = asyncio.create_task(caller.ask("POST", INFER, receive=slowly))
        await more.wait()
        await asyncio.sleep(0)
        refused = await caller.ask("POST", INFER, body)
        assert refused.headers["retry-after"] == "1"
        assert refused.error.startswith(f"The server holds {len(body) - 1} bytes of requests, and its limit is ")
        return [refused.status, (await held).status, (await caller.ask("POST", INFER, body)).status]

    assert asyncio.run(story()) == [503, 200, 200]
