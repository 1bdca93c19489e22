"""QuerySession over HTTP: nothing that a server does leads elsewhere, takes for ever or fills the memory."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from steadfit.prometheus.answer import Answer, NoAnswer
from steadfit.prometheus.client import SourceClient

from tests.support.ports import free_port
from tests.unit.trainer.tls import Authority

from .fake_prometheus import Handler, Prometheus, matrix, play, says, scalar, vector

MEBIBYTE = 1024 * 1024


class Names(AbstractResolver):
    """A name server that says what a test says, one answer after the other."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in answer
        ]

    async def close(self) -> None:
        pass


async def ask(server: Prometheus, query: str = "up", **spec: Any) -> Answer:
    client = SourceClient(server.spec(**spec))
    try:
        return await client.query(query)
    finally:
        await client.close()


def refusal(handler: Handler, url: Callable[[str], str] = lambda url: url, **spec: Any) -> tuple[NoAnswer, Prometheus]:
    """Return why a server that answers like this gives no answer."""
    found: list[tuple[NoAnswer, Prometheus]] = []

    async def story(server: Prometheus) -> None:
        with pytest.raises(NoAnswer) as caught:
            await ask(server, **{"url": url(server.url), **spec})
        found.append((caught.value, server))

    play(handler, story)
    return found[0]


def test_a_query_is_posted_as_it_is_with_the_time_it_may_take() -> None:
    async def story(server: Prometheus) -> None:
        answer = await ask(server, 'sum(up{a="ü&=+"})', timeout="2500ms")
        assert answer.samples[0].value == 3
        assert [asked.query for asked in server.asked] == ['sum(up{a="ü&=+"})']

    play(says(scalar("3")), story)


def test_a_path_and_parameters_of_the_url_are_kept() -> None:
    async def story(server: Prometheus) -> None:
        await ask(server, url=f"{server.url}/?tenant=a")
        assert server.asked[0].parameters == {"tenant": "a"}

    play(says(scalar("3")), story)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    reached = []

    async def elsewhere(request: web.Request) -> web.Response:
        if request.query:
            reached.append(request.path)
        return web.Response(status=status, headers={"Location": "/api/v1/query?again=1"})

    error, server = refusal(elsewhere)
    assert error.code == "Redirected"
    assert len(server.asked) == 1
    assert not reached


@pytest.mark.parametrize(
    ("status", "body", "code", "sentence"),
    [
        (401, b"", "Unauthorized", "it refuses the operator (HTTP 401): see credentialsSecretName"),
        (403, b"", "Unauthorized", "it refuses the operator (HTTP 403): see credentialsSecretName"),
        (404, b"no", "NotPrometheus", "it answers HTTP 404: is spec.url the base of a Prometheus API?"),
        (
            400,
            {"status": "error", "errorType": "bad_data", "error": "parse error"},
            "QueryRefused",
            "it refuses the query: bad_data: parse error",
        ),
        (
            422,
            {"status": "error", "errorType": "execution", "error": "too many samples"},
            "QueryRefused",
            "it refuses the query: execution: too many samples",
        ),
        (429, b"", "Unavailable", "it cannot answer now (HTTP 429)"),
        (500, b"[" * 100_000, "Unavailable", "it cannot answer now (HTTP 500)"),
        (
            503,
            {"status": "error", "errorType": "timeout", "error": "query timed out"},
            "Unavailable",
            "it cannot answer now (HTTP 503): timeout: query timed out",
        ),
        (204, b"", "NotPrometheus", "it answers HTTP 204: is spec.url the base of a Prometheus API?"),
    ],
)
def test_an_error_status_is_no_answer(status: int, body: Any, code: str, sentence: str) -> None:
    error, _ = refusal(says(body, status))
    assert (error.code, str(error)) == (code, sentence)


def test_a_server_that_is_silent_takes_no_longer_than_the_timeout() -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    started = time.monotonic()
    error, _ = refusal(silent, timeout="200ms")
    assert error.code == "Timeout"
    assert str(error) == "it did not answer within 0.2 s"
    assert time.monotonic() - started < 5


def test_a_server_that_drips_takes_no_longer_than_the_timeout() -> None:
    async def dripping(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b" ")
            await asyncio.sleep(0.02)
        return response

    started = time.monotonic()
    assert refusal(dripping, timeout="300ms")[0].code == "Timeout"
    assert time.monotonic() - started < 5


