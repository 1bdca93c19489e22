"""Alerts over HTTP, against the fake API server: which are stored, and where."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from steadfit.app.alerts.listeners import CACHE_SECONDS
from steadfit.app.clock import SystemClock
from steadfit.kube.resources import TRAINING_JOBS

from tests.sim import schema

from .alert_fixture import AlertFixture, alert, message, play


def test_an_alert_that_a_trigger_asks_for_is_stored_when_it_is_answered() -> None:
    async def story(fixture: AlertFixture) -> None:
        answer = await fixture.post(message(alert(severity="warning"), alert("b2", model="ships")))
        assert (answer.status, answer.body) == (200, {"alerts": {"stored": 1, "no_match": 1}})
        (entry,) = fixture.status()["alerts"]
        received = datetime.fromisoformat(entry.pop("receivedAt"))
        assert abs((SystemClock().now() - received).total_seconds()) < 30
        assert entry == {
            "fingerprint": "a1",
            "alertname": "ModelInputDrift",
            "status": "firing",
            "trigger": "drift",
            "startsAt": "2026-03-01T11:00:00Z",
            "labels": {"alertname": "ModelInputDrift"},
        }

    play(story)


def test_only_the_alerts_of_the_status_are_written_and_only_over_what_was_read() -> None:
    async def story(fixture: AlertFixture) -> None:
        stored = fixture.fake.store.get(TRAINING_JOBS, ("shop", "flights"))
        fixture.fake.store.update(
            TRAINING_JOBS, ("shop", "flights"), {**stored, "status": {"observedGeneration": 1}}, status=True
        )
        await fixture.post(message(alert()))
        (patch,) = fixture.fake.seen("patch", "trainingjobs")
        assert patch.path.endswith("/status")
        assert set(patch.body["status"]) == {"alerts", "alertsDropped"}
        assert {"uid", "resourceVersion"} <= set(patch.body["metadata"])
        assert fixture.status()["observedGeneration"] == 1

    play(story)


def test_the_published_schema_takes_what_is_written_into_a_fresh_status() -> None:
    async def story(fixture: AlertFixture) -> None:
        await fixture.post(message(alert(), alert("b2")))
        written = {"kind": "TrainingJob", "metadata": {"name": "flights"}, "status": fixture.status()}
        stored, errors = schema.admit("TrainingJob", written, None)
        assert [error for error in errors if "spec" not in error] == []
        assert stored["status"]["alerts"] == fixture.status()["alerts"]

    play(story)


def test_an_alert_that_ends_is_stored_as_resolved() -> None:
    async def story(fixture: AlertFixture) -> None:
        await fixture.post(message(alert("a1"), alert("b2")))
        answer = await fixture.post(message(alert("a1", "resolved"), alert("b2"), status="resolved"))
        assert answer.body == {"alerts": {"stored": 1, "unchanged": 1}}
        assert fixture.alerts() == {"a1": "resolved", "b2": "firing"}

    play(story)


def test_repeated_alerts_are_answered_without_another_write() -> None:
    async def story(fixture: AlertFixture) -> None:
        for _ in range(5):
            assert (await fixture.post(message(alert()))).status == 200
        assert fixture.writes() == 1
        assert fixture.intakes[0].statistics().results["unchanged"] == 4

    play(story)


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({"namespace": ""}, "no_namespace"),
        ({"namespace": "nowhere"}, "no_match"),
        ({"namespace": "../shop"}, "unknown_namespace"),
        ({"namespace": "Shop"}, "unknown_namespace"),
        ({"namespace": "x" * 64}, "unknown_namespace"),
        ({"namespace": "other"}, "no_match"),
        ({"model": "ships"}, "no_match"),
        ({"model": ""}, "no_match"),
        ({"alertname": "NodeDown"}, "no_match"),
    ],
    ids=str,
)
def test_an_alert_that_concerns_nobody_is_counted_and_not_asked_for_again(
    changes: dict[str, str], result: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(fixture: AlertFixture) -> None:
        fixture.job("flights", "other", {"triggers": []})
        answer = await fixture.post(message(alert(**changes)))
        assert (answer.status, answer.body) == (200, {"alerts": {result: 1}})
        assert fixture.intakes[0].statistics().results[result] == 1
        assert fixture.writes() == 0

    with caplog.at_level("INFO"):
        play(story)
    assert changes.get("alertname", "ModelInputDrift") in caplog.text


def test_an_alert_for_a_namespace_that_is_not_watched_is_not_acted_on() -> None:
    async def story(fixture: AlertFixture) -> None:
        fixture.job("flights", "bank")
        answer = await fixture.post(message(alert(), alert("b2", namespace="bank")))
        assert answer.body == {"alerts": {"stored": 1, "unknown_namespace": 1}}
        assert fixture.alerts("flights", "bank") == {}

    play(story, watched=("shop",))


def test_an_operator_of_some_namespaces_never_lists_all() -> None:
    watched = tuple(f"n{number}" for number in range(20))

    async def story(fixture: AlertFixture) -> None:
        alerts = [alert(name, namespace=name) for name in watched]
        assert (await fixture.post(message(*alerts))).body == {"alerts": {"no_match": 20}}
        paths = {request.path for request in fixture.fake.seen("list", "trainingjobs")}
        assert len(paths) == 20
        assert all("/namespaces/" in path for path in paths)

    play(story, watched=watched)


def test_an_alert_reaches_no_training_job_of_another_namespace() -> None:
    async def story(fixture: AlertFixture) -> None:
        fixture.job("flights", "bank")
        await fixture.post(message(alert()))
        assert fixture.alerts() == {"a1": "firing"}
        assert fixture.alerts("flights", "bank") == {}

    play(story)


def test_a_training_job_that_is_being_deleted_takes_no_alerts() -> None:
    async def story(fixture: AlertFixture) -> None:
        metadata = fixture.fake.store.objects[TRAINING_JOBS]["shop", "flights"]["metadata"]
        metadata["deletionTimestamp"] = "2026-03-01T12:00:00Z"
        assert (await fixture.post(message(alert()))).body == {"alerts": {"no_match": 1}}

    play(story)


def test_a_training_job_that_is_gone_when_it_is_written_is_no_failure() -> None:
    async def story(fixture: AlertFixture) -> None:
        await fixture.post(message(alert(alertname="Other")))
        fixture.fake.store.delete(TRAINING_JOBS, ("shop", "flights"))
        answer = await fixture.post(message(alert()))
        assert (answer.status, answer.body) == (200, {"alerts": {"no_match": 1}})

    play(story)


def test_a_trigger_that_was_taken_away_a_moment_ago_stores_nothing() -> None:
    async def story(fixture: AlertFixture) -> None:
        await fixture.post(message(alert(alertname="Other")))
        stored = fixture.fake.store.get(TRAINING_JOBS, ("shop", "flights"))
        fixture.fake.store.update(TRAINING_JOBS, ("shop", "flights"), {**stored, "spec": {}}, status=False)
        assert (await fixture.post(message(alert()))).body == {"alerts": {"no_match": 1}}
        assert fixture.alerts() == {}

    play(story)


def test_a_training_job_that_cannot_be_read_does_not_silence_the_others() -> None:
    async def story(fixture: AlertFixture) -> None:
        fixture.job("broken", spec={"triggers": [{"name": "x", "alert": {"matchLabels": "all"}}]})
        assert (await fixture.post(message(alert(), alert("b2", model="broken")))).body == {
            "alerts": {"stored": 1, "no_match": 1}
        }

    play(story)


def test_training_jobs_are_listed_once_in_a_few_seconds_however_many_alerts_come() -> None:
    async def story(fixture: AlertFixture) -> None:
        await asyncio.gather(*(fixture.post(message(alert(f"a{number}"))) for number in range(20)))
        assert len(fixture.fake.seen("list", "trainingjobs")) == 1
        fixture.job("ships")
        await asyncio.sleep(CACHE_SECONDS)
        assert (await fixture.post(message(alert("s1", model="ships")))).body == {"alerts": {"stored": 1}}

    play(story)
