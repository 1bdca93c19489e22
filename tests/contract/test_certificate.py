"""The intake's certificate: made once for all replicas, renewed in time, swapped without a restart."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from steadfit.app.probes.servers import listening
from steadfit.app.tls import pki
from steadfit.app.tls.certificate import Certificate
from steadfit.kube.clock import Clock
from steadfit.kube.key import Key
from steadfit.kube.resources import SECRETS

from tests.support.memory_api import MemoryAPI
from tests.support.virtual_time import START, LoopClock, run

KEY = Key(SECRETS, "system", "steadfit-intake-tls")
HOSTS = ("steadfit-operator.system.svc", "localhost")


class SetClock:
    """A clock that stands until it is set."""

    def __init__(self, time: datetime) -> None:
        self.time = time

    def now(self) -> datetime:
        return self.time


def certificate(api: MemoryAPI, clock: Clock | None = None, **options: Any) -> Certificate:
    return Certificate(
        api, clock or LoopClock(), namespace="system", name=KEY.name, hosts=HOSTS, managed=True, **options
    )


def secret(api: MemoryAPI) -> dict[str, str]:
    return {name: base64.b64decode(value).decode() for name, value in api.objects[KEY]["data"].items()}


def play(story: Callable[[MemoryAPI], Awaitable[None]]) -> None:
    run(story(MemoryAPI()))  # type: ignore[arg-type]


def test_a_certificate_is_made_and_kept_in_a_secret() -> None:
    async def story(api: MemoryAPI) -> None:
        ours = certificate(api)
        await ours.load()
        assert api.objects[KEY]["type"] == "kubernetes.io/tls"
        assert set(secret(api)) == {"tls.crt", "tls.key", "ca.crt", "ca.key"}
        assert ours.ca_bundle == secret(api)["ca.crt"]
        assert ours.statistics().expires == START + timedelta(days=90)

    play(story)


def test_replicas_that_start_together_agree_on_one_certificate() -> None:
    async def story(api: MemoryAPI) -> None:
        get = api.get

        async def slow(*args: Any) -> dict[str, Any]:
            try:
                return await get(*args)
            finally:
                await asyncio.sleep(1)

        api.get = slow  # type: ignore[method-assign, assignment]
        both = [certificate(api), certificate(api)]
        await asyncio.gather(*(one.load() for one in both))
        assert both[0].ca_bundle == both[1].ca_bundle == secret(api)["ca.crt"]
        assert sum(one.statistics().renewals for one in both) == 1

    play(story)


def test_a_certificate_is_renewed_long_before_its_end_by_the_same_ca(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two months of checks every half minute take long.
    monkeypatch.setattr("steadfit.app.tls.certificate.CHECK_SECONDS", 6 * 3600.0)

    async def story(api: MemoryAPI) -> None:
        ours, other = certificate(api), certificate(api)
        await asyncio.gather(ours.load(), other.load())
        before = secret(api)
        tasks = [asyncio.create_task(one.run()) for one in (ours, other)]
        await asyncio.sleep(timedelta(days=59).total_seconds())
        assert secret(api) == before
        await asyncio.sleep(timedelta(days=2).total_seconds())
        after = secret(api)
        assert after["tls.crt"] != before["tls.crt"]
        assert (after["ca.crt"], after["ca.key"]) == (before["ca.crt"], before["ca.key"])
        await asyncio.sleep(12 * 3600)
        assert ours.statistics().expires == other.statistics().expires == pki.expiry(after["tls.crt"])
        for task in tasks:
            task.cancel()

    play(story)


def test_a_ca_that_ends_is_replaced_and_both_are_trusted() -> None:
    data = pki.make(HOSTS, START, {})
    later = START + timedelta(days=3300)
    assert pki.needs_renewal(data, HOSTS, later)
    renewed = pki.make(HOSTS, later, data)
    assert renewed["ca.key"] != data["ca.key"]
    assert renewed["ca.crt"].count("BEGIN CERTIFICATE") == 2
    assert renewed["ca.crt"].endswith(data["ca.crt"])
    assert not pki.needs_renewal(renewed, HOSTS, later)


def test_a_deleted_secret_is_made_anew_within_a_minute_with_the_same_ca() -> None:
    async def story(api: MemoryAPI) -> None:
        ours = certificate(api)
        await ours.load()
        before = secret(api)
        running = asyncio.create_task(ours.run())
        api.remove(KEY)
        await asyncio.sleep(60)
        after = secret(api)
        assert (after["ca.crt"], after["ca.key"]) == (before["ca.crt"], before["ca.key"])
        running.cancel()

    play(story)


@pytest.mark.parametrize("managed", [True, False])
def test_a_replaced_ca_is_trusted_within_a_minute_beside_the_old_one(managed: bool) -> None:
    async def story(api: MemoryAPI) -> None:
        await certificate(api).load()
        told: list[str] = []
        ours = Certificate(
            api, LoopClock(), namespace="system", name=KEY.name, hosts=HOSTS, managed=managed, on_ca=told.append
        )
        await ours.load()
        running = asyncio.create_task(ours.run())
        old, new = secret(api), pki.make(HOSTS, START, {})
        api.edit(KEY, data={name: base64.b64encode(text.encode()).decode() for name, text in new.items()})
        await asyncio.sleep(60)
        assert ours.statistics().expires == pki.expiry(new["tls.crt"])
        assert told == [old["ca.crt"], new["ca.crt"] + old["ca.crt"]]
        assert ours.ca_bundle == told[-1]
        assert secret(api)["ca.crt"] == new["ca.crt"]
        running.cancel()

    play(story)


def test_a_certificate_of_a_clock_that_was_ahead_is_replaced() -> None:
    ahead = START + timedelta(days=1)
    of_both = pki.make(HOSTS, ahead, {})
    of_leaf = pki.make(HOSTS, ahead, pki.make(HOSTS, START, {}))
    for data in (of_both, of_leaf):
        assert pki.needs_renewal(data, HOSTS, START)
        assert not pki.needs_renewal(pki.make(HOSTS, START, data), HOSTS, START)


def test_another_host_name_needs_another_certificate() -> None:
    data = pki.make(HOSTS, START, {})
    assert not pki.needs_renewal(data, HOSTS, START)
    assert pki.needs_renewal(data, ("renamed.system.svc",), START)


def test_the_ca_is_told_to_whoever_renders_pods() -> None:
    async def story(api: MemoryAPI) -> None:
        told: list[str] = []
        await certificate(api, on_ca=told.append).load()
        assert told == [secret(api)["ca.crt"]]

    play(story)


@pytest.mark.parametrize("by", ["annotation", "no key of ours", "setting"])
def test_a_certificate_of_somebody_else_is_used_and_never_written(by: str) -> None:
    async def story(api: MemoryAPI) -> None:
        data = pki.make(HOSTS, START - timedelta(days=80), {})
        if by == "no key of ours":
            del data["ca.key"]
        annotations = {"cert-manager.io/certificate-name": "intake"} if by == "annotation" else {}
        api.add(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": KEY.name, "namespace": "system", "annotations": annotations},
                "data": {name: base64.b64encode(text.encode()).decode() for name, text in data.items()},
            }
        )
        ours = Certificate(api, LoopClock(), namespace="system", name=KEY.name, hosts=HOSTS, managed=by != "setting")
        await ours.load()
        assert ours.ca_bundle == data["ca.crt"]
        assert api.writes == []

    play(story)


def test_a_certificate_that_somebody_else_has_yet_to_make_is_waited_for() -> None:
    async def story(api: MemoryAPI) -> None:
        ours = Certificate(api, LoopClock(), namespace="system", name=KEY.name, hosts=HOSTS, managed=False)
        loading = asyncio.create_task(ours.load())
        await asyncio.sleep(100)
        assert not loading.done()
        await certificate(api).load()
        await asyncio.sleep(10)
        assert loading.done()

    play(story)


def connect(context: ssl.SSLContext, port: int) -> None:
    """Connect as most clients do; asyncio closes the connection without telling the server why."""
    with (
        socket.create_connection(("localhost", port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost"),
    ):
        pass


def test_a_client_that_does_not_trust_the_ca_is_counted() -> None:
    async def main() -> None:
        clock = SetClock(datetime.now(UTC))
        ours = certificate(MemoryAPI(), clock)
        await ours.load()
        other = ssl.create_default_context(cadata=pki.make(HOSTS, clock.now(), {})["ca.crt"])
        trusting = ssl.create_default_context(cadata=ours.ca_bundle)
        async with listening(web.Application(), 0, ours.context, "localhost") as port:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                other.minimum_version = other.maximum_version = version
                with pytest.raises(ssl.SSLCertVerificationError):
                    await asyncio.to_thread(connect, other, port)
            _, plain = await asyncio.open_connection("localhost", port)
            plain.write(b"GET / HTTP/1.1\r\n\r\n")
            _, good = await asyncio.open_connection("localhost", port, ssl=trusting)
            while sum(ours.statistics().handshake_failures.values()) < 3:  # noqa: ASYNC110 - the server's own time
                await asyncio.sleep(0.01)
            assert ours.statistics().handshake_failures == {"distrust": 2, "other": 1}
            for writer in (plain, good):
                writer.close()

    asyncio.run(main())


def test_new_connections_see_the_renewed_certificate_without_a_restart() -> None:
    async def main() -> None:
        # The client checks certificates against the real time of day, so the story ends at it.
        clock = SetClock(datetime.now(UTC) - timedelta(days=61))
        ours = certificate(MemoryAPI(), clock)
        await ours.load()
        trusting = ssl.create_default_context(cadata=ours.ca_bundle)
        async with listening(web.Application(), 0, ours.context, "localhost") as port:

            async def serial() -> str:
                _, writer = await asyncio.open_connection("localhost", port, ssl=trusting)
                shown = writer.get_extra_info("ssl_object").getpeercert()
                writer.close()
                return str(shown["serialNumber"])

            before = await serial()
            assert before == await serial()
            clock.time = datetime.now(UTC)
            await ours.load()
            assert await serial() != before

    asyncio.run(main())