def test_an_answer_above_the_cap_is_not_read_on() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65536)
            sent += 65536

    error, _ = refusal(endless, maxResponseBytes=4096)
    assert error.code == "ResponseTooLarge"
    assert str(error) == "its answer is larger than 4096 bytes (maxResponseBytes)"
    assert sent < 16 * MEBIBYTE


@pytest.mark.parametrize("copies", [0, 1])
def test_the_cap_is_on_the_byte(copies: int) -> None:
    body = json.dumps(scalar("1")).encode()
    body += b" " * (4096 - len(body) + copies)

    async def story(server: Prometheus) -> None:
        if copies:
            with pytest.raises(NoAnswer):
                await ask(server, maxResponseBytes=4096)
        else:
            assert (await ask(server, maxResponseBytes=4096)).samples

    play(says(body), story)


def test_a_gzip_bomb_fills_no_memory() -> None:
    bomb = gzip.compress(b" " * (64 * MEBIBYTE))
    assert len(bomb) < 128 * 1024
    tracemalloc.start()
    error, _ = refusal(says(bomb, headers={"Content-Encoding": "gzip"}), maxResponseBytes=MEBIBYTE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error.code == "ResponseTooLarge"
    assert peak < 16 * MEBIBYTE


def test_a_packed_answer_is_unpacked() -> None:
    body = gzip.compress(json.dumps(scalar("3")).encode())

    async def story(server: Prometheus) -> None:
        assert (await ask(server)).samples[0].value == 3
        assert server.asked[0].headers["Accept-Encoding"] == "gzip"

    play(says(body, headers={"Content-Encoding": "gzip"}), story)


@pytest.mark.parametrize(
    ("body", "encoding", "code"),
    [
        (gzip.compress(json.dumps(scalar("3")).encode())[:-9], "gzip", "Unreachable"),
        (b"not packed at all", "gzip", "Unreachable"),
        (json.dumps(scalar("3")).encode(), "br", "NotPrometheus"),
        (json.dumps(scalar("3")).encode(), "gzip, gzip", "NotPrometheus"),
    ],
    ids=["cut off", "not packed", "in another way", "twice"],  # the bodies hold the time
)
def test_an_answer_that_is_packed_otherwise_or_broken_is_none(body: bytes, encoding: str, code: str) -> None:
    assert refusal(says(body, headers={"Content-Encoding": encoding}))[0].code == code


def test_an_answer_that_breaks_off_is_none() -> None:
    async def breaking(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(json.dumps(scalar("3")).encode())
        assert request.transport
        request.transport.close()
        return response

    error, _ = refusal(breaking)
    assert (error.code, str(error)) == ("Unreachable", "its answer breaks off or is damaged")


def test_a_large_answer_is_read() -> None:
    body = vector(*(({"model": f"m{number}"}, "1") for number in range(4000)))

    async def story(server: Prometheus) -> None:
        assert len((await ask(server)).samples) == 4000

    play(says(body), story)


def test_nobody_who_listens_is_unreachable() -> None:
    port = free_port()
    error, _ = refusal(says(b""), lambda url: f"http://127.0.0.1:{port}")
    assert (error.code, str(error)) == ("Unreachable", f"no connection to 127.0.0.1:{port}")


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "[fd00:ec2::254]",
        "[fd20:ce::254]",
    ],
)
def test_a_link_local_address_is_refused_without_a_connection(host: str) -> None:
    error, server = refusal(says(scalar("1")), lambda url: f"http://{host}:{url.rsplit(':', 1)[1]}")
    assert error.code == "AddressRefused"
    assert "link-local or metadata address, which is refused" in str(error)
    assert not server.asked


@pytest.mark.parametrize("host", ["2852039166", "0xa9fea9fe", "169.254.43518"])
def test_an_address_in_disguise_is_not_asked(host: str) -> None:
    error, server = refusal(says(scalar("1")), lambda url: f"http://{host}:{url.rsplit(':', 1)[1]}", timeout="2s")
    assert error.code in ("AddressRefused", "Unreachable")
    assert not server.asked


