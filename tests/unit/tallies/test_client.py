"""Nothing that a server does leads elsewhere, takes for ever or fills the memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from steadfit.tallies.answer import MAX_BYTES, Answer, NoTallies
from steadfit.tallies.client import TIMEOUT_SECONDS, TalliesClient
from steadfit.tallies.pods import ServerPod

from tests.support.ports import free_port

from .servers import START, Handler, document, server_pod, serving


async def ask(pod: ServerPod, since: int = START) -> Answer:
    client = TalliesClient()
    try:
        return await client.read(pod, since)
    finally:
        await client.close()


def answer_of(handler: Handler) -> Answer | NoTallies:
    async def story() -> Answer | NoTallies:
        async with serving(handler) as port:
            try:
                return await ask(server_pod(port))
            except NoTallies as error:
                return error

    return asyncio.run(story())


def refusal(handler: Handler) -> NoTallies:
    found = answer_of(handler)
    assert isinstance(found, NoTallies)
    return found


def says(make: Callable[[], web.Response]) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return make()

    return handler


def test_a_server_is_asked_for_the_seconds_after_one() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(f"{request.method} {request.path_qs}")
        return web.json_response(document([[START + 1, 1, 2, 0, {"0": 2}]]))

    found = answer_of(handler)
    assert isinstance(found, Answer)
    assert len(found.rows) == 1
    assert asked == [f"GET /tallies?since={START}&comparing=true"]


@pytest.mark.parametrize("status", [404, 405, 500, 503])
def test_another_status_is_a_server_without_tallies(status: int) -> None:
    found = refusal(says(lambda: web.Response(status=status)))
    assert (found.message, found.silent) == (f"answers /tallies with HTTP {status}", False)


def test_the_page_of_a_prometheus_exporter_is_a_server_without_tallies() -> None:
    found = refusal(says(lambda: web.Response(text="up 1\n" * 100_000)))
    assert (found.message, found.silent) == ("answers /tallies with something else than JSON", False)


def test_a_redirect_is_not_followed() -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(request.path)
        raise web.HTTPFound("/elsewhere")

    assert refusal(handler).message == "answers /tallies with HTTP 302"
    assert seen == ["/tallies"]


def test_a_body_above_the_limit_is_not_read_to_its_end() -> None:
    sent = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        try:
            for _ in range(1000):
                await response.write(b" " * 65536)
                sent += 65536
        except ConnectionError:
            pass
        return response

    assert refusal(handler).message == f"answers with more than {MAX_BYTES} bytes"
    assert sent < 20 * MAX_BYTES


def test_a_server_that_does_not_answer_in_time_is_silent() -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3600)
        return web.Response()

    begin = time.monotonic()
    found = refusal(handler)
    assert found.silent
    assert time.monotonic() - begin < TIMEOUT_SECONDS + 5


def test_a_server_that_sends_byte_after_byte_is_cut_off() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    assert refusal(handler).silent


def test_a_connection_that_breaks_is_silent() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    assert refusal(handler).silent


def test_a_refused_connection_is_a_server_without_tallies() -> None:
    port = free_port()
    with pytest.raises(NoTallies, match=f"refuses connections to port {port}") as caught:
        asyncio.run(ask(server_pod(port)))
    assert not caught.value.silent


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254"])
def test_a_metadata_address_is_not_read(address: str) -> None:
    with pytest.raises(NoTallies, match="link-local or metadata"):
        asyncio.run(ask(server_pod(80, address=address)))


def test_a_name_is_no_address() -> None:
    with pytest.raises(NoTallies):
        asyncio.run(ask(server_pod(80, address="localhost")))


def test_many_reads_share_one_client() -> None:
    async def story() -> list[Answer]:
        async with serving(says(lambda: web.json_response(document()))) as port:
            client = TalliesClient()
            try:
                reads: list[Awaitable[Answer]] = [client.read(server_pod(port), START) for _ in range(50)]
                return list(await asyncio.gather(*reads))
            finally:
                await client.close()

    assert len(asyncio.run(story())) == 50
