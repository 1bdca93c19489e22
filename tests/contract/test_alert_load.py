"""Many alerts: of many replicas at once, and in messages of full size."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from steadfit.app.alerts.handler import ANSWER_SECONDS
from steadfit.core.training.triggers.alert_state import MAX_ALERTS

from .alert_fixture import AlertFixture, alert, message, play
from .fakeapi import Fault

FULL = 9_000
"""Alerts that fit into one message."""


def test_sixteen_replicas_with_ten_alerts_each_lose_nothing() -> None:
    async def story(fixture: AlertFixture) -> None:
        names = [f"m{number}" for number in range(4)]
        for name in names:
            fixture.job(name)
        told = {
            (replica, number): alert(f"f{replica}-{number}", model=names[number % 4])
            for replica in range(16)
            for number in range(10)
        }
        answers = await asyncio.gather(*(fixture.tell(message(one), key[0]) for key, one in told.items()))
        assert {answer.status for answer in answers} == {200}
        stored = [fingerprint for name in names for fingerprint in fixture.alerts(name)]
        assert sorted(stored) == sorted(one["fingerprint"] for one in told.values())

    play(story, replicas=16)


def test_sixteen_replicas_that_write_the_same_object_fill_it_without_loss() -> None:
    async def story(fixture: AlertFixture) -> None:
        posts = [
            fixture.tell(message(alert(f"f{replica}-{number}")), replica)
            for replica in range(16)
            for number in range(4)
        ]
        assert {answer.status for answer in await asyncio.gather(*posts)} == {200}
        assert len(fixture.alerts()) == MAX_ALERTS
        assert fixture.status()["alertsDropped"] == 0

    play(story, replicas=16)


def test_a_thousand_alerts_in_three_copies_are_stored_once_each() -> None:
    async def story(fixture: AlertFixture) -> None:
        names = [f"m{number}" for number in range(20)]
        for name in names:
            fixture.job(name)
        told = [alert(f"f{number}", model=names[number % 20]) for number in range(1000)]
        groups = [told[start : start + 100] for start in range(0, 1000, 100)]
        copies = [fixture.tell(message(*group), copy) for copy in range(3) for group in groups]
        assert {answer.status for answer in await asyncio.gather(*copies)} == {200}
        stored = [fingerprint for name in names for fingerprint in fixture.alerts(name)]
        assert sorted(stored) == sorted(one["fingerprint"] for one in told)
        written = sum(intake.statistics().results["stored"] for intake in fixture.intakes)
        assert written >= 1000
        # Together in few writes: neither one for each alert nor one for each post and object.
        successful = fixture.fake.store.version
        assert successful < 100 + 21 + 20 * 10 + 20

    play(story, replicas=3)


def test_alerts_that_arrive_while_one_is_written_go_together() -> None:
    async def story(fixture: AlertFixture) -> None:
        fixture.fake.faults["patch", "trainingjobs"] = Fault(hang=0.5)
        answers = await asyncio.gather(*(fixture.post(message(alert(f"f{number}"))) for number in range(30)))
        assert {answer.status for answer in answers} == {200}
        assert len(fixture.alerts()) == 30
        assert fixture.writes() == 2

    play(story)


def test_a_full_message_of_thousands_of_namespaces_is_answered_in_time_by_one_list() -> None:
    async def story(fixture: AlertFixture) -> None:
        for number in range(100):
            fixture.job("m", f"{number:x}", {"triggers": [{"name": "all", "alert": {"matchLabels": {"model": "m"}}}]})
        body = many(FULL, lambda number: f"{number:x}")
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await fixture.post(body)
        assert answer.body == {"alerts": {"stored": 100, "no_match": FULL - 100}}
        assert len(fixture.fake.seen("list", "trainingjobs")) == 1

    play(story)


def test_a_full_message_for_one_training_job_leaves_as_many_as_fit_and_counts_the_rest() -> None:
    async def story(fixture: AlertFixture) -> None:
        fixture.job("m", "n", {"triggers": [{"name": "all", "alert": {"matchLabels": {"model": "m"}}}]})
        body = many(FULL, lambda number: "n")
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await fixture.post(body)
        assert answer.body == {"alerts": {"stored": MAX_ALERTS, "overflow": FULL - MAX_ALERTS}}
        assert len(fixture.alerts("m", "n")) == MAX_ALERTS
        assert fixture.status("m", "n")["alertsDropped"] == FULL - MAX_ALERTS
        assert fixture.writes() == 1

    play(story)


def many(count: int, namespace: Callable[[int], str]) -> bytes:
    """A message of the smallest alerts there are."""
    alerts = [
        {
            "status": "firing",
            "labels": {"namespace": namespace(number), "model": "m"},
            "startsAt": "2026-03-01T12:00Z",
            "fingerprint": f"{number:x}",
        }
        for number in range(count)
    ]
    return json.dumps({"version": "4", "alerts": alerts}, separators=(",", ":")).encode()


def test_ten_thousand_alerts_in_one_message_are_above_the_cap_and_their_sender_is_told() -> None:
    async def story(fixture: AlertFixture) -> None:
        answer = await fixture.post(many(10_000, lambda number: "shop"))
        assert answer.status == 413
        assert "group alerts" in answer.body["error"]
        assert fixture.intakes[0].statistics().answers == {413: 1}

    play(story)
