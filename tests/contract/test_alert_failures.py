"""Alerts that cannot be stored now: the sender is told to come again, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from steadfit.app.alerts.handler import ANSWER_SECONDS, MAX_BODY, MAX_BYTES, MAX_CONCURRENT
from steadfit.app.alerts.writer import WRITE_SECONDS

from .alert_fixture import AlertFixture, alert, message, play
from .fakeapi import Fault


@pytest.mark.parametrize(
    ("verb", "plural"),
    [
        ("create", "tokenreviews"),
        ("create", "subjectaccessreviews"),
        ("list", "trainingjobs"),
        ("get", "trainingjobs"),
        ("patch", "trainingjobs"),
    ],
)
@pytest.mark.parametrize("code", [403, 429, 500, 503])
def test_an_api_server_that_does_not_do_it_is_a_503_and_the_repeat_is_stored(verb: str, plural: str, code: int) -> None:
    async def story(fixture: AlertFixture) -> None:
        fixture.fake.faults[verb, plural] = Fault(code=code)
        answer = await fixture.post(message(alert()))
        assert answer.status == 503
        assert "Retry-After" in answer.headers
        assert "injected" not in answer.body["error"]
        assert (await fixture.post(message(alert()))).status == 200
        assert fixture.alerts() == {"a1": "firing"}

    play(story)


def test_a_write_whose_answer_was_lost_is_repeated_without_harm() -> None:
    async def story(fixture: AlertFixture) -> None:
        fixture.fake.faults["patch", "trainingjobs"] = Fault(drop=True, commit=True)
        assert (await fixture.post(message(alert()))).status == 503
        assert (await fixture.post(message(alert()))).body == {"alerts": {"unchanged": 1}}
        assert fixture.alerts() == {"a1": "firing"}

    play(story)


def test_what_can_be_stored_is_stored_although_another_training_job_cannot_be_written() -> None:
    async def story(fixture: AlertFixture) -> None:
        for name in ("one", "two", "three"):
            fixture.job(name)
        fixture.fake.faults["patch", "trainingjobs"] = Fault(code=500)
        alerts = [alert(name, model=name) for name in ("one", "two", "three")]
        assert (await fixture.post(message(*alerts))).status == 503
        stored = [name for name in ("one", "two", "three") if fixture.alerts(name)]
        assert len(stored) == 2
        assert fixture.intakes[0].statistics().results["failed"] == 1
        assert (await fixture.post(message(*alerts))).body == {"alerts": {"stored": 1, "unchanged": 2}}

    play(story)


def test_an_answer_is_there_before_alertmanager_gives_up() -> None:
    assert WRITE_SECONDS < ANSWER_SECONDS < 10


def test_an_api_server_that_hangs_is_a_503_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steadfit.app.alerts.handler.ANSWER_SECONDS", 1.0)

    async def story(fixture: AlertFixture) -> None:
        fixture.fake.faults["list", "trainingjobs"] = Fault(hang=20)
        assert (await fixture.post(message(alert()))).status == 503
        fixture.fake.faults["get", "trainingjobs"] = Fault(hang=20)
        assert (await fixture.post(message(alert()))).status == 503
        assert fixture.intakes[0].statistics().results["failed"] == 1

    play(story)


def test_endless_conflicts_are_a_503_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steadfit.app.alerts.writer.WRITE_SECONDS", 2.0)

    async def story(fixture: AlertFixture) -> None:
        fixture.fake.faults["patch", "trainingjobs"] = Fault(times=10_000, code=409, reason="Conflict")
        assert (await fixture.post(message(alert()))).status == 503
        # The pauses grow: it is not asked as fast as it answers.
        assert fixture.writes() < 40
        fixture.fake.faults.clear()
        assert (await fixture.post(message(alert()))).status == 200

    play(story)


def test_too_many_messages_at_once_are_told_to_come_again_and_not_with_a_429() -> None:
    async def story(fixture: AlertFixture) -> None:
        fixture.fake.faults["create", "tokenreviews"] = Fault(times=1000, hang=0.5)
        answers = await asyncio.gather(*(fixture.post(message(alert())) for _ in range(MAX_CONCURRENT + 6)))
        statuses = Counter(answer.status for answer in answers)
        assert statuses == {200: MAX_CONCURRENT, 503: 6}
        assert fixture.intakes[0].statistics().busy == 0

    play(story)


def test_messages_of_full_size_are_read_only_as_many_as_there_is_room_for() -> None:
    async def story(fixture: AlertFixture) -> None:
        fixture.fake.faults["list", "trainingjobs"] = Fault(hang=1)
        full = json.dumps(message(alert())).encode().ljust(MAX_BODY)
        posts = MAX_BYTES // MAX_BODY + 4
        statuses = Counter(
            answer.status for answer in await asyncio.gather(*(fixture.post(full) for _ in range(posts)))
        )
        assert statuses[503] >= 4
        assert statuses[200] + statuses[503] == posts
        # Whatever was read is given back.
        assert (await fixture.post(full)).status == 200

    play(story)