@pytest.mark.parametrize(
    "addresses", [["169.254.169.254"], ["127.0.0.1", "169.254.169.254"], ["fe80::1%1"], ["::ffff:169.254.169.254"]]
)
def test_a_name_that_leads_to_a_link_local_address_is_refused(addresses: list[str]) -> None:
    async def story(server: Prometheus) -> None:
        port = server.url.rsplit(":", 1)[1]
        client = SourceClient(server.spec(url=f"http://prometheus.test:{port}"), resolver=Names(addresses))
        with pytest.raises(NoAnswer) as caught:
            await client.query("up")
        await client.close()
        assert caught.value.code == "AddressRefused"
        assert not server.asked

    play(says(scalar("1")), story)


def test_the_connection_goes_to_the_very_address_that_was_judged() -> None:
    names = Names(["127.0.0.1"], ["169.254.169.254"])

    async def closing(request: web.Request) -> web.StreamResponse:
        return web.json_response(scalar("1"), headers={"Connection": "close"})

    async def story(server: Prometheus) -> None:
        port = server.url.rsplit(":", 1)[1]
        client = SourceClient(server.spec(url=f"http://prometheus.test:{port}"), resolver=names)
        await client.query("up")
        assert names.asked == 1
        # The name leads elsewhere by now: the next connection asks anew, and is refused.
        with pytest.raises(NoAnswer) as caught:
            await client.query("up")
        await client.close()
        assert caught.value.code == "AddressRefused"
        assert names.asked == 2
        assert len(server.asked) == 1

    play(closing, story)


def test_a_proxy_that_enforces_tenants_is_sent_the_namespace_and_another_source_is_not() -> None:
    async def story(server: Prometheus) -> None:
        for tenancy in ({"mode": "Proxied", "parameter": "tenant"}, {"mode": "Trusted"}):
            client = SourceClient(server.spec(tenancy=tenancy))
            await client.query("up", "shop")
            await client.close()
        assert [asked.parameters for asked in server.asked] == [{"tenant": "shop"}, {}]

    play(says(scalar("1")), story)


def test_credentials_are_sent_to_this_machine_or_by_tls_only() -> None:
    async def header() -> str:
        return "Bearer secret"

    async def story(server: Prometheus) -> None:
        client = SourceClient(server.spec(), header)
        await client.query("up")
        await client.close()
        assert server.asked[0].headers["Authorization"] == "Bearer secret"
        port = server.url.rsplit(":", 1)[1]
        client = SourceClient(server.spec(url=f"http://prometheus.test:{port}"), header, Names(["127.0.0.1"]))
        with pytest.raises(NoAnswer) as caught:
            await client.query("up")
        await client.close()
        assert caught.value.code == "PlaintextCredentials"
        assert len(server.asked) == 1

    play(says(scalar("1")), story)


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    async def story(server: Prometheus) -> None:
        with pytest.raises(NoAnswer) as caught:
            await ask(server)
        assert caught.value.code == "CertificateRefused"
        assert not server.asked

    play(says(scalar("1")), story, Authority(tmp_path).context)


def test_a_range_query_is_posted_with_its_times_for_the_namespace_that_a_proxy_enforces() -> None:
    async def story(server: Prometheus) -> None:
        client = SourceClient(server.spec(tenancy={"mode": "Proxied"}))
        try:
            answer = await client.query_range("rise", 1000, 1030, 15, "shop")
        finally:
            await client.close()
        (line,) = answer.lines
        assert (line.labels, line.points) == ({"revision": "a"}, {1000.0: 3.0, 1015.0: 4.5})
        (asked,) = server.asked
        assert asked.parameters == {"namespace": "shop"}
        expected = {"query": "rise", "start": "1000", "end": "1030", "step": "15", "timeout": "5"}
        assert asked.form == expected

    play(says(matrix(({"revision": "a"}, [(1000, "3"), (1015, "4.5")]))), story)


def test_a_range_query_is_refused_as_any_other_is() -> None:
    async def story(server: Prometheus) -> None:
        client = SourceClient(server.spec())
        try:
            with pytest.raises(NoAnswer) as caught:
                await client.query_range("rise", 1000, 1030, 15)
        finally:
            await client.close()
        assert caught.value.code == "Unavailable"

    play(says(b"", 503), story)
