"""Messages that are not as Alertmanager sends them, or larger than they may be."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import aiohttp
import pytest
from steadfit.app.alerts.handler import MAX_BODY

from .alert_fixture import AlertFixture, alert, message, play


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in alert().items() if name != field}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "the message"),
        (b"{}", "version"),
        (message(alert(), version="3"), "version"),
        (message(alert(), version=4), "version"),
        (message(alerts="all"), "alerts"),
        (message(alert(), truncatedAlerts=-1), "truncatedAlerts"),
        (message(alert(), alert("b2", "pending")), "alerts.1.status"),
        (message(alert(), without("status")), "alerts.1.status"),
        (message(alert(), without("labels")), "alerts.1.labels"),
        (message(alert(), without("fingerprint")), "alerts.1.fingerprint"),
        (message(alert(), without("startsAt")), "alerts.1.startsAt"),
        (message(alert(), alert() | {"labels": {}}), "alerts.1.labels"),
        (message(alert(), alert() | {"labels": {"namespace": 1}}), "alerts.1.labels.namespace"),
        (message(alert(), alert() | {"labels": ["namespace"]}), "alerts.1.labels"),
        (message(alert(), alert() | {"fingerprint": ""}), "alerts.1.fingerprint"),
        (message(alert(), alert() | {"fingerprint": "f" * 65}), "alerts.1.fingerprint"),
        (message(alert(), alert() | {"startsAt": 1772366400}), "alerts.1.startsAt"),
        (message(alert(), alert() | {"startsAt": "yesterday"}), "alerts.1.startsAt"),
        (message(alert(), alert() | {"startsAt": "2026-03-01T12:00:00"}), "alerts.1.startsAt"),
        (message(alert(), alert() | {"startsAt": "0001-01-01T00:00:00+05:00"}), "alerts.1.startsAt"),
        (message(alerts=[alert(), "ModelInputDrift"]), "alerts.1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_message_that_is_not_understood_is_refused_in_a_sentence_and_not_acted_on(body: Any, words: str) -> None:
    async def story(fixture: AlertFixture) -> None:
        answer = await fixture.post(body)
        assert answer.status == 400
        assert words in answer.body["error"]
        assert fixture.alerts() == {}

    play(story)


def test_a_field_that_a_newer_alertmanager_adds_is_left_alone() -> None:
    async def story(fixture: AlertFixture) -> None:
        answer = await fixture.post(message(alert() | {"silenced": False}, mood="good"))
        assert answer.body == {"alerts": {"stored": 1}}

    play(story)


def test_a_message_without_alerts_is_answered() -> None:
    async def story(fixture: AlertFixture) -> None:
        assert (await fixture.post(message())).body == {"alerts": {}}

    play(story)


def test_the_last_word_on_a_fingerprint_in_one_message_counts() -> None:
    async def story(fixture: AlertFixture) -> None:
        await fixture.post(message(alert("a1")))
        await fixture.post(message(alert("a1"), alert("a1", "resolved")))
        assert fixture.alerts() == {"a1": "resolved"}

    play(story)


def test_alerts_that_alertmanager_left_out_are_counted() -> None:
    async def story(fixture: AlertFixture) -> None:
        answer = await fixture.post(message(alert(), truncatedAlerts=7))
        assert answer.body == {"alerts": {"stored": 1, "truncated": 7}}

    play(story)


def test_a_message_above_the_cap_is_refused_before_it_is_read() -> None:
    async def story(fixture: AlertFixture) -> None:
        answer = await fixture.post(json.dumps(message(alert())).encode().ljust(MAX_BODY + 1))
        assert answer.status == 413
        assert str(MAX_BODY) in answer.body["error"]
        assert (await fixture.post(json.dumps(message(alert())).encode().ljust(MAX_BODY))).status == 200

    play(story)


def test_a_message_that_announces_more_than_the_cap_is_not_waited_for() -> None:
    async def story(fixture: AlertFixture) -> None:
        host, _, port = fixture.urls[0].removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        lines = ("POST /v1/alerts HTTP/1.1", f"Host: {host}", "Authorization: Bearer good", f"Content-Length: {2**31}")
        writer.write("\r\n".join((*lines, "", "")).encode())
        async with asyncio.timeout(60):
            assert b" 413 " in await reader.readline()
        writer.close()

    play(story)


def test_a_message_without_a_length_is_cut_off_at_the_cap() -> None:
    async def story(fixture: AlertFixture) -> None:
        async def endless() -> Any:
            for _ in range(20):
                yield b" " * (64 * 1024)

        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{fixture.urls[0]}/v1/alerts", data=endless(), headers={"Authorization": "Bearer good"}
            ) as response,
        ):
            assert response.status == 413

    play(story)


def test_a_small_message_that_unpacks_to_a_big_one_is_cut_off_at_the_cap() -> None:
    async def story(fixture: AlertFixture) -> None:
        packed = gzip.compress(b" " * (64 * MAX_BODY))
        assert len(packed) < MAX_BODY
        assert (await fixture.post(packed, encoding="gzip")).status == 413
        packed = gzip.compress(json.dumps(message(alert())).encode())
        assert (await fixture.post(packed, encoding="gzip")).status == 200
        assert (await fixture.post(b"no gzip", encoding="gzip")).status == 400

    play(story)
